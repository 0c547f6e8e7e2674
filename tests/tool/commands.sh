#!/usr/bin/env bash
# Tests commit, check, doctor and completion as a person uses them.
#   commands.sh TOOL
set -euo pipefail
tool=$1
manual=$(dirname "${BASH_SOURCE[0]}")/../../src/tool/wechatpay-bonus-commit
source "$(dirname "${BASH_SOURCE[0]}")/with_sandbox.sh"
order=(--card-id 478515832665 --code 478515832665 --out-trade-no 1217 --mchid 1230000109 --sub-mchid 1900000109)

printf 'ok\n400\ndrop-after\ndrop-after\ndrop-after\n' > "$folder/script"
start --stage switching --folder "$folder/files" --script "$folder/script"
read_log

echo "-- commit: what became of it is the exit status"
expect 0 "$tool" commit "${order[@]}" --bonus-value 30
says out '^credited: 30 points for out_trade_no 1217, Request-ID .'
expect 1 "$tool" commit "${order[@]}" --bonus-value 30
says err '^API error (outcome: refused): .*400'
expect 3 "$tool" commit "${order[@]}" --bonus-value 30
says err '^transport failed (outcome: unknown): '
expect 0 "$tool" commit "${order[@]}" --bonus-value 30 --json
says out '"outcome": "credited"'
says out '"request_id": ".'
expect 2 "$tool" commit "${order[@]}" --bonus-value 0 --json
says out '"outcome": "not_sent"'
says out '"kind": "invalid_request"'
says out '"field": "/bonus_value"'
expect 4 "$tool" commit "${order[@]}" --bonus-value 30 --origin https://127.0.0.1:1
says err 'outcome: not sent'
expect 2 "$tool" commit "${order[@]}"
says err '--bonus-value is required'
for points in many 0x10 1e3 30.0; do
  expect 2 "$tool" commit "${order[@]}" --bonus-value $points
  says err '^--bonus-value: must be a whole number$'
done
expect 0 "$tool" commit "${order[@]}" --bonus-value 010
says out '^credited: 10 points'
expect 2 "$tool" commit "${order[@]}" --bonus-value 30 --merchant-mode all
expect 2 "$tool" commit "${order[@]}" --bonus-value 30 --key-file "$folder/none"
says err "$folder/none: cannot be opened"
expect 2 "$tool" commit "${order[@]}" --bonus-value 30 --ca-file "$folder/none"
says err '--ca-file'
expect 2 "$tool"
expect 2 "$tool" ''
says err '^argument 1 is not an option'
expect 2 "$tool" commit --card-id 1 --code '' --out-trade-no 3 --mchid '' --sub-mchid 5 --bonus-value 30 --json
says out '"field": "code"'
says out '"field": "/mchid"'
expect 2 "$tool" commit "${order[@]}" --code 2 --bonus-value 30
says err '^--code: At Most 1 required'
expect 0 env WECHATPAY_CARD_ID=1 WECHATPAY_CODE=2 WECHATPAY_OUT_TRADE_NO=3 WECHATPAY_BONUS_VALUE=30 \
  WECHATPAY_MCHID=1900000001 WECHATPAY_MERCHANT_MODE=direct "$tool" commit
says out 'out_trade_no 3'

expect 0 "$tool" commit "${order[@]}" --bonus-value 1
says out '^credited: 1 point for'

echo "-- what is mistyped is named, and corrected where it is near"
expect 2 "$tool" comit "${order[@]}" --bonus-value 30
says err '^there is no command comit; did you mean commit?$'
expect 2 "$tool" status
says err '^there is no command status$'
expect 2 "$tool" commit "${order[@]}" --bonus-valeu 30
says err '^commit has no option --bonus-valeu; did you mean --bonus-value?$'
expect 2 "$tool" commit --bonus-value 30
says err '^--code, --out-trade-no are required$'
expect 2 "$tool" backfill orders.csv --dry-run
# shellcheck disable=SC2016  # the back-quotes are in the text
says err '`check FILE`'
expect 2 "$tool" backfill orders.csv -n
# shellcheck disable=SC2016  # the back-quotes are in the text
says err '^there is no option -n: `check FILE`'
expect 2 "$tool" --json
says err '^--json must come after a command: give the command first$'
expect 2 "$tool" commit "${order[@]}" --bonus-value 30 secret-word
says err '^argument 14 is not an option'
grep -q secret-word <<< "$err" && fail "quoted: $err"

