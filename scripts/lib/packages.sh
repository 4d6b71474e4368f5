# shellcheck shell=bash disable=SC2034 # the lists are used by those who source this
# Debian's packages that building and testing need; sourced by the other scripts.

packages_build="gcc meson ninja-build pkg-config python3 libsystemd-dev libmicrohttpd-dev
  libcurl4-openssl-dev libsqlite3-dev libsodium-dev libgnutls28-dev"
packages_demo="$packages_build curl"
packages_fuzz="clang libclang-rt-dev llvm libcmocka-dev"
packages_coverage="llvm"
packages_test="$packages_build $packages_fuzz curl python3-pytest python3-pytest-xdist python3-jsonschema
  python3-yaml chromium chromium-driver fonts-dejavu-core clang-format valgrind strace openssl
  libnss3-tools ca-certificates nginx-light firefox-esr zbar-tools libqrencode4
  ruby-doorkeeper ruby-activerecord ruby-sqlite3 ruby-webrick
  nodejs util-linux man-db systemd systemd-container dbus"

# Node.js packages that bring npm along conflict with Debian's own npm.
command -v npm >/dev/null || packages_test="$packages_test npm"

# Prints those of "$@" that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      printf '%s ' "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "This needs root: $*" >&2
    return 1
  fi
}

install_packages() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" \
    >/dev/null
}

# Installs what is missing of "$@". On other distributions it says what to install and goes on if the
# programs are there already.
need_packages() {
  if ! command -v apt-get >/dev/null; then
    command -v meson >/dev/null && command -v gcc >/dev/null && return 0
    echo "This is no Debian: please install what is called here" >&2
    printf '  %s\n' "$@" >&2
    return 1
  fi
  local missing
  missing=$(missing_packages "$@")
  [ -z "$missing" ] && return 0
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    echo "Packages are missing. As root: apt-get install $missing" >&2
    return 1
  fi
  echo "These packages are missing and are installed now (this needs root): $missing"
  # shellcheck disable=SC2086 # a list of words
  install_packages $missing 2>/dev/null && return 0
  as_root apt-get update >/dev/null || return 1
  # shellcheck disable=SC2086
  install_packages $missing
}
