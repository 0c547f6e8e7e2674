#!/usr/bin/env bash
# Uses the library from outside, as a user's project does, in each supported way.
#   run.sh BUILD_FOLDER
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
vectors=$source/tests/vectors
fail() { echo "FAILED: $*" >&2; exit 1; }

# quietly COMMAND...: shows the output of the command only if it fails.
quietly() {
  "$@" > "$build/log" 2>&1 || { cat "$build/log" >&2; fail "$*"; }
}

# build NAME SOURCE [CMAKE ARGUMENT...]: with unity=ON, compiles several sources at once, as some projects do.
build() {
  local name=$1 from=$2
  shift 2
  quietly cmake -S "$from" -B "$build/$name" "-DCMAKE_UNITY_BUILD=${unity:-OFF}" "$@"
  quietly cmake --build "$build/$name" --parallel 2
}

# flags_of MODULE [FLAG...]: sets the array `flags`.
flags_of() {
  eval "flags=($(pkg-config --cflags --libs "$1"))" # parsed by the shell, because pkg-config escapes spaces
  flags+=("${@:2}")
}

# compile PROGRAM COMPILER [FLAG...]: compiles the consumer without CMake, and runs it.
compile() {
  local program=$build/$1
  shift
  quietly "$@" -Wall -Wextra "$source/tests/package/consumer.cpp" -o "$program" "${flags[@]}"
  quietly "$program" "$vectors"
}

echo "-- FetchContent: examples/fetch_content, from the local source"
build fetch_content "$source/examples/fetch_content" -DFETCHCONTENT_SOURCE_DIR_WECHATPAY_BONUS_COMMIT="$source"
status=0
message=$("$build/fetch_content/credit_points" /no/such/cert.pem key.pem pub_key.pem PUB_KEY_ID_1 2>&1) || status=$?
[ $status = 2 ] || fail "exit status $status"
grep -q '^/no/such/cert.pem: cannot be opened' <<< "$message" || fail "message: $message"

echo "-- add_subdirectory, and what comes in with the library, static and shared"
for shared in OFF ON; do
  unity=$shared build "leak_check_$shared" "$source/tests/package/leak_check" \
    -DWECHATPAY_SOURCE="$source" -DBUILD_SHARED_LIBS=$shared
  quietly "$build/leak_check_$shared/leak_check"
  quietly "$build/leak_check_$shared/consumer" "$vectors"
done

echo "-- with the bodies included into the user's sources"
build header_only "$source/tests/package/header_only" -DWECHATPAY_SOURCE="$source"
quietly "$build/header_only/header_only" "$vectors"
if nm --defined-only "$build/header_only/wechatpay_bonus_commit/libwechatpay_bonus_commit.a" 2> /dev/null |
  grep -q ' T .*BonusCommitClient6commit'; then fail "the bodies are compiled, too"; fi
if cmake -S "$source" -B "$build/header_only_shared" -DBUILD_SHARED_LIBS=ON -DWECHATPAY_BONUS_COMMIT_HEADER_ONLY=ON \
  > "$build/log" 2>&1; then fail "HEADER_ONLY goes with BUILD_SHARED_LIBS"; fi
grep -q 'exclude each' "$build/log" || fail "$(cat "$build/log")"

echo "-- the testing target, and an install from within a project with its own nlohmann/json"
build testing_support "$source/tests/package/testing_support" -DWECHATPAY_SOURCE="$source"
quietly "$build/testing_support/testing_support"
quietly "$build/testing_support/sandbox"
quietly cmake --install "$build/testing_support" --prefix "$build/prefix_testing_support"

echo "-- a plugin that has the static libraries in it, loaded and unloaded"
build plugin "$source/tests/package/plugin" -DWECHATPAY_SOURCE="$source"
quietly "$build/plugin/host" "$(find "$build/plugin" -maxdepth 1 -name 'libplugin.*')"

for as_subdirectories in OFF ON; do
  echo "-- a project with libcurl and OpenSSL as targets of its own: AS_SUBDIRECTORIES=$as_subdirectories"
  name=own_third_parties_$as_subdirectories
  options=(-DWECHATPAY_SOURCE="$source" "-DAS_SUBDIRECTORIES=$as_subdirectories")
  build "$name" "$source/tests/package/own_third_parties" "${options[@]}"
  quietly "$build/$name/consumer" "$vectors"
  for too_old in curl openssl; do
    quietly cmake -S "$source/tests/package/own_third_parties" -B "$build/${name}_$too_old" "${options[@]}" \
      -DTOO_OLD=$too_old
    if cmake --build "$build/${name}_$too_old" > "$build/log" 2>&1; then fail "an old $too_old is taken"; fi
    grep -qi "error.*wechatpay_bonus_commit needs \(lib\)\?$too_old .* or newer" "$build/log" || fail "$(cat "$build/log")"
  done
