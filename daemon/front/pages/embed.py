#!/usr/bin/python3
"""Writes the page parts as C strings: embed.py OUT.c FILE...

A part is named after its file: layout.html becomes page_layout. The style's SHA-256 is computed
here from the very bytes that go into the page, for the Content-Security-Policy.
"""

import base64
import hashlib
import pathlib
import re
import sys


POLICY = (
    "default-src 'none'; style-src 'sha256-%s'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)


def literal(text):
    """C string literals, one for each line; ?? is split so that no trigraph can arise."""
    lines = []
    for line in text.splitlines(keepends=True):
        escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append('    "%s"' % escaped.replace("??", '?""?'))
    return "\n".join(lines) or '    ""'


def main(out, *files):
    parts = ['/* Made by embed.py. */', '#include "front/pages_data.h"', ""]
    for name in files:
        path = pathlib.Path(name)
        text = path.read_text(encoding="ascii")
        symbol = "page_" + path.stem
        if not re.fullmatch(r"[a-z_]+", symbol):
            sys.exit("%s: not a name for a part" % name)
        parts.append("const char %s[] =\n%s;\n" % (symbol, literal(text)))
        if path.suffix == ".css":
            if "</" in text:
                sys.exit("%s: would end the style element" % name)
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            parts.append('const char page_content_policy[] = "%s";\n' % (POLICY % digest))
    pathlib.Path(out).write_text("\n".join(parts), encoding="ascii")


if __name__ == "__main__":
    main(*sys.argv[1:])
