#!/usr/bin/env bash
# Inline code of two versions of the library in one program: each source file runs the version that it included.
#   two_versions.sh COMPILER INCLUDE_FOLDER
set -euo pipefail
compiler=$1
include=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

cp -R "$include" "$folder/other"
find "$folder/other" -name '*.hpp' -exec sed -i 's/inline namespace v[0-9_]* {/inline namespace v0_0_1 {/' {} +
sed -i 's/return "unknown";/return "not known";/' "$folder/other/wechatpay/bonus_commit/error.hpp"
for version in this other; do
  cat > "$folder/$version.cpp" << CODE
#include <wechatpay/bonus_commit/error.hpp>
std::string_view (*volatile text)(wechatpay::bonus_commit::Outcome) noexcept = wechatpay::bonus_commit::to_string;
std::string_view text_of_$version() { return text(wechatpay::bonus_commit::Outcome::unknown); }
CODE
done
sed -i 's/\*volatile text/*volatile other_text/; s/return text(/return other_text(/' "$folder/other.cpp"
cat > "$folder/main.cpp" << CODE
#include <string_view>
std::string_view text_of_this();
std::string_view text_of_other();
int main() { return text_of_this() == "unknown" && text_of_other() == "not known" ? 0 : 1; }
CODE
"$compiler" -std=c++17 -O0 -I "$include" -c "$folder/this.cpp" -o "$folder/this.o"
"$compiler" -std=c++17 -O0 -I "$folder/other" -c "$folder/other.cpp" -o "$folder/other.o"
"$compiler" -std=c++17 "$folder/main.cpp" "$folder/this.o" "$folder/other.o" -o "$folder/program"
"$folder/program" || fail "one version's code runs for the other's"
