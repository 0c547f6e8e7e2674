#!/usr/bin/env bash
# Each public data struct can be initialized by naming some of its members (C++20), without a warning about the others.
#   designated_initializers.sh COMPILER INCLUDE_FOLDER
set -euo pipefail
compiler=$1
include=$2
fail() { echo "FAILED: $*" >&2; exit 1; }

# initializers HEADER...: for each struct, an initializer that names only its first member, and one that names its last.
initializers() {
  awk '
    /^struct [A-Za-z]+ \{$/ { name = $2; first = last = ""; functions = 0 }
    name != "" && $0 ~ "^  (explicit )?" name "\\(" { functions = 1 }
    name != "" && /^  [^ \/].*\) (const |noexcept |override )*(\{|=|:)/ { functions = 1 }
    name != "" && !functions && /^  [A-Za-z][A-Za-z0-9_:<>*&(), ]* [a-z_]+( = .*|\{.*\})?;/ && !/^  (using|static) / {
      last = $0
      sub(/( = .*|\{.*\})?;.*/, "", last)
      sub(/.* /, "", last)
      if (first == "") first = last
    }
    name != "" && /^};$/ {
      if (first != "") print "inline const " name " " name "_first{." first " = {}};"
      if (last != first) print "inline const " name " " name "_last{." last " = {}};"
      name = ""
    }' "$@"
}

mapfile -t headers < <(find "$include/wechatpay" -name '*.hpp' ! -name coroutine.hpp ! -name json.hpp ! -path '*/impl/*' | sort)
code=$(
  for header in "${headers[@]}"; do echo "#include \"${header#"$include/"}\""; done
  echo "namespace wechatpay::bonus_commit { using namespace stages; using namespace testing;"
  initializers "${headers[@]}"
  echo "}"
)
for struct in BonusCommitRequest CommitReceipt Error ClientOptions CurlOptions TryEvent SandboxOptions; do
  grep -q "inline const $struct " <<< "$code" || fail "this test does not see $struct"
done
"$compiler" -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I "$include" -x c++ - <<< "$code" ||
  fail "an initializer does not compile without a warning"
