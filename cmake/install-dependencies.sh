#!/usr/bin/env bash
# Checks that all build dependencies are there. On Debian and Ubuntu it installs missing ones. On other systems, or
# without the right to install, it says what is missing and how to get it.
#
#   bash cmake/install-dependencies.sh quickstart    to build the library, the sandbox and the examples
#   bash cmake/install-dependencies.sh tests         to build and run the tests, too
#   bash cmake/install-dependencies.sh matrix        to run everything that a change must pass
#   bash cmake/install-dependencies.sh benchmark     to build and run the benchmarks
set -euo pipefail

# name | how to detect it | Debian, Ubuntu | Fedora | Alpine | Arch | macOS
quickstart='
a C++17 compiler|command c++|g++|gcc-c++|g++|gcc|-
CMake 3.24|cmake 3.24|cmake|cmake|cmake|cmake|cmake
make|command make|make|make|make|make|-
pkg-config|command pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf|pkgconf
libcurl|header curl/curl.h|libcurl4-openssl-dev|libcurl-devel|curl-dev|curl|curl
OpenSSL 3|header openssl/provider.h|libssl-dev|openssl-devel|openssl-dev|openssl|openssl@3
nlohmann/json|header nlohmann/json.hpp|nlohmann-json3-dev|json-devel|nlohmann-json|nlohmann-json|nlohmann-json
cpp-httplib|header httplib.h|libcpp-httplib-dev|cpp-httplib-devel|cpp-httplib|cpp-httplib|cpp-httplib
CLI11|header CLI/CLI.hpp|libcli11-dev|cli11-devel|cli11|cli11|cli11
SQLite|header sqlite3.h|libsqlite3-dev|sqlite-devel|sqlite-dev|sqlite|-'
tests='
GoogleTest|header gtest/gtest.h|libgtest-dev|gtest-devel|gtest-dev|gtest|googletest
Asio|header asio.hpp|libasio-dev|asio-devel|asio-dev|asio|asio
Ninja|command ninja|ninja-build|ninja-build|samurai|ninja|ninja
openssl|command openssl|openssl|openssl|openssl|openssl|openssl@3
curl|command curl|curl|curl|curl|curl|curl
Apache httpd|file /usr/sbin/apache2 /usr/sbin/httpd /usr/bin/httpd|apache2-bin|httpd|apache2|apache|httpd'
matrix='
clang++|command clang++|clang|clang|clang|clang|llvm
libc++|libcxx|libc++-dev libc++abi-dev|libcxx-devel libcxxabi-devel|libc++-dev|libc++|-
its sanitizers|sanitizers|libclang-rt-dev|compiler-rt|compiler-rt|compiler-rt|llvm
llvm-cov|command llvm-cov|llvm|llvm|llvm|llvm|llvm
ccache|command ccache|ccache|ccache|ccache|ccache|ccache
clang-format|command clang-format|clang-format|clang-tools-extra|clang-extra-tools|clang|clang-format
clang-tidy|command clang-tidy|clang-tidy|clang-tools-extra|clang-extra-tools|clang|llvm
Redis|command redis-server|redis-server|redis|redis|redis|redis
its client for Python|file /usr/lib/python3/dist-packages/redis/__init__.py|python3-redis|python3-redis|py3-redis|python-redis|-
ShellCheck|command shellcheck|shellcheck|ShellCheck|shellcheck|shellcheck|shellcheck
codespell|command codespell|codespell|codespell|codespell|codespell|codespell
dpkg-shlibdeps|of_debian dpkg-shlibdeps|dpkg-dev|-|-|-|-
file|of_debian file|file|-|-|-|-
libpq|file /usr/include/postgresql/libpq-fe.h /usr/include/libpq-fe.h|libpq-dev|libpq-devel|libpq-dev|postgresql-libs|libpq
MariaDB Connector/C|file /usr/include/mariadb/mysql.h /usr/include/mysql/mysql.h|libmariadb-dev|mariadb-connector-c-devel|mariadb-connector-c-dev|mariadb-libs|mariadb-connector-c
MariaDB|file /usr/sbin/mariadbd /usr/bin/mariadbd /usr/libexec/mariadbd|mariadb-server|mariadb-server|mariadb|mariadb|mariadb
Spin|of_debian spin|spin|-|-|-|-
promtool|of_debian promtool|prometheus|-|-|-|-
PgBouncer|file /usr/sbin/pgbouncer /usr/bin/pgbouncer|pgbouncer|pgbouncer|pgbouncer|pgbouncer|pgbouncer
PostgreSQL|file /usr/lib/postgresql|postgresql|postgresql-server|postgresql|postgresql|postgresql
Doxygen|command doxygen|doxygen|doxygen|doxygen|doxygen|doxygen
PHP with curl|command php|php-cli php-curl|php-cli|php-cli php-curl php-openssl|php|php
npm|command npm|npm|npm|npm|npm|node
Python|command python3|python3|python3|python3|python|python
Chromium|command chromium|chromium|chromium|chromium|chromium|chromium
its driver|command chromedriver|chromium-driver|chromedriver|chromium-chromedriver|chromium|chromedriver'
benchmark='
GoogleTest|header gtest/gtest.h|libgtest-dev|gtest-devel|gtest-dev|gtest|googletest
Google Benchmark|header benchmark/benchmark.h|libbenchmark-dev|google-benchmark-devel|benchmark-dev|benchmark|google-benchmark
Ninja|command ninja|ninja-build|ninja-build|samurai|ninja|ninja'

