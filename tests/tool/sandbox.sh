#!/usr/bin/env bash
# Tests the sandbox as a person uses it: starts it, runs the curl command that it prints, ends it.
#   sandbox.sh TOOL
set -euo pipefail
tool=$1
source "$(dirname "${BASH_SOURCE[0]}")/with_sandbox.sh"

start --folder "$folder/files"
[ -n "$command" ] || fail "no curl command was printed"

# Runs the command as printed. It must ignore the proxy variables of the environment.
answer=$(https_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 eval "$command --silent --show-error")
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

before=$(sha256sum "$folder"/files/*)
second() { # WORDS OPTION...: a second sandbox must print WORDS and change no file
  local words=$1 status=0
  shift
  "$tool" sandbox "$@" > /dev/null 2> "$folder/error" || status=$?
  [ $status = 2 ] || fail "$*: exit status $status"
  grep -q -e "$words" "$folder/error" || fail "$*: $(< "$folder/error")"
  [ "$(sha256sum "$folder"/files/*)" = "$before" ] || fail "$*: the files of the first sandbox were changed"
}
second 'in use by another sandbox' --folder "$folder/files" --port "${origin##*:}"
second 'in use by another sandbox' --folder "$folder/files" --port 0
second 'it is taken' --folder "$folder/second" --port "${origin##*:}"
second 'it is taken' --folder "$folder/third" --port 0 --backup-port "${origin##*:}"
second 'the page cannot listen' --page-port "${origin##*:}" --port 0
[ -z "$(ls -A "$folder/second")" ] || fail "files of a sandbox that did not start: $(ls -A "$folder/second")"

kill -TERM "$server"
IFS= read -r line <&3
[ "$line" = "1 order committed" ] || fail "last line: $line"
wait "$server" || fail "exit status $?"

# Another sandbox in the same folder replaces the certificates of the first. Keys that no sandbox made are kept. An empty
# line in the list of files names no file.
echo >> "$folder/files/.sandbox-files"
(cd "$folder" && bound "$tool" sandbox --port 0 --folder files) > "$folder/output" &
server=$!
while IFS= read -r line; do
  case "$line" in
    "merchant key"*) grep -q " $folder/files/apiclient_key.pem$" <<< "$line" || fail "no absolute path: $line" ;;
    "One line"*) break ;;
  esac
done < "$folder/output"
[ "$(find "$folder/files" -name 'wechatpay_*.pem' | wc -l)" = 1 ] || fail "old certificates: $(ls "$folder/files")"
kill -TERM "$server"
wait "$server" || true
mkdir "$folder/own"
echo mine > "$folder/own/apiclient_key.pem"
status=0
"$tool" sandbox --port 0 --folder "$folder/own" 2> "$folder/error" || status=$?
[ $status = 2 ] || fail "$status: $(< "$folder/error")"
grep -q 'no sandbox has made it' "$folder/error" || fail "$(< "$folder/error")"
[ "$(cat "$folder"/own/*)" = mine ] || fail "a key of others was overwritten"

"$tool" sandbox --help | grep -q 'drop-after ' || fail "the faults are not told"

# Without its page, it names none.
bound "$tool" sandbox --port 0 --no-page > "$folder/output" &
server=$!
while IFS= read -r line; do
  case "$line" in
    "Browser page"*) fail "$line" ;;
    "One line"*) break ;;
  esac
done < "$folder/output"
kill -TERM "$server"
wait "$server" || true

status() { eval "$1 --silent --output /dev/null --write-out '%{http_code}'" || true; }

printf 'drop-before\n429:7\nok\n' > "$folder/script"
start --script "$folder/script" --backup-port 0 --stage switching --tls-name pay.example
[ "$(status "$command")" = 000 ] || fail "the script's first fault"
[ "$(curl --silent --noproxy '*' --cacert "$WECHATPAY_CA_FILE" "$origin/v3/certificates" --output /dev/null \
  --write-out '%{http_code}' --connect-to "pay.example:443:${origin#https://}" https://pay.example/)" = 401404 ] ||
  fail "a request that is no commit, under each name"
answer=$(eval "$command --silent")
grep -q ' 429' <<< "$answer" || fail "the script's second fault: $answer"
grep -qi '^retry-after: 7' <<< "$answer" || fail "the script's second fault: $answer"
[ "$(status "$command")" = 204 ] || fail "the script's third line"
answer=$(eval "$command --silent")
grep -q 'nonce_str was used before' <<< "$answer" || fail "the same request once more: $answer"
order=(--card-id 478515832665 --code 478515832665 --out-trade-no 1217752501201407033233368018 --mchid 1230000109
  --sub-mchid 1900000109 --bonus-value 30)
expect 0 "$tool" commit "${order[@]}" --origin "$backup"
kill -TERM "$server"
grep -q '^1 order committed' <&3 || fail "main and backup do not share their orders"
wait "$server" || fail "exit status $?"

# The printed command works at each stage, also in a shell with an earlier sandbox's environment.
for stage in public-key switching certificates public-key; do
  start --stage "$stage"
  [ "$(status "$command")" = 204 ] || fail "the curl command that is printed at the stage $stage"
  expect 0 "$tool" commit "${order[@]}"
  kill -TERM "$server"
  wait "$server" || fail "exit status $?"
done

start --fault 503 --fault drop-before
[[ "$(status "$command")" = [05]0[03] ]] || fail "a fault for every request"
kill -TERM "$server"
wait "$server" || fail "exit status $?"

printf 'nonsense\n' > "$folder/script"
cd "$folder"
for wrong in "--port banana" "--fault nonsense" "--fault-rate 2" "--script none" "--script script" "--backup-port" "--stage new" "--x 1"; do
  status=0
  # shellcheck disable=SC2086  # option and value
  "$tool" sandbox $wrong > /dev/null 2> error || status=$?
  [ $status = 2 ] || fail "$wrong: exit status $status"
  grep -q -e "${wrong%% *}" error || fail "$wrong: $(< error)"
done
echo "the sandbox works"
