#!/usr/bin/env bash
# Tests the tool's pipe as a message broker's consumer uses it: every message is answered exactly once, whatever
# happens.
#   pipe.sh TOOL
set -euo pipefail
tool=$1
source "$(dirname "${BASH_SOURCE[0]}")/with_sandbox.sh"
cd "$folder"

# messages FIRST LAST: prints one message for each number from FIRST to LAST. The number is the id.
messages() {
  seq "$1" "$2" | sed 's/.*/{"id":&,"card_id":"478515832665","code":"478515832665","out_trade_no":"order-&","mchid":"1230000109","sub_mchid":"1900000109","bonus_value":30}/'
}
ids() { sed -n "s/^{\"id\":\([^,]*\),\"result\":\"$1\".*/\1/p" "$2" | LC_ALL=C sort; }
committed() { grep '^204 ' log | grep -o '"out_trade_no":"order-[0-9]*"' | grep -o '[0-9]*' | LC_ALL=C sort -u; }

echo "-- each message is answered under its id"
start --folder files
read_log
{ messages 1 3; echo 'no JSON'; echo; echo '{"id":"消息","card_id":"1"}'; printf '%s' "$(messages 4 4)"; } > mixed
expect 0 "$tool" pipe --max-in-flight 2 < mixed
says err '^4 credited, 2 dead, 0 later$'
[ "$(ids credited out)" = "$(seq 4)" ] || fail "$out"
says out '^{"id":null,"result":"dead","error":{.*"line 4: is not a JSON object'
says out '^{"id":"消息","result":"dead","error":{.*"line 6: code '
end

echo "-- after SIGTERM, with more to read, every message that was taken is answered, and nothing else was committed"
: > log
start --folder files
mkfifo endless
"$tool" pipe < endless > answers 2> errors &
pipe=$!
{ messages 1 100000 || true; } > endless 2> /dev/null &
feeder=$!
for _ in $(seq 200); do IFS= read -r line <&3 && echo "$line" >> log; done
kill -TERM $pipe
read_log
status=0
wait $pipe || status=$?
[ $status = 0 ] || fail "exit status $status: $(< errors)"
wait $feeder || true
end
grep -q '^[0-9]* credited, 0 dead, 0 later$' errors || fail "$(< errors)"
[ "$(ids credited answers | wc -l)" -ge 200 ] || fail "$(< errors)"
[ "$(ids credited answers | wc -l)" -lt 100000 ] || fail "it read on after SIGTERM"
cmp <(ids credited answers) <(committed) || fail "answers and commits differ"

echo "-- wrong keys: what was taken comes back, and the run ends"
start --folder files
read_log
expect 2 env WECHATPAY_PUBLIC_KEY_ID=PUB_KEY_ID_0000000000000000000000000000000000 "$tool" pipe < mixed
says err '^Ended: '
says out '^{"id":1,"result":"later","pause_seconds":600,'
end

echo "All of the pipe's tests passed."