echo "-- a key in the place of its file's name is not quoted, wherever it stands"
key=$(< "$WECHATPAY_KEY_FILE")
not_quoted() { # COMMAND...: must fail with 2 without quoting a line of the key
  expect 2 "$@"
  if grep -qF "$(sed -n 2p "$WECHATPAY_KEY_FILE")" <<< "$out$err"; then fail "$err"; fi
}
for option in cert-file key-file p12-file passphrase-file public-key-file public-key-id platform-cert-file ca-file \
  proxy origin signing-mchid serial-no code merchant-mode bonus-value; do
  not_quoted "$tool" commit "${order[@]}" --bonus-value 30 --json --$option "$key"
  says err 'is the content of a key or certificate: give the name of its file'
  variable=${option//-/_}
  case $option in code | bonus-value) not_quoted env "WECHATPAY_${variable^^}=$key" "$tool" commit --json ;;
    *) not_quoted env "WECHATPAY_${variable^^}=$key" "$tool" commit "${order[@]}" --bonus-value 30 --json ;; esac
  says err "^WECHATPAY_${variable^^} is the content of a key or certificate"
done
for option in journal failed; do not_quoted "$tool" backfill orders.csv --$option "$key"; done
not_quoted "$tool" backfill "$key"
not_quoted "$tool" check "$key"
not_quoted "$tool" sandbox --folder "$key"
not_quoted "$tool" sandbox --script "$key"
not_quoted "$tool" completion "$key"
not_quoted "$tool" "$key"
not_quoted "$tool" commit "$key"
body=$(sed 1d "$WECHATPAY_KEY_FILE") # the key file without its first line
for option in cert-file key-file p12-file passphrase-file public-key-file platform-cert-file ca-file; do
  not_quoted "$tool" commit "${order[@]}" --bonus-value 30 --$option "$body"
  says err "^--$option: holds control characters"
done
for option in journal failed; do not_quoted "$tool" backfill orders.csv --$option "$body"; done
not_quoted "$tool" check "$body"

echo "-- a secret in the place of another argument is not quoted"
hidden() { # STATUS WORDS COMMAND...: must fail with STATUS, print WORDS, and not print Hunter2
  local words=$2 all
  expect "$1" "${@:3}"
  all=$out$err
  says all "$words"
  if grep -qi hunter2 <<< "$all"; then fail "quoted: $all"; fi
}
commit=("$tool" commit "${order[@]}" --bonus-value 30 --json)
long=Hunter2-and-more-than-the-32-characters
hidden 2 '^--mchid: must be the merchant id' "${commit[@]}" --mchid Hunter2
hidden 2 '^--sub-mchid: must be the merchant id' "${commit[@]}" --sub-mchid Hunter2
hidden 2 '^--mchid: must be the merchant id' "$tool" check orders.csv --mchid Hunter2
for option in card-id code out-trade-no; do
  hidden 2 "^--$option: must be at most 32 characters" "${commit[@]}" --$option $long
done
hidden 2 '^--bonus-value: must be a whole number$' "$tool" commit "${order[@]}" --bonus-value Hunter2
hidden 2 '^--merchant-mode: must be one of both, direct, partner$' "${commit[@]}" --merchant-mode Hunter2
hidden 2 '^argument 14 is not an option' "$tool" commit "${order[@]}" --bonus-value 1 -pHunter2
hidden 2 '^argument 1 is not an option' "$tool" -pHunter2
hidden 2 '^--json: the value is not valid' "${commit[@]}" --json=Hunter2
hidden 2 '--origin must be https://host' "${commit[@]}" --origin Hunter2
hidden 2 '--origin must be https://host' "${commit[@]}" --origin https://user:Hunter2@host
hidden 4 'proxy' "${commit[@]}" --proxy Hunter2.invalid
for option in max-in-flight rate stop-after; do
  hidden 2 "^--$option: must be a .*number, " "$tool" backfill orders.csv --$option Hunter2
