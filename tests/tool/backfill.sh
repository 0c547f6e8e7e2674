#!/usr/bin/env bash
# A backfill as an operator runs it: it is killed, interrupted and refused, and its failures are fed in again.
#   backfill.sh TOOL
set -euo pipefail
tool=$1
source "$(dirname "${BASH_SOURCE[0]}")/with_sandbox.sh"
cd "$folder"

# orders FILE COUNT
orders() {
  { echo card_id,code,out_trade_no,mchid,sub_mchid,bonus_value
    seq -f "478515832665,478515832665,$1-%.0f,1230000109,1900000109,30" "$2"; } > "$1"
}
# read_lines COUNT: appends that many lines of the sandbox's output to the file `log`.
read_lines() {
  local line
  for _ in $(seq "$1"); do IFS= read -r line <&3 && echo "$line" >> log; done
}
# requests, served, committed NAME: of the orders with that prefix, the requests that were answered with 204, their
# number, and the number of different orders among them.
requests() { grep "^204 .*\"out_trade_no\":\"$1-" log; }
served() { requests "$1" | wc -l; }
committed() { requests "$1" | grep -o '"out_trade_no":"[^"]*"' | sort -u | wc -l; }

echo "-- killed half way, and started again: no order is lost, none repeated that was known to be credited"
orders killed.csv 1000
start
"$tool" backfill killed.csv 2> killed.err &
backfill=$!
read_lines 200
expect 2 "$tool" backfill killed.csv
says err 'is in use by another process'
kill -KILL $backfill
wait $backfill 2> /dev/null || true
read_log
expect 0 "$tool" backfill killed.csv
says err '^[0-9]* credited, 0 failed, [0-9]* credited by earlier runs$'
[ ! -e killed.csv.failed ] || fail "$(< killed.csv.failed)"
end
[ "$(committed killed.csv)" = 1000 ] || fail "$(committed killed.csv) orders were committed"
[ "$(served killed.csv)" -le 1064 ] || fail "$(served killed.csv) requests for 1000 orders, 64 at a time"

for signal in INT TERM HUP; do
  echo "-- interrupted by SIG$signal: commits in progress end, and nothing at all is repeated"
  orders $signal.csv 1000
  start
  "$tool" backfill $signal.csv 2> $signal.err &
  backfill=$!
  read_lines 200
  kill -$signal $backfill
  read_log
  status=0
  wait $backfill || status=$?
  [ $status = 130 ] || fail "exit status $status: $(< $signal.err)"
  grep -q '^[0-9]* credited, 0 failed' $signal.err || fail "$(< $signal.err)"
  grep -q '^Interrupted. Run the same command again' $signal.err || fail "$(< $signal.err)"
  if [ ! -e "$signal.csv.journal" ] || [ -e "$signal.csv.failed" ]; then fail "$(ls)"; fi
  expect 2 "$tool" backfill $signal.csv --origin https://127.0.0.1:1
  says err 'is about https://127.0.0.1:[0-9]*, not https://127.0.0.1:1:.*--journal'
  expect 0 "$tool" backfill $signal.csv
  end
  [ "$(committed $signal.csv)" = 1000 ] || fail "$(committed $signal.csv) orders were committed"
  [ "$(served $signal.csv)" = 1000 ] || fail "$(served $signal.csv) requests for 1000 orders"
done

