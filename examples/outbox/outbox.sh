#!/usr/bin/env bash
# A merchant with its own database: orders go from its transaction through two relays until WeChat Pay answers 204. One
# relay is killed. The database and the sandbox run in a temporary folder and end with this script.
#   outbox.sh BUILD_FOLDER     where the project is built, with PostgreSQL's server in /usr/lib/postgresql
set -euo pipefail
build=$(cd "$1" && pwd)
tool=$build/src/tool/wechatpay-bonus-commit
unset "${!WECHATPAY@}" "${!PG@}"
programs=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
folder=$(mktemp -d /tmp/outbox-XXXXXX) # short, for the socket's path
processes=()
# shellcheck disable=SC2329  # the trap calls it
clean_up() {
  [ ${#processes[@]} = 0 ] || kill "${processes[@]}" 2> /dev/null || true
  [ ! -e "$folder/data/postmaster.pid" ] || kill -QUIT "$(head -n 1 "$folder/data/postmaster.pid")" || true
  wait
  rm -rf "$folder"
}
trap clean_up EXIT

# PostgreSQL refuses to run as root.
as_user=()
if [ "$(id -u)" = 0 ]; then
  as_user=(setpriv --reuid nobody --regid nogroup --clear-groups --)
  chown nobody:nogroup "$folder"
fi

# until_so COMMAND...: repeats the command until it succeeds, for at most two minutes.
until_so() {
  local tries=0
  until "$@" > /dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -ge 600 ]; then
      echo "waited in vain for: $*" >&2
      cat "$folder"/*.log >&2
      exit 1
    fi
    sleep 0.2
  done
}
sql() { "$programs/psql" --no-psqlrc --quiet --tuples-only --no-align --dbname "$url" --command "$1"; }

echo "== A PostgreSQL, and WeChat Pay's sandbox"
"${as_user[@]}" "$programs/initdb" --pgdata "$folder/data" --username shop --auth trust --no-sync > "$folder/initdb.log"
"${as_user[@]}" "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= > "$folder/postgres.log" 2>&1 &
url="postgresql:///postgres?host=$folder&user=shop"
until_so sql 'SELECT 1'
"$tool" sandbox --port 0 --folder "$folder/sandbox" > "$folder/sandbox.log" &
processes+=($!)
until_so grep -q '^export' "$folder/sandbox.log"
eval "$(sed -n '/^export/,/[^\\]$/p' "$folder/sandbox.log")"

echo "== The outbox's tables beside the merchant's own"
export WECHATPAY_DATABASE=$url
"$tool" outbox install
sql "CREATE TABLE members (card_code text PRIMARY KEY, points bigint NOT NULL);
  INSERT INTO members VALUES ('478515832665', 0)"

echo "== The merchant credits 30 points, and orders their commit in the same transaction"
"$build/examples/credit_points" "$url" 1 1
sql "SELECT 'waiting: ' || out_trade_no || ', ' || bonus_value || ' points' FROM wechatpay_bonus_outbox"

echo "== A relay commits it: WeChat Pay answers 204"
relay() {
  "$tool" relay --lease 3 --max-in-flight 8 --rate 100 2>> "$folder/relay.log" &
  processes+=($!)
}
# rows SUFFIX CONDITION: whether the number of rows in that table fulfils the condition.
rows() { [ "$(sql "SELECT count(*) $2 FROM wechatpay_bonus_outbox$1")" = t ]; }
relay
until_so rows _done "= 1"
sql "SELECT 'credited: ' || out_trade_no || ', Request-ID ' || request_id FROM wechatpay_bonus_outbox_done"

echo "== 500 more orders, and a second relay; the first one is killed in the middle"
"$build/examples/credit_points" "$url" 2 501
relay
until_so rows _done "> 20"
kill -KILL "${processes[1]}"
wait "${processes[1]}" 2> /dev/null || true
"$tool" outbox status
until_so rows '' '= 0'
"$tool" outbox status

echo "== Each order is credited, and no other"
orders=$(sql "SELECT count(DISTINCT out_trade_no) FROM wechatpay_bonus_outbox_done")
points=$(sql "SELECT points FROM members")
committed=$(grep '^204 ' "$folder/sandbox.log" | grep -o '"out_trade_no":"[^"]*"' | sort -u | wc -l)
calls=$(grep -c '^204 ' "$folder/sandbox.log")
echo "$points points credited in the database, $orders orders done, $committed orders at WeChat Pay, in $calls calls"
[ "$points $orders $committed" = "15030 501 501" ]
kill "${processes[2]}"
wait "${processes[2]}"