done
hidden 2 '^--rate: must be a number, 0.001 to 1000000$' "$tool" backfill orders.csv --rate nan
for option in port backup-port fault-rate fault-seed; do
  hidden 2 "^--$option: must be a .*number, " "$tool" sandbox --$option Hunter2 --fault 429
done
hidden 2 '^--fault: must be one of the faults' "$tool" sandbox --fault Hunter2
hidden 2 '^SHELL: must be one of bash, zsh, fish$' "$tool" completion Hunter2
for command in "outbox status" relay; do
  # shellcheck disable=SC2086  # several words
  hidden 2 '^--database: contains a password, which other users can see in the process list' \
    "$tool" $command --database postgresql://user:Hunter2@127.0.0.1:1/name
  # shellcheck disable=SC2086
  hidden 2 '^--database: must begin with postgresql://' "$tool" $command --database Hunter2
done
echo postgresql://user:Hunter2@127.0.0.1:1/Hunter2 > "$folder/url"
hidden 2 '^database: ' "$tool" outbox status --database-file "$folder/url"
hidden 2 '^database: ' env WECHATPAY_DATABASE="$(< "$folder/url")" "$tool" outbox status
rm "$folder/url"
hidden 2 '^the database is missing' "$tool" outbox status
hidden 2 "^the database's URL must begin with postgresql://" env WECHATPAY_DATABASE=Hunter2 "$tool" outbox status
hidden 2 '^--database and --database-file cannot be used together$' \
  "$tool" outbox status --database postgresql:///name --database-file "$folder/Hunter2"
: > "$folder/empty"
for file in empty Hunter2; do
  hidden 2 '^the file of --database-file cannot be read, or is empty$' \
    "$tool" outbox status --database-file "$folder/$file"
done
rm "$folder/empty"
expect 2 "$tool" outbox retry --database postgresql:///name
says err 'needs one of --kind, --id and --all$'
expect 2 "$tool" outbox retry --all --kind refused --database postgresql:///name
says err 'needs one of --kind, --id and --all$'
expect 2 "$tool" outbox status --days 1 --json --database postgresql:///name
says err '^outbox status has no option --days$'
says out '"kind": "invalid_configuration"'
nowhere=postgresql://user@127.0.0.1:1/name
expect 1 "$tool" outbox doctor --database $nowhere
says out '^BAD   database '
expect 1 "$tool" outbox doctor --json --database $nowhere
says out '"wrong": 1,'
[ "${out:0:1}${out: -1}" = '{}' ] || fail "more than a document on standard output: $out"
echo Hunter2-secret > "$folder/pass.txt"
hidden 2 'its first line is not a header of orders$' "$tool" check "$folder/pass.txt" --json
rm "$folder/pass.txt"
for json in '' --json; do
  hidden 1 '--origin must be https://host' "$tool" doctor --origin https://user:Hunter2@host $json
done

echo "-- a number outside of its range is refused, and the range is told"
for given in 'backfill orders.csv --max-in-flight 0' 'backfill orders.csv --max-in-flight 1001' \
  'backfill orders.csv --rate 0.00099' 'backfill orders.csv --rate 1000001' 'pipe --max-in-flight 1001' \
  'relay --lease 2' 'relay --lease 721' 'relay --delay 301' 'outbox prune --days 36501' 'outbox dead --id 0' \
  'sandbox --port 65536' 'sandbox --fault 429 --fault-rate 1.001'; do
  read -ra words <<< "$given"
  expect 2 "$tool" "${words[@]}"
  says err "^${words[-2]}: must be a .*number, [0-9.]* \(to [0-9.]*\|or more\)$"
done

for given in 'sandbox --port 1x' 'sandbox --fault 429 --fault-rate' 'sandbox --fault 429 --fault-seed'; do
  read -ra words <<< "$given"
  [ "$given" = 'sandbox --port 1x' ] || words+=('')
  expect 2 "$tool" "${words[@]}"
  says err "^${words[-2]}: must be a .*number, "