case "${1:-}" in
  quickstart) wanted=$quickstart ;;
  tests) wanted=$quickstart$tests ;;
  matrix) wanted=$quickstart$tests$matrix ;;
  benchmark) wanted=$quickstart$benchmark ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

there() {
  case "$1" in
    command) command -v "$2" > /dev/null ;;
    of_debian) command -v "$2" > /dev/null || ! command -v dpkg > /dev/null ;;
    cmake)
      command -v cmake > /dev/null &&
        [ "$(printf '%s\n' "$2" "$(cmake --version | sed -n '1s/[^0-9]*//p')" | sort -V | head -n 1)" = "$2" ] ;;
    header) echo "#include <$2>" | c++ -std=c++17 -x c++ -E - > /dev/null 2>&1 ;;
    libcxx) echo '#include <version>' | clang++ -stdlib=libc++ -x c++ -E - > /dev/null 2>&1 ;;
    sanitizers) echo 'int main() {}' | clang++ -fsanitize=address -x c++ - -o /dev/null 2> /dev/null ;;
    file) shift; for file in "$@"; do [ -e "$file" ] && return 0; done; return 1 ;;
  esac
}

find_missing() {
  missing=()
  while IFS='|' read -r name probe packages; do
    # shellcheck disable=SC2086  # the probe is several words
    [ -z "$name" ] || there $probe || missing+=("$name|$packages")
  done <<< "$wanted"
}

# packages COLUMN: the missing packages of one system. Column 2 is for Debian, and so on in the order above.
packages() {
  printf '%s\n' "${missing[@]}" | awk -F '|' -v column="$1" '$column != "-" { print $column }' | sort -u | tr '\n' ' '
}

find_missing
[ ${#missing[@]} -gt 0 ] || exit 0

if command -v apt-get > /dev/null; then
  become=()
  [ "$(id -u)" = 0 ] || become=(sudo -n)
  if [ "$(id -u)" = 0 ] || sudo -n true 2> /dev/null; then
    echo "Installing $(packages 2)..."
    log=$(mktemp)
    # shellcheck disable=SC2046  # one word for each package
    if ! { "${become[@]}" apt-get update &&
           "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
             apt-get install --yes --no-install-recommends $(packages 2); } > "$log" 2>&1; then
      cat "$log" >&2
    fi
    rm -f "$log"
    find_missing
    [ ${#missing[@]} -gt 0 ] || exit 0
  fi
fi

{
  echo "Missing: $(printf '%s\n' "${missing[@]}" | cut -d '|' -f 1 | paste -sd , - | sed 's/,/, /g')"
  echo "Install what your system calls it, and start again:"
  echo "  Debian, Ubuntu  sudo apt-get install $(packages 2)"
  echo "  Fedora          sudo dnf install $(packages 3)"
  echo "  Alpine          sudo apk add $(packages 4)"
  echo "  Arch            sudo pacman -S $(packages 5)"
  brew=$(packages 6)
  echo "  macOS           xcode-select --install${brew:+; brew install $brew}"
} >&2
exit 1