echo "-- bad rows and failures, and what failed fed in again"
# The client does not count the first drop-after, which is on a reused connection.
printf '%s\n' 400 ok drop-after drop-after drop-after drop-after > script
start --script "$folder/script"
read_log
orders mixed.csv 4
sed -i '3s/30$/0/' mixed.csv
expect 3 "$tool" backfill mixed.csv --max-in-flight 1
says err '^line 3: bonus_value must be 1 or more'
says err '^out_trade_no mixed.csv-1: API error (outcome: refused)'
says err '^1 credited, 2 failed, 1 invalid row$'
says err '1 x 400 SYSTEM_ERROR (refused), first on line 2$'
says err '1 x connection closed (unknown), first on line 5$'
[ "$(cut -d '"' -f 1 mixed.csv.failed)" = "$(sed '1s/$/,error/; 2,$s/$/,/; 4d' mixed.csv)" ] || fail "$(< mixed.csv.failed)"
for file in mixed.csv.failed mixed.csv.journal; do
  [ "$(stat -c %a $file)" = 600 ] || fail "$file may be read by others: $(stat -c %a $file)"
done
grep -q '^478515832665,478515832665,mixed.csv-1,.*,30,"refused: ' mixed.csv.failed || fail "$(< mixed.csv.failed)"
grep -q '^478515832665,478515832665,mixed.csv-4,.*,30,"unknown: ' mixed.csv.failed || fail "$(< mixed.csv.failed)"
expect 1 "$tool" backfill mixed.csv
says err '^1 credited, 0 failed, 1 invalid row, 1 credited by earlier runs, 1 refused by earlier runs (--again'
[ "$(grep -c 'mixed.csv-[12],' mixed.csv.failed)" = 2 ] || fail "$(< mixed.csv.failed)"
[ "$(wc -l < mixed.csv.failed)" = 3 ] || fail "$(< mixed.csv.failed)"
sed -i 's/,0,/,30,/' mixed.csv.failed
cp mixed.csv.failed corrected.csv
expect 1 "$tool" backfill corrected.csv --max-in-flight 1
says err '^line [23]: was rejected by an earlier run: correct the row, then clear its error field'
sed -i 's/,"not an order: .*/,/' mixed.csv.failed
expect 0 "$tool" backfill mixed.csv.failed
says err '^2 credited, 0 failed$'
end
[ "$(committed mixed.csv)" = 4 ] || fail "$(committed mixed.csv) orders were committed"

echo "-- a wrong key stops it at once, and every order stays to be committed"
start --folder "$folder/files"
read_log
orders stopped.csv 500
openssl genrsa -out other.pem 2048 2> /dev/null
serial_no=$(openssl x509 -in "$WECHATPAY_CERT_FILE" -noout -serial)
expect 4 env -u WECHATPAY_CERT_FILE "$tool" backfill stopped.csv \
  --key-file other.pem --signing-mchid 1900000001 --serial-no "${serial_no#*=}"
says err '^out_trade_no stopped.csv-.*401.*private key'
says err '^Stopped: every further order would fail in the same way: 401 SIGN_ERROR (refused)$'
says err '^  [0-9]* x 401 SIGN_ERROR (refused), first on line 2$'
says err '^stopped.csv.failed has the rows that failed so far'
grep -q ',"refused: .*401' stopped.csv.failed || fail "$(< stopped.csv.failed)"
[ "$(grep -c '^401' log)" -le 64 ] || fail "$(grep -c '^401' log) requests with a wrong key"
expect 4 env -u WECHATPAY_CA_FILE "$tool" backfill stopped.csv
says err '^out_trade_no .*--ca-file'
says err '^Stopped: every further order would fail in the same way: TLS verification'
says err '^Part of the file was not processed. Run the same command again'
expect 0 "$tool" backfill stopped.csv
says err '^500 credited, 0 failed$'
[ ! -e stopped.csv.failed ] || fail "what failed was committed since"
end

echo "-- failures in a row stop it; what was refused is committed again if that is asked for"
printf '%s\n' 503 503 503 400 400 400 400 ok 400 ok 403 ok 400 > script  # the first order is refused temporarily
start --script "$folder/script"
read_log
orders row.csv 9
expect 4 "$tool" backfill row.csv --max-in-flight 1 --stop-after 5
says err '^Stopped: 5 failures in a row (--stop-after)'
[ "$(wc -l < row.csv.failed)" = 6 ] || fail "$(< row.csv.failed)"
expect 1 "$tool" backfill row.csv --max-in-flight 1 --stop-after 2
says err '^3 credited, 2 failed, 4 refused by earlier runs (--again'
expect 1 "$tool" backfill row.csv --max-in-flight 1
says err '^0 credited, 1 failed, 3 credited by earlier runs, 5 refused by earlier runs (--again'
expect 0 "$tool" backfill row.csv --again
says err '^6 credited, 0 failed, 3 credited by earlier runs$'
[ ! -e row.csv.failed ] || fail "$(< row.csv.failed)"

echo "-- a journal without room stops it, and loses no order"
orders full.csv 2000
status=0
(trap '' XFSZ; ulimit -f 400; LLVM_PROFILE_FILE=/dev/null exec "$tool" backfill full.csv 2> full.err) || status=$?
[ $status = 3 ] || fail "exit status $status: $(tail -n 3 full.err)"
[ "$(grep -c 'full.csv.journal: ' full.err)" = 1 ] || fail "$(grep 'journal: ' full.err)"
expect 0 "$tool" backfill full.csv
end
[ "$(committed full.csv)" = 2000 ] || fail "$(committed full.csv) orders were committed"

start --folder "$folder/files"
read_log
echo "-- interrupted before the first order: it says that it has sent nothing"
mkfifo waiting
"$tool" backfill - < waiting 2> waiting.err &
backfill=$!
exec 4> waiting
until [ "/proc/$backfill/exe" -ef "$tool" ] && grep -q '^SigCgt:.*[4-7c-f]...$' "/proc/$backfill/status"; do
  [ -e "/proc/$backfill/exe" ] || fail "$(< waiting.err)"
done
kill -TERM $backfill
status=0
wait $backfill || status=$?
exec 4>&-
[ $status = 130 ] || fail "exit status $status: $(< waiting.err)"
[ "$(< waiting.err)" = "Interrupted before the first order: nothing was sent." ] || fail "$(< waiting.err)"

echo "-- standard input, the rate, and files in the way"
orders piped.csv 6
begin=$(date +%s%N)
expect 0 "$tool" backfill - --rate 10 < piped.csv
[ $(($(date +%s%N) - begin)) -ge 500000000 ] || fail "6 requests at 10 a second took less than 0.5 s"
says err '^Standard input without --journal'
says err '^6 credited, 0 failed$'
expect 0 "$tool" backfill - --json < piped.csv
grep -q '"credited": 6,' <<< "$out" || fail "$out"
grep -q '"exit_status": 0' <<< "$out" || fail "$out"
[ "${out:0:1}${out: -1}" = '{}' ] || fail "more than a document on standard output: $out"
expect 0 "$tool" backfill - --journal piped.journal < piped.csv
expect 0 "$tool" backfill - --journal piped.journal < piped.csv
says err '^0 credited, 0 failed, 6 credited by earlier runs$'
expect 2 "$tool" backfill piped.csv --failed piped.csv
says err 'must be different files'
expect 2 "$tool" backfill piped.csv --failed same --journal same
says err 'must be different files'
expect 2 "$tool" backfill piped.csv --journal ./piped.csv
says err 'must be different files'
expect 2 "$tool" backfill piped.csv --journal script
says err 'script is not a journal'
expect 2 "$tool" backfill none.csv
says err '^none.csv: cannot be opened'
expect 2 "$tool" backfill none.csv --json
says out '"message": "none.csv: cannot be opened'
expect 2 "$tool" backfill piped.csv --failed ./piped.csv
expect 2 "$tool" backfill piped.csv --failed script
says err 'script exists and was not written by a backfill with this journal'
orders bad.csv 1
sed -i '2s/30$/0/' bad.csv
expect 4 "$tool" backfill bad.csv --failed none/failed
says err '^the file given as --failed (not shown here, since it may be a secret) cannot be written: the failed rows are in the journal'

echo "-- a bar on a terminal"
orders shown.csv 3
script --quiet --return --command "stty columns 90; '$tool' backfill shown.csv" /dev/null > shown.txt < /dev/null
grep -q '\[#*\] 100 %  3 done, 0 failed' shown.txt || fail "$(cat -v shown.txt)"
end
echo "the backfill works"