done

echo "-- a relay and a pipe that cannot work say why, and end"
for command in "relay --database $nowhere" pipe; do
  # shellcheck disable=SC2086  # several words
  expect 2 env -u WECHATPAY_KEY_FILE "$tool" $command < /dev/null
  says err 'the merchant.s credentials are missing'
  # shellcheck disable=SC2086
  expect 2 env -u WECHATPAY_PUBLIC_KEY_ID "$tool" $command < /dev/null
  says err 'must be given together'
done
expect 2 "$tool" relay
says err '^the database is missing'
expect 2 "$tool" relay --database $nowhere --metrics 127.0.0.1
says err '^--metrics: must be a port, or an IP address, a colon and a port$'
expect 2 "$tool" relay --database $nowhere --metrics "${origin##*:}"
says err '^--metrics: cannot listen there: the port is in use'

echo "-- who asks"
mchid=1900000001
serial_no=$(openssl x509 -in "$WECHATPAY_CERT_FILE" -noout -serial)
expect 0 env -u WECHATPAY_CERT_FILE "$tool" commit "${order[@]}" --bonus-value 30 \
  --signing-mchid $mchid --serial-no "${serial_no#*=}"
expect 0 env -u WECHATPAY_CERT_FILE -u WECHATPAY_KEY_FILE "$tool" commit "${order[@]}" --bonus-value 30 \
  --p12-file "$folder/files/apiclient_cert.p12" --signing-mchid $mchid
printf '%s\r\n' $mchid > "$folder/passphrase"
expect 0 env -u WECHATPAY_CERT_FILE -u WECHATPAY_KEY_FILE "$tool" commit "${order[@]}" --bonus-value 30 \
  --p12-file "$folder/files/apiclient_cert.p12" --passphrase-file "$folder/passphrase"
for without in WECHATPAY_CERT_FILE WECHATPAY_KEY_FILE; do
  expect 2 env -u $without "$tool" commit "${order[@]}" --bonus-value 30 --p12-file "$folder/files/apiclient_cert.p12"
  says err ' --p12-file contains key and certificate: remove --key-file and --cert-file$'
done
expect 2 env -u WECHATPAY_CERT_FILE "$tool" commit "${order[@]}" --bonus-value 30
says err 'both --signing-mchid and --serial-no'
expect 2 env -u WECHATPAY_CERT_FILE "$tool" commit "${order[@]}" --bonus-value 30 --signing-mchid $mchid
says err 'both --signing-mchid and --serial-no'
expect 2 "$tool" commit "${order[@]}" --bonus-value 30 --serial-no AB --signing-mchid 999
says err ' --serial-no is read from the certificate: remove it, or remove --cert-file$'
expect 2 "$tool" commit "${order[@]}" --bonus-value 30 --signing-mchid $mchid
says err ' --signing-mchid is read from the certificate'
p12=(env -u WECHATPAY_CERT_FILE -u WECHATPAY_KEY_FILE "$tool" commit "${order[@]}" --bonus-value 30
  --p12-file "$folder/files/apiclient_cert.p12")
expect 2 "${p12[@]}"
says err ' --p12-file needs --signing-mchid (the default passphrase of WeChat Pay.s files) or --passphrase-file$'
expect 2 "${p12[@]}" --signing-mchid $mchid --serial-no AB
says err ' --serial-no is read from the certificate'
expect 2 "${p12[@]}" --signing-mchid $mchid --passphrase-file "$folder/passphrase"
says err ' --signing-mchid is used as the passphrase'
# passphrase CONTENT WORDS: for a passphrase file with CONTENT, the error must contain WORDS
passphrase() {
  printf '%b' "$1" > "$folder/passphrase"
  expect 2 "${p12[@]}" --passphrase-file "$folder/passphrase"
  says err "$2"
}
passphrase '\xEF\xBB\xBF1900000001\n' 'byte order mark'
passphrase '1900000001 \n' 'begins or ends with a blank$'
passphrase '1900000002\n' "$folder/files/apiclient_cert.p12"
grep -q blank <<< "$err" && fail "there is no blank: $err"
passphrase '1\0009\0000\000' 'is UTF-16'
passphrase '\xFF\xFE1900000001\n' 'is UTF-16'
passphrase '\n1900000001\n' 'empty first line'
passphrase '' 'cannot be read, or is empty'
passphrase "$(printf 'x%.0s' {1..4096})" 'has no line end within 4 KiB: it is not a passphrase file$'
cp "$WECHATPAY_KEY_FILE" "$folder/passphrase"
expect 2 "${p12[@]}" --passphrase-file "$folder/passphrase"
says err 'is a key or a certificate: give the file that contains the passphrase'
printf '%s\n' $mchid > "$folder/passphrase"
for mode in 640 604 600; do
  chmod $mode "$folder/passphrase"
  expect 0 "${p12[@]}" --passphrase-file "$folder/passphrase"
  [ $mode = 600 ] || says err '^warning: the file of --passphrase-file can be read by other users'
  [ $mode != 600 ] || [ -z "$err" ] || fail "$err"
