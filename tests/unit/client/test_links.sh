#!/bin/sh
# The command and the library need libc alone (and what a sanitizer brings).
#   test_links.sh FILE...
set -eu
for file; do
  readelf -d "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' |
    grep -Ev '^(libc\.so\.6|libtokenbroker\.so\.0|ld-linux.*|lib[a-z]*san\.so\.[0-9]+)$' && {
    echo "$file needs more than libc" >&2
    exit 1
  }
done
for file; do
  if ldd "$file" | grep -E 'curl|gnutls|ssl|crypto|microhttpd|sodium|systemd|json|sqlite'; then
    exit 1
  fi
done
