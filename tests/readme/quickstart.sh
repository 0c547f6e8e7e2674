#!/usr/bin/env bash
# Runs the commands of the README's quick start as they stand there, one after the other. The sandbox stands in for
# WeChat Pay. Nothing is downloaded or built: the clone is a folder of links to the source, and the build that the first
# command asks for is the one that is given.
#   quickstart.sh SOURCE_FOLDER BUILD_FOLDER TOOL
set -euo pipefail
source_folder=$1 build_folder=$2 tool=$3
source "$(dirname "${BASH_SOURCE[0]}")/../tool/with_sandbox.sh"

# The lines of the shell snippets below the heading.
commands=$(awk '/^## / { on = $0 == "## Quick start" }
  on && /^```(sh|bash)$/ { code = 1; next }
  /^```$/ { code = 0 }
  on && code' "$source_folder/README.md")
for line in 'git clone ' 'bash examples/quickstart.sh' 'bash tests/run.sh' 'wechatpay-bonus-commit doctor' \
  'wechatpay-bonus-commit commit '; do
  grep -q "^$line" <<< "$commands" || fail "the quick start has no line '$line': $commands"
done
# CI runs the tests by the same line.
commands=$(grep -vxF -e "$(grep '^bash ' "$source_folder/.ci/run")" <<< "$commands")

start --folder "$folder/files"
# What a reader puts in: the account, the key's id, and the values of an order.
commands=$(sed -e "s/PUB_KEY_ID_[0-9]\{1,\}/$WECHATPAY_PUBLIC_KEY_ID/; s/\bOWNER\b/somebody/; s/\bMCHID\b/1900000001/" \
  -e 's/\bCARD_ID\b/478515832665/; s/\bCODE\b/478515832665/; s/\bORDER_NUMBER\b/1217/; s/\bPOINTS\b/30/' <<< "$commands")
unset WECHATPAY_CERT_FILE WECHATPAY_KEY_FILE WECHATPAY_PUBLIC_KEY_FILE WECHATPAY_PUBLIC_KEY_ID \
  WECHATPAY_PLATFORM_CERT_FILE

# The commands find these functions instead of the programs. They also find the merchant's files in the clone.
git() {
  [ "$1 $#" = "clone 2" ] || fail "git $*"
  local clone
  clone=$(basename "$2" .git)
  mkdir "$clone"
  ln -s "$source_folder"/* "$folder"/files/* "$clone"
  rm -f "$clone/build"
  mkdir -p "$clone/build/quickstart"
  ln -s "$build_folder/examples" "$build_folder/src" "$clone/build/quickstart"
}
cmake() {
  local argument
  [ "$1" != --version ] || { command cmake --version; return; }
  for argument; do
    case $argument in
      -DWECHATPAY_*=*) # an option of the project
        argument=${argument#-D}
        grep -q "option(${argument%%=*} " CMakeLists.txt || fail "there is no option ${argument%%=*}" ;;
    esac
  done
}
export -f fail git cmake
export source_folder build_folder folder

status=0
(cd "$folder" && bash -euo pipefail -c "$commands") > "$folder/out" 2> "$folder/err" || status=$?
out=$(< "$folder/out") err=$(< "$folder/err")
[ $status = 0 ] || fail "exit status $status: $out $err"
says out '^The sandbox plays WeChat Pay at https://127.0.0.1:'
says out '^     status 204, Wechatpay-Serial PUB_KEY_ID_'
says out '^ok    signed answer  *verified with PUB_KEY_ID_'
says out '^credited: 30 points for out_trade_no 1217, Request-ID .'
echo "the quick start works"
