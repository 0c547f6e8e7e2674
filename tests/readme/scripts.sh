#!/usr/bin/env bash
# Tests what the scripts that a newcomer runs say on other systems, and where something is missing. A system is a folder
# of commands that the scripts find instead of this machine's.
#   scripts.sh SOURCE_FOLDER
set -euo pipefail
cd "$1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
bash=$(command -v bash)
mkdir -p "$folder/project/examples" "$folder/project/cmake" "$folder/bin"
cp examples/quickstart.sh "$folder/project/examples"
cp cmake/install-dependencies.sh "$folder/project/cmake"
cd "$folder/project"

# command_is NAME SCRIPT: the system has this command. It replaces another one of that name.
command_is() {
  rm -f "$folder/bin/$1"
  printf '#!%s\n%s\n' "$bash" "$2" > "$folder/bin/$1"
  chmod +x "$folder/bin/$1"
}

# system: begins with a system without a compiler, CMake, apt-get and sudo, whose user is not root.
system() {
  local name
  rm -rf "${folder:?}/bin"
  mkdir "$folder/bin"
  for name in awk bash cat cut dirname env grep head mkdir mktemp rm sed sort tr true; do
    ln -s "$(type -P "$name")" "$folder/bin/$name"
  done
  # As on macOS, where it reads standard input only if the last argument is -.
  command_is paste "[ \"\${!#}\" = - ] || { echo 'usage: paste [-s] [-d delimiters] file ...' >&2; exit 1; }
    exec '$(command -v paste)' \"\$@\""
  command_is id 'echo 1000'
}

# compiler [HEADER]: the system has a compiler and all headers, except HEADER.
compiler() { command_is c++ "! grep '${1:-no such header}' > /dev/null"; }

# complete [HEADER]: the system has all that the quick start needs, except HEADER.
complete() {
  system
  compiler "$@"
  command_is cmake 'echo "cmake version 3.24.0"'
  command_is make 'exit 0'
  command_is pkg-config 'exit 0'
}

# expect STATUS SCRIPT ARGUMENT...: runs it on that system. Its output is then in $out, its errors in $err.
expect() {
  local wanted=$1 status=0
  shift
  env -i PATH="$folder/bin" "$bash" "$@" > "$folder/out" 2> "$folder/err" || status=$?
  out=$(< "$folder/out") err=$(sed 's/ *$//' "$folder/err")
  [ "$status" = "$wanted" ] || fail "$*: exit status $status instead of $wanted: $out $err"
}
is() { [ "$2" = "$3" ] || fail "$1 is '$2' instead of '$3'"; }
install=cmake/install-dependencies.sh

echo "-- without an argument, and with one that it does not know, it lists its arguments"
system
for argument in '' all; do
  # shellcheck disable=SC2086  # no argument at all
  expect 2 $install $argument
  for known in quickstart tests matrix benchmark; do
    grep -q "^  bash cmake/install-dependencies.sh $known  " <<< "$err" || fail "$known is not listed: $err"
  done
  is "the number of arguments" "$(grep -c install-dependencies <<< "$err")" 4
done

echo "-- where all is there, it says nothing"
complete
expect 0 $install quickstart
is "the output" "$out$err" ""

echo "-- an old CMake is missing, a newer one is not"
command_is cmake 'echo "cmake version 3.23.9"'
expect 1 $install quickstart
is "the first line" "$(head -n 1 <<< "$err")" "Missing: CMake 3.24"
command_is cmake 'echo "cmake version 3.100.1"'
expect 0 $install quickstart

echo "-- without apt-get, it says what is missing, and how each system calls it"
complete httplib.h
rm "$folder/bin/make"
expect 1 $install quickstart
is "the output" "$out" ""
is "what is missing" "$err" "Missing: make, cpp-httplib
Install what your system calls it, and start again:
  Debian, Ubuntu  sudo apt-get install libcpp-httplib-dev make
  Fedora          sudo dnf install cpp-httplib-devel make
  Alpine          sudo apk add cpp-httplib make
  Arch            sudo pacman -S cpp-httplib make
  macOS           xcode-select --install; brew install cpp-httplib"

echo "-- where Homebrew has nothing that is missing, it names no package of it"
complete
rm "$folder/bin/make"
expect 1 $install quickstart
is "the last line" "$(tail -n 1 <<< "$err")" "  macOS           xcode-select --install"

echo "-- on a bare system, it names everything"
system
expect 1 $install quickstart
is "the first line" "$(head -n 1 <<< "$err")" \
  "Missing: a C++17 compiler, CMake 3.24, make, pkg-config, libcurl, OpenSSL 3, nlohmann/json, cpp-httplib, CLI11, SQLite"

# apt_get SCRIPT: the system has apt-get, which writes its arguments to the file `calls`.
apt_get() {
  rm -f "$folder/calls"
  command_is apt-get "echo \"\$*\" >> '$folder/calls'; $1"
}

echo "-- a user who may not install packages is told to"
complete httplib.h
apt_get 'exit 0'
expect 1 $install quickstart # without sudo
command_is sudo 'exit 1'     # it asks for a password
expect 1 $install quickstart
grep -q '^  Debian, Ubuntu  sudo apt-get install libcpp-httplib-dev$' <<< "$err" || fail "$err"
[ ! -e "$folder/calls" ] || fail "apt-get was called: $(< "$folder/calls")"

echo "-- root, and a user whose sudo asks for no password, get the packages installed"
for user in root other; do
  complete httplib.h
  if [ $user = root ]; then command_is id 'echo 0'; else command_is sudo 'shift; exec "$@"'; fi
  apt_get "[ \$1 = update ] || printf '#!$bash\ncat > /dev/null\n' > '$folder/bin/c++'"
  expect 0 $install quickstart
  is "the output" "$out" "Installing libcpp-httplib-dev ..."
  is "the calls of apt-get" "$(< "$folder/calls")" "update
install --yes --no-install-recommends libcpp-httplib-dev"
done

echo "-- what apt-get says is shown where it fails, and then what to do"
complete httplib.h
command_is id 'echo 0'
apt_get 'echo "E: no network"; exit 100'
expect 1 $install quickstart
is "the first lines" "$(head -n 2 <<< "$err")" "E: no network
Missing: cpp-httplib"

echo "-- the quick start builds nothing where something is missing, and shows why a build fails"
complete httplib.h
expect 1 examples/quickstart.sh
grep -q '^Missing: cpp-httplib$' <<< "$err" || fail "$err"
[ ! -e build ] || fail "it began to build"
complete
# shellcheck disable=SC2016  # the command expands it
command_is cmake 'case $1 in --version) echo "cmake version 3.24.0" ;; *) echo "CMake Error: no"; exit 1 ;; esac'
expect 1 examples/quickstart.sh
is "the output" "$out" "Building; the first time takes about a minute..."
is "the error" "$err" "CMake Error: no"

echo "the scripts say what to do"
