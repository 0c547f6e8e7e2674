#!/usr/bin/env bash
# The guide's consumer with a real Redis. It is killed with SIGKILL and started again, and must commit every entry.
#   redis_consumer.sh TOOL
set -euo pipefail
tool=$1
consumer=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/pipe" && pwd)/redis_consumer.py
source "$(dirname "${BASH_SOURCE[0]}")/with_sandbox.sh"
cd "$folder"
PATH=$(dirname "$tool"):/usr/bin:$PATH
socket=$folder/redis.sock
bound redis-server --port 0 --unixsocket "$socket" --save '' --dir "$folder" > redis.log &
redis=$!
trap 'stop; kill $redis; wait $redis || true; rm -rf "$folder"' EXIT
cli() { redis-cli -s "$socket" "$@"; }
until cli ping > /dev/null 2>&1; do kill -0 $redis || fail "$(< redis.log)"; done

# add FIRST LAST: adds the orders from FIRST to LAST to the stream.
add() {
  seq "$1" "$2" | sed 's/.*/XADD bonus * card_id 1 code 2 out_trade_no order-& mchid 1230000109 sub_mchid 1900000109 bonus_value 30/' |
    cli > /dev/null
}
consume() { bound /usr/bin/python3 "$consumer" "unix://$socket" "$1" 500 2> "errors.$1" & }
credited() { grep '^204 ' log | grep -o '"out_trade_no":"order-[0-9]*"' | sort -u | wc -l; }
settled() {
  [ "$(cli --raw xinfo groups bonus 2> /dev/null | sed -n '/^pending$/{n;p}')" = 0 ] &&
    [ "$(cli --raw xinfo groups bonus | sed -n '/^lag$/{n;p}')" = 0 ]
}

start --folder files
add 1 500
consume first
first=$!
for _ in $(seq 100); do IFS= read -r line <&3 && echo "$line" >> log; done
kill -KILL $first
wait $first 2> /dev/null || true
read_log
cli XADD bonus '*' id 1-1 card_id 1 bonus_value many > /dev/null
cli XADD bonus '*' code $'\xff' bonus_value ² name "$(printf '%070000d' 0)" > /dev/null
mkfifo acknowledgements
bound redis-cli -s "$socket" monitor 2> /dev/null > >(grep --line-buffered -e '^OK' -e '"XACK"' > acknowledgements) &
exec 4< acknowledgements
next_acknowledgement() { IFS= read -r -t 120 _ <&4 || fail "entries are left: $(cat errors.*)"; }
next_acknowledgement  # "OK": from now on, redis-cli shows all
consume second
second=$!
until settled; do
  next_acknowledgement
  while read -r -t 0 _ <&4; do next_acknowledgement; done
done
kill $second
wait $second || true
end
[ "$(credited)" = 500 ] || fail "$(credited) orders were committed: $(cat errors.*)"
[ "$(cli xlen bonus-dead)" = 2 ] || fail "the entries that are no orders are not among the dead"
echo "Redis: 500 entries were committed, and two that are no orders were put aside"
