#!/bin/sh
# The library exports what its header declares and its map names: no more, no less.
#   test_symbols.sh HEADER MAP LIBRARY
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Only what stands in a declaration: TB_API begins it, the comments are taken out first.
sed -e 's,/\*.*\*/,,' -e '/\/\*/,/\*\//d' "$1" | tr '\n' ' ' | tr ';' '\n' | grep TB_API |
  grep -o 'tb_[a-z_]*(' | tr -d '(' | sort -u >"$work/declared"
grep -o 'tb_[a-z_]*' "$2" | sort -u >"$work/mapped"
nm -D --defined-only "$3" | awk '$2 != "A" { print $3 }' | sed 's/@.*//' | sort -u >"$work/exported"
test -s "$work/declared"
diff "$work/declared" "$work/mapped"
diff "$work/mapped" "$work/exported"
readelf -d "$3" | grep -q 'SONAME.*\[libtokenbroker.so.0\]'