done
expect 0 "${p12[@]}" --passphrase-file <(echo $mchid)
expect 0 "${p12[@]}" --passphrase-file <(printf %s $mchid)
expect 0 "${p12[@]}" --passphrase-file <(printf 19; printf '%s\n' 00000001)
mkfifo "$folder/fifo"
expect 2 timeout 60 "${p12[@]}" --passphrase-file "$folder/fifo"
says err 'cannot be read, or is empty'
echo $mchid > "$folder/fifo" &
expect 0 timeout 60 "${p12[@]}" --passphrase-file "$folder/fifo"
exec 5<> "$folder/fifo" # a writer that has it open and writes later
"${p12[@]}" --passphrase-file "$folder/fifo" > /dev/null 2> "$folder/err" &
waiting=$!
until [ "$(find "/proc/$waiting/fd" -lname "$folder/fifo" 2> /dev/null | wc -l)" = 2 ] &&
  grep -q '^State:.S' "/proc/$waiting/status"; do
  [ -e "/proc/$waiting/exe" ] || fail "it did not wait: $(< "$folder/err")"
done
echo $mchid >&5
wait $waiting || fail "exit status $?: $(< "$folder/err")"
exec 5>&-
rm "$folder/fifo"
expect 2 "${p12[@]}" --passphrase-file secret-word
grep -q secret-word <<< "$err" && fail "quoted: $err"
expect 2 env -u WECHATPAY_KEY_FILE "$tool" commit "${order[@]}" --bonus-value 30
says err 'the merchant.s credentials are missing'
expect 2 env -u WECHATPAY_PUBLIC_KEY_ID "$tool" commit "${order[@]}" --bonus-value 30
says err 'must be given together'
expect 2 env -u WECHATPAY_PUBLIC_KEY_ID -u WECHATPAY_PUBLIC_KEY_FILE -u WECHATPAY_PLATFORM_CERT_FILE \
  "$tool" commit "${order[@]}" --bonus-value 30
says err 'WeChat Pay.s key is missing'
expect 0 env -u WECHATPAY_PUBLIC_KEY_ID -u WECHATPAY_PUBLIC_KEY_FILE "$tool" commit "${order[@]}" --bonus-value 30 \
  --platform-cert-file "$(echo "$folder"/files/wechatpay_*.pem)"

echo "-- check"
printf 'card_id,code,out_trade_no,mchid,sub_mchid,bonus_value\n1,2,3,4,5,6\n1,2,3,4,5,6\n1,2,4,4,5,0\n1,2,3,4,5,7\n' \
  > "$folder/orders.csv"