done
quietly cmake --install "$build/own_third_parties_OFF" --prefix "$build/prefix_own_third_parties"
build find_package_own_third_parties "$source/tests/package/find_package" \
  -DCMAKE_PREFIX_PATH="$build/prefix_own_third_parties"
quietly "$build/find_package_own_third_parties/consumer" "$vectors"

build library_OFF "$source" -G Ninja -DCMAKE_CXX_STANDARD=23 -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=/usr \
  -DWECHATPAY_BONUS_COMMIT_BUILD_TESTS=OFF
# Includes the examples, to check that they and the tool find everything they use in the shared library.
unity=ON build library_ON "$source" -DBUILD_SHARED_LIBS=ON
for shared in OFF ON; do
  echo "-- installed to a prefix and moved from there: BUILD_SHARED_LIBS=$shared"
  prefix=$build/prefix_$shared
  rm -rf "$prefix" "$build/installed"
  quietly cmake --install "$build/library_$shared" --prefix "$build/installed"
  mv "$build/installed" "$prefix"
  libraries=$(dirname "$(dirname "$(find "$prefix" -name wechatpay_bonus_commit.pc)")")
  if grep -rqE 'nlohmann|'"$build" "$libraries/cmake" "$libraries/pkgconfig"; then
    fail "what is installed names nlohmann/json, or the folder where it was built"
  fi

  rm -rf "$build/find_package_$shared"
  build "find_package_$shared" "$source/tests/package/find_package" -DCMAKE_PREFIX_PATH="$prefix" \
    "-DCOMPONENTS=testing;sandbox"
  quietly "$build/find_package_$shared/consumer" "$vectors"
  quietly "$build/find_package_$shared/testing_support"
  quietly "$build/find_package_$shared/sandbox"
  build "find_package_testing_$shared" "$source/tests/package/find_package" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCOMPONENTS=testing
  quietly "$build/find_package_testing_$shared/testing_support"
  rm -rf "$build/testing_your_code_$shared"
  build "testing_your_code_$shared" "$source/examples/testing_your_code" -DCMAKE_PREFIX_PATH="$prefix"
  quietly ctest --test-dir "$build/testing_your_code_$shared" --no-tests=error

  export PKG_CONFIG_PATH=$libraries/pkgconfig
  for module in "" _testing _sandbox; do quietly pkg-config --validate "wechatpay_bonus_commit$module"; done
  for program in testing_support=main sandbox=sandbox; do
    module=wechatpay_bonus_commit_${program%%=*}
    flags_of "${module%_support}"
    if [ "$program" = testing_support=main ] && [[ ${flags[*]} == *httplib* ]]; then fail "$module needs cpp-httplib"; fi
    quietly g++ -std=c++17 "$source/tests/package/testing_support/${program#*=}.cpp" \
      -o "$build/pkg_config_$program" "${flags[@]}" "-Wl,-rpath,$libraries"
    quietly "$build/pkg_config_$program"
  done
  flags_of wechatpay_bonus_commit "-Wl,-rpath,$libraries"
  compile "pkg_config_17_$shared" g++ -std=c++17
  compile "pkg_config_20_$shared" clang++ -std=c++20
  compile "pkg_config_23_$shared" g++ -std=c++23
done

echo "-- versions that find_package() takes"
version=$(pkg-config --modversion wechatpay_bonus_commit)
major=${version%%.*}
for wanted in "$version" "$major.0"; do
  quietly cmake -S "$source/tests/package/find_package" -B "$build/find_package_OFF" -DWANTED_VERSION="$wanted"
done
other_versions=("$version.1" "$((major + 1)).0")
[ "$major" = 0 ] || other_versions+=("$((major - 1)).9")
for wanted in "${other_versions[@]}"; do
  if cmake -S "$source/tests/package/find_package" -B "$build/find_package_OFF" -DWANTED_VERSION="$wanted" > "$build/log" 2>&1; then
    fail "version $version is taken for $wanted"
  fi
done

echo "-- what the shared library shows"
library=$libraries/libwechatpay_bonus_commit.so
soname=$(objdump -p "$library" | sed -n 's/^ *SONAME *//p')
[ "$soname" = "libwechatpay_bonus_commit.so.${version%.*}" ] || fail "soname $soname"
symbols=$(nm --dynamic --defined-only "$library" | sed 's/^[0-9a-f]* //')
if [ "$(uname -m)" = x86_64 ]; then
  diff "$source/tests/package/exported_symbols.txt" <(sed -n 's/^T //p' <<< "$symbols" | LC_ALL=C sort) ||
    fail "the functions that are exported (>) are not those of exported_symbols.txt (<)"
fi
# The weak symbols: types that cross the library boundary, and instantiations of standard library templates.
types='_ZT[ISV]N9wechatpay12bonus_commit[0-9]+v[0-9_]+(BadResultAccess|CurlTransport|EventLoop|Signer|Transport)E'
others=$(sed -n '/^T /!s/^. //p' <<< "$symbols" | grep -vxE "$types|_Z(T[ISV]|GV|Z)?(N[VK]*)?S[tabsiod].*" || true)
[ -z "$others" ] || fail "exported besides: $others"

