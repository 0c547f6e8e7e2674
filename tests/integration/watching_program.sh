#!/usr/bin/env bash
# The monitoring example: a log line for each try, and counters in the Prometheus format.
#   watching_program.sh WATCHING
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; cat "$folder/log" "$folder/metrics" >&2; exit 1; }

"$1" > "$folder/metrics" 2> "$folder/log" || fail "exit status $?"
# The answers to orders 1 to 4: ok; 503, ok; drop-after, 429:1, ok; 400.
[ "$(grep -c ' try=' "$folder/log")" = 7 ] || fail "not one line for each try"
grep -q '^out_trade_no=order-2 try=1 .*result=refused status=503 .*next="again in ' "$folder/log" || fail "order 2"
grep -q '^out_trade_no=order-3 try=1 .*result=unknown fault="connection closed"' "$folder/log" || fail "order 3"
grep -q '^out_trade_no=order-3 try=3 .*result=credited status=204 verified=yes .*tls_ms=.* next=end$' "$folder/log" ||
  fail "order 3's end"
grep -q 'reused=yes' "$folder/log" || fail "no connection was reused"
for line in 'calls_total{result="credited"} 3' 'calls_total{result="refused"} 1' 'call_seconds_count 4' \
            'call_seconds_bucket{le="+Inf"} 4'; do
  grep -qF "wechatpay_bonus_commit_$line" "$folder/metrics" || fail "$line"
done
[ "$(awk '/_tries_total\{/ { sum += $NF } END { print sum }' "$folder/metrics")" = 7 ] || fail "tries are miscounted"
grep -q 'Authorization\|PRIVATE' "$folder/log" "$folder/metrics" && fail "a secret"
echo "watching works"