expect 1 "$tool" check "$folder/orders.csv"
says out '^line 4: bonus_value must be 1 or more (given: 0)$'
says out '^line 5: out_trade_no 3 is on line 2 with bonus_value 6, here with 7'
says out '^1 order, 1 repeated, 2 invalid rows$'
expect 1 "$tool" check --json "$folder/orders.csv"
says out '{"line":4,"fault":"bonus_value must be 1 or more (given: 0)"}'
says out '"bad_rows": 2,'
[ "${out:0:1}${out: -1}" = '{}' ] || fail "more than a document on standard output: $out"
{ head -n 1 "$folder/orders.csv" && echo 1,2,1217752501201410000000000000,4,5,6; } > "$folder/rounded.csv"
expect 1 "$tool" check "$folder/rounded.csv"
says out '^line 2: warning: out_trade_no may have been rounded to 15 digits'
says out '^1 order, 0 repeated, 0 invalid rows, 1 possibly rounded order$'
expect 1 "$tool" check "$folder/rounded.csv" --json
says out '{"line":2,"warning":"out_trade_no may have been rounded to 15 digits'
says out '"doubtful_rows": 1$'
rm "$folder/rounded.csv"
expect 0 "$tool" check - --json < <(head -n 1 "$folder/orders.csv")
[ "$(tr -d ' \n' <<< "$out")" = '{"rows":[],"orders":0,"repeated":0,"bad_rows":0,"doubtful_rows":0}' ] || fail "$out"
expect 0 "$tool" check - <<< '{"card_id":"1","code":"2","out_trade_no":"3","mchid":"4","sub_mchid":"5","bonus_value":6}'
expect 2 "$tool" check "$folder/none"
[ "$(ls "$folder")" = "$(printf '%s\n' err files log orders.csv out output passphrase script)" ] || fail "$(ls "$folder")"

echo "-- an option that may be given several times leaves FILE to the command"
printf 'card_id,code,out_trade_no,mchid,sub_mchid,bonus_value\n' > "$folder/none.csv"
expect 0 "$tool" backfill --origin "$WECHATPAY_ORIGIN" "$folder/none.csv" --json
expect 0 "$tool" backfill "$folder/none.csv" --max-in-flight 1000 --rate 1000000 --stop-after 0 --json
expect 0 "$tool" backfill "$folder/none.csv" --max-in-flight 1 --rate 0.001 --json
certificate=$(echo "$folder"/files/wechatpay_*.pem)
without_key=(env -u WECHATPAY_PUBLIC_KEY_ID -u WECHATPAY_PUBLIC_KEY_FILE)
expect 0 "${without_key[@]}" "$tool" backfill --platform-cert-file "$certificate" "$folder/none.csv" --json
expect 0 "$tool" doctor --origin "$WECHATPAY_ORIGIN" --origin "$WECHATPAY_ORIGIN" --json
[ "$(grep -c '"step": "signed answer"' <<< "$out")" = 2 ] || fail "not both hosts: $out"
expect 0 "$tool" doctor --origin "$WECHATPAY_ORIGIN,$WECHATPAY_ORIGIN" --json
[ "$(grep -c '"step": "signed answer"' <<< "$out")" = 2 ] || fail "not both hosts: $out"
rm "$folder"/none.csv*

echo "-- doctor"
expect 0 "$tool" doctor
says out '^ok    merchant.s key  *merchant 1900000001, serial_no [0-9A-F]*$'
says out '^ok    its certificate  *the key belongs to it; valid until 20[0-9][0-9]-[01][0-9]-[0-3][0-9]$'
says out '^ok    TLS '
says out '^ok    clock  *[0-9] s'
says out '^ok    signed request '
says out '^ok    signed answer  *verified with PUB_KEY_ID_'
expect 0 "$tool" doctor --json
says out '"wrong": 0,'
says out '"step": "signed answer",'
[ "${out:0:1}${out: -1}" = '{}' ] || fail "more than a document on standard output: $out"
expect 0 env -u https_proxy -u ALL_PROXY HTTPS_PROXY=http://user:secret@127.0.0.1:1 all_proxy=http://127.0.0.1:1 \
  "$tool" doctor
says out '^look  environment  *set, and not used: HTTPS_PROXY, all_proxy; give --proxy'
grep -q secret <<< "$out" && fail "quoted: $out"
openssl genrsa -out "$folder/other.pem" 2048 2> /dev/null
expect 1 "$tool" doctor --key-file "$folder/other.pem"
says out "^BAD   merchant's key  *$folder/other.pem does not belong to $WECHATPAY_CERT_FILE"
says out 'The hosts are checked once'
openssl x509 -in "$WECHATPAY_CERT_FILE" -noout -pubkey > "$folder/own.pem"
for offline in '' --offline; do
  expect 1 "$tool" doctor --public-key-file "$folder/own.pem" $offline
  says out "^BAD   platform keys  *PUB_KEY_ID_.* is the merchant's own public key"
  says out '^Problems: 1;'
