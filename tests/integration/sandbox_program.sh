#!/usr/bin/env bash
# The sandbox program as a person uses it: start it, run the curl command that it prints, end it.
#   sandbox_program.sh SANDBOX
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "$server" 2> /dev/null || true; rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

mkfifo "$folder/output"
"$1" --port 0 --folder "$folder/files" > "$folder/output" &
server=$!
exec 3< "$folder/output"

command=
while IFS= read -r line <&3; do
  case "$line" in
    "curl "* | "  --"*) command+=${line%\\} ;;
    "One line"*) break ;;
  esac
done
[ -n "$command" ] || fail "no curl command was printed"

answer=$(eval "$command --silent --show-error")
head -n 1 <<< "$answer" | grep -q '204' || fail "not answered with 204: $answer"
grep -qi '^wechatpay-signature: ' <<< "$answer" || fail "the answer is not signed: $answer"

tampered=$(eval "${command/\"bonus_value\":30/\"bonus_value\":31} --silent --show-error")
grep -q SIGN_ERROR <<< "$tampered" || fail "a changed body was not refused: $tampered"

read -r _ <&3 # the empty line
IFS= read -r line <&3
grep -q '^204 POST /v3/marketing/membercard-open/cards/478515832665/.*Request-ID' <<< "$line" || fail "log line: $line"
IFS= read -r line <&3
grep -q '^401 POST .*SIGN_ERROR' <<< "$line" || fail "log line: $line"

for file in apiclient_key.pem apiclient_cert.pem apiclient_cert.p12 pub_key.pem ca.pem; do
  [ -s "$folder/files/$file" ] || fail "$file is missing"
done
[ "$(stat -c %a "$folder/files/apiclient_key.pem")" = 600 ] || fail "others can read the private key"

kill -TERM "$server"
IFS= read -r line <&3
[ "$line" = "1 orders committed" ] || fail "last line: $line"
wait "$server" || fail "exit status $?"

"$1" --port banana 2> /dev/null && fail "a port that is none was taken"
"$1" --help 2>&1 | grep -q usage: || fail "no usage"
echo "the sandbox program works"
