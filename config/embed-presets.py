#!/usr/bin/env python3
"""Writes the providers' presets as one C table: embed-presets.py OUTPUT PRESET.conf…"""

import pathlib
import sys


def c_string(text: str) -> str:
    """The text as C string literals, one a line; octal escapes cannot run into what follows."""
    lines = []
    for line in text.splitlines(keepends=True):
        escaped = "".join(
            chr(byte) if 32 <= byte < 127 and chr(byte) not in '\\"?' else f"\\{byte:03o}"
            for byte in line.encode()
        )
        lines.append(f'        "{escaped}"')
    return "\n".join(lines)


def main() -> None:
    output, *inputs = (pathlib.Path(argument) for argument in sys.argv[1:])
    rows = []
    for path in sorted(inputs, key=lambda path: path.stem):
        text = path.read_text(encoding="utf-8")
        rows.append(f'    {{ "{path.stem}",\n{c_string(text)} }},\n')
    output.write_text(
        '#include "settings/presets.h"\n\n'
        "const struct preset presets[] = {\n" + "".join(rows) + "};\n\n"
        "const size_t preset_count = sizeof presets / sizeof presets[0];\n"
    )


main()