done
expect 1 "$tool" doctor --public-key-file "$WECHATPAY_CERT_FILE"
says out '^BAD   platform keys '
expect 1 env -u WECHATPAY_CERT_FILE "$tool" doctor --key-file "$folder/other.pem" \
  --signing-mchid $mchid --serial-no "${serial_no#*=}"
says out '^  ?   its certificate'
says out '^BAD   signed request .*401'
name=$(printf 'x%.0s' {1..64}).invalid # the resolver refuses it without a query: a label has at most 63 characters
expect 1 "$tool" doctor --origin "https://$name"
says out "^BAD   name lookup .*$name"
expect 1 "$tool" doctor --proxy "http://$name:3128"
says out "^BAD   proxy's name lookup "
expect 1 "$tool" doctor --origin https://127.0.0.1:1
says out '^BAD   connection '
expect 1 env -u WECHATPAY_CA_FILE "$tool" doctor
says out '^ok    connection '
says out '^BAD   TLS .*--ca-file'
expect 1 "$tool" doctor --ca-file "$folder/none"
says out '^BAD   network options .*--ca-file'
chmod 640 "$folder/passphrase"
expect 0 "$tool" doctor --offline --passphrase-file "$folder/passphrase"
says out '^look  merchant.s files  *the file of --passphrase-file can be read by other users'
chmod 600 "$folder/passphrase"
expect 1 "$tool" doctor --offline --passphrase-file "$folder/none"
says out "^BAD   merchant's key  *the file of --passphrase-file cannot be read"
grep -q "^look  merchant's files" <<< "$out" && fail "$out"
expect 1 "$tool" doctor --json --key-file "$folder/other.pem"
says out '"wrong": 1,'
[ "${out:0:1}${out: -1}" = '{}' ] || fail "more than a document on standard output: $out"
expect 0 env -u https_proxy -u ALL_PROXY -u all_proxy HTTPS_PROXY= "$tool" doctor --offline
grep -q '^look  environment' <<< "$out" && fail "an empty variable is not set: $out"
expect 0 "$tool" doctor --offline --origin https://name.invalid
grep -q 'name lookup' <<< "$out" && fail "sent something: $out"
end
printf '%s\n' stale-timestamp unsigned 403 400 400 400 500 429 html > "$folder/script"
start --folder "$folder/files" --script "$folder/script"
read_log
expect 1 "$tool" doctor
says out '^BAD   clock  *-*[56][0-9][0-9] s '
expect 1 "$tool" doctor
says out '^BAD   signed answer '
expect 1 "$tool" doctor
says out '^BAD   permission .*403'
expect 0 "$tool" doctor
says out '^ok    signed request  *accepted: refused with 400'
says out '^ok    signed answer  *verified$'
expect 1 "$tool" doctor --public-key-id PUB_KEY_ID_0100000000000000000000000000
says out '^  ?   signed request  *answered 400'
says out '^BAD   signed answer .*serial unknown'
openssl rsa -in "$folder/other.pem" -pubout -out "$folder/wrong_pub.pem" 2> /dev/null
expect 1 "$tool" doctor --public-key-file "$folder/wrong_pub.pem"
says out '^BAD   signed answer .*signature mismatch'
expect 1 "$tool" doctor
says out '^  ?   signed request .*500'
says out '^No problem found, but not every step could be checked.$'
expect 1 "$tool" doctor
says out '^  ?   signed request .*429.*too many requests'
expect 1 "$tool" doctor
says out '^BAD   answer .*502'

