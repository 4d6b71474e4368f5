#!/usr/bin/env python3
"""Writes the store's migrations as a C file: embed_sql.py OUTPUT FILE.sql...

The files are numbered 001_, 002_ and so on, without a gap; the number is the schema version that
the file leads to.
"""

import pathlib
import sys


def c_string(line: str) -> str:
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return f'    "{escaped}\\n"'


def main() -> int:
    output, paths = sys.argv[1], [pathlib.Path(p) for p in sys.argv[2:]]
    parts = ['#include "io/store_sqlite_private.h"\n', "const char *const store_migrations[] = {"]
    for number, path in enumerate(paths, start=1):
        if not path.name.startswith(f"{number:03d}_"):
            print(f"{path}: expected a name that begins with {number:03d}_", file=sys.stderr)
            return 1
        text = path.read_text(encoding="ascii")
        parts.append("\n".join(c_string(line) for line in text.splitlines()) + ",")
    parts.append("};\n\nconst int store_schema_version = %d;" % len(paths))
    pathlib.Path(output).write_text("\n".join(parts) + "\n", encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