echo "-- libc++"
unity=ON build library_libcxx "$source" -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-stdlib=libc++ \
  -DCMAKE_CXX_STANDARD=20 -DCMAKE_INSTALL_PREFIX="$build/prefix_libcxx" \
  -DWECHATPAY_BONUS_COMMIT_BUILD_TESTING_SUPPORT=OFF -DWECHATPAY_BONUS_COMMIT_BUILD_SANDBOX=OFF \
  -DWECHATPAY_BONUS_COMMIT_BUILD_TESTS=OFF -DWECHATPAY_BONUS_COMMIT_BUILD_TOOL=OFF \
  -DWECHATPAY_BONUS_COMMIT_BUILD_EXAMPLES=OFF
quietly cmake --install "$build/library_libcxx"
export PKG_CONFIG_PATH=$build/prefix_libcxx/lib/pkgconfig
flags_of wechatpay_bonus_commit
compile libcxx clang++ -std=c++17 -stdlib=libc++
# The sandbox uses cpp-httplib, which Debian builds only for libstdc++. The rest of the testing support does not use it.
testing=$source/src/testing
quietly clang++ -std=c++17 -stdlib=libc++ -I"$source" \
  "$testing"/{body_variants,captured,certificate_list,checks,client_fixture,fake_wechat_pay,nonce_memory,pki}.cpp \
  "$testing"/{recovered_signature,signature_explanation,signed_message}.cpp "$source/tests/package/testing_support/main.cpp" \
  -o "$build/libcxx_testing_support" "${flags[@]}"
quietly "$build/libcxx_testing_support"
unset PKG_CONFIG_PATH

echo "-- the lowest version of libcurl that is said to do"
quietly bash "$source/tests/package/lowest_curl.sh" "$build/curl_pages"

echo "-- the ports for vcpkg and Conan, as far as that goes without these"
ports=$source/cmake/packaging
quietly cmake -DSOURCE="$source" -DBUILD="$build/vcpkg" -P "$source/tests/package/vcpkg_port.cmake"
for recipe in conanfile.py test_package/conanfile.py; do
  quietly python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read())' "$ports/conan/all/$recipe"
done
for file in config.yml all/conandata.yml; do
  grep -q "^  \"$version\":" "$ports/conan/$file" || fail "conan/$file does not name version $version"
done
build conan_test_package "$ports/conan/all/test_package" -DCMAKE_PREFIX_PATH="$build/vcpkg/packages"
quietly "$build/conan_test_package/test_package"

if command -v dpkg > /dev/null && [ "$(id -u)" = 0 ]; then
  echo "-- Debian's packages, installed and removed again"
  rm -rf "$build/debian"
  quietly cpack --config "$build/library_OFF/CPackConfig.cmake" -B "$build/debian"
  packages=()
  for file in "$build"/debian/*.deb; do
    package=$(dpkg-deb --field "$file" Package)
    if dpkg --status "$package" > /dev/null 2>&1; then fail "$package is installed already: remove it first"; fi
    packages+=("$package")
  done
  trap 'dpkg --remove "${packages[@]}" > /dev/null 2>&1' EXIT
  quietly dpkg --install "$build"/debian/*.deb
  rm -rf "$build/find_package_debian"
  build find_package_debian "$source/tests/package/find_package" "-DCOMPONENTS=testing;sandbox"
  grep -q '^wechatpay_bonus_commit_DIR:PATH=/usr/lib/' "$build/find_package_debian/CMakeCache.txt" ||
    fail "what is found is not the installed package"
  quietly "$build/find_package_debian/consumer" "$vectors"
  quietly "$build/find_package_debian/testing_support"
  quietly "$build/find_package_debian/sandbox"
  flags_of wechatpay_bonus_commit
  compile pkg_config_debian g++ -std=c++17
  quietly wechatpay-bonus-commit sandbox --help
  for file in man/man1/wechatpay-bonus-commit{,-outbox,-pipe,-relay}.1.gz \
      bash-completion/completions/wechatpay-bonus-commit \
      zsh/vendor-completions/_wechatpay-bonus-commit fish/vendor_completions.d/wechatpay-bonus-commit.fish; do
    [ -s "/usr/share/$file" ] || fail "not installed: $file"
  done
  unit='/usr/lib/systemd/system/wechatpay-bonus-commit-relay@.service'
  [ -s "$unit" ] || fail "not installed: $unit"
  [ -z "$(find /etc/systemd -name 'wechatpay-bonus-commit*' 2> /dev/null)" ] || fail "the relay is enabled, which is its owner's to do"
else
  echo "-- Debian's packages: left out, since only root installs them"
fi
echo "the package tests passed"