echo "-- output that is lost is an error"
# lost STATUS COMMAND...: runs it with a standard output that cannot be written
lost() {
  local wanted=$1 status=0
  shift
  "$@" > /dev/full 2> "$folder/err" || status=$?
  [ "$status" = "$wanted" ] || fail "$*: exit status $status instead of $wanted"
  err=$(< "$folder/err")
  says err '^standard output cannot be written'
}
head -n 2 "$folder/orders.csv" > "$folder/lost.csv"
for json in '' --json; do
  lost 2 "$tool" check "$folder/lost.csv" $json
  lost 2 "$tool" doctor --offline $json
done
lost 0 "$tool" commit "${order[@]}" --bonus-value 30
lost 3 "$tool" commit "${order[@]}" --bonus-value 30 --json
lost 4 "$tool" backfill "$folder/lost.csv" --json
head -n 4 "$folder/orders.csv" > "$folder/lost.csv" # the last row is invalid
lost 1 "$tool" backfill "$folder/lost.csv" --json
lost 2 "$tool" completion bash
rm "$folder"/lost.csv*

echo "-- with its standard descriptors closed, it does its work"
"$tool" commit "${order[@]}" --bonus-value 30 <&- >&- 2>&- || fail "exit status $?"

echo "-- completion, and the manual pages have all that it offers"
expect 0 "$tool" completion bash
source /dev/stdin <<< "$out"
complete_words() { # WORD...: prints what bash would offer for the last word
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _wechatpay_bonus_commit
  echo "${COMPREPLY[*]}"
}
[ "$(complete_words wechatpay-bonus-commit "do")" = doctor ] || fail "commands"
[ "$(complete_words wechatpay-bonus-commit backfill --max)" = --max-in-flight ] || fail "options"
[ "$(complete_words wechatpay-bonus-commit commit --merchant-mode d)" = direct ] || fail "modes"
[ "$(complete_words wechatpay-bonus-commit sandbox --stage s)" = switching ] || fail "stages"
[ "$(complete_words wechatpay-bonus-commit outbox --kind r)" = refused ] || fail "kinds"
[ "$(complete_words wechatpay-bonus-commit commit --key-file "$folder/oth")" = "$folder/other.pem" ] || fail "files"
[ "$(complete_words wechatpay-bonus-commit backfill "$folder/orders")" = "$folder/orders.csv" ] || fail "orders"
echo > "$folder/with blanks"
COMP_WORDS=(wechatpay-bonus-commit backfill "$folder/with") COMP_CWORD=2 COMPREPLY=()
_wechatpay_bonus_commit
[ "${#COMPREPLY[@]}" = 1 ] || fail "a name with blanks: ${COMPREPLY[*]}"
[ -z "$(complete_words wechatpay-bonus-commit commit --code "$folder/oth")" ] || fail "a file for what is none"
for shell in zsh fish; do
  expect 0 "$tool" completion $shell
  case $shell in
    zsh) says out '^#compdef' ;;
    fish) says out '-l max-in-flight' ;;
  esac
  script=$out
  for given in 'commit --merchant-mode' 'sandbox --stage' 'outbox status --kind'; do
    read -ra words <<< "$given"
    option=${words[-1]}
    offered=$(complete_words wechatpay-bonus-commit "${words[@]}" '')
    case $shell in
      zsh) wanted="'$option\[.*\]:word:($offered)'" ;;
      fish) wanted="-l ${option#--} -x -a '$offered' " ;;
    esac
    grep -q -e "$wanted" <<< "$script" || fail "$shell offers no words for $option"
    expect 2 "$tool" "${words[@]}" none
    says err "^$option: must be one of ${offered// /, }$"
  done
done
expect 2 "$tool" completion tcsh
for command in commit backfill pipe check doctor explain outbox relay sandbox completion; do
  grep -q "^\.SS $command" "$manual.1" || fail "the manual page has no $command"
  pages=("$manual.1")
  # These commands have their own page, which refers to other pages for common options.
  case $command in
    outbox | pipe) pages+=("$manual-$command.1") ;;
    relay) pages+=("$manual-relay.1" "$manual-outbox.1") ;;
  esac
  for option in $(complete_words wechatpay-bonus-commit $command -); do
    grep -q -e "^\.BI\? ${option//-/\\\\-}\b" "${pages[@]}" || fail "the manual pages have no $option of $command"
  done
done
echo "the commands work"
