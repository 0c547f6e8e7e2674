#!/usr/bin/env bash
# Tests explain as a person uses it, with requests and answers of a sandbox.
#   explain.sh TOOL
set -euo pipefail
tool=$1
source "$(dirname "${BASH_SOURCE[0]}")/with_sandbox.sh"

start --folder "$folder/files" --script <(printf 'ok\n400\n')
authorization=$(grep -o "WECHATPAY2[^']*" <<< "$command" | head -n 1)
body=$(sed -n "s/.*--data '\(.*\)'.*/\1/p" <<< "$command")
path=$(grep -o '/v3/[^'"'"']*' <<< "$command" | head -n 1)
[[ $authorization =~ timestamp=\"([0-9]+)\" ]] && timestamp=${BASH_REMATCH[1]}
[[ $authorization =~ nonce_str=\"([^\"]+)\" ]] && nonce=${BASH_REMATCH[1]}
[[ $authorization =~ serial_no=\"([^\"]+)\" ]] && serial_no=${BASH_REMATCH[1]}
[[ $authorization =~ signature=\"([^\"]+)\" ]] && signature=${BASH_REMATCH[1]}

# explained STATUS AUTHORIZATION BODY ARGUMENT...: runs explain with arguments
explained() { expect "$1" "$tool" explain --url "${url:-$path}" --authorization "$2" --body "$3" "${@:4}"; }

# signed KEY MESSAGE: prints the Authorization value, with openssl's signature of that message
signed() { echo "${authorization/"$signature"/$(openssl dgst -sha256 -sign "$1" <<< "$2" | openssl base64 -A)}"; }

echo "-- arguments"
explained 0 "$authorization" "$body"
says out '^The signature matches\.$'
says out "^  $timestamp\\\\n$"
says out '^The message to be signed, [0-9]* bytes:$'
url=$origin$path explained 0 "$authorization" "$body"
explained 1 "$authorization" '{}'
says out '^Key and scheme are right, but another message was signed'
explained 1 "$authorization" "$body " --json
says out '"matches": false'
says out '"explanation": "The client sent blanks'
explained 1 "$authorization" "$body" --method GET
says out 'another method than it sent'
message=$(printf 'POST\n%s\n%s\n%s\n%s' "$path" "$timestamp" "$nonce" "$body")
explained 0 "$(signed "$WECHATPAY_KEY_FILE" "$message")" "$body"
url=$origin$path explained 1 "$(signed "$WECHATPAY_KEY_FILE" "${message/\/v3/$origin/v3}")" "$body"
says out '^The client signed the URL with its host'
openssl genrsa -out "$folder/another.pem" 2048 2> /dev/null
another=$(signed "$folder/another.pem" "$message")
explained 1 "$another" "$body"
says out '^The request is signed with another private key'
explained 1 "$another" "$body" --other-key-file "$folder/another.pem"
says out "^The request is signed with the key of $folder/another.pem: "
explained 1 "${authorization/mchid=\"/mchid=\"0}" "$body"
says out "^Authorization: mchid is not the mchid in the subject of the merchant's certificate"
explained 1 "${authorization/mchid=/none=}" "$body"
says out '^Authorization: mchid is missing'
openssl req -x509 -newkey rsa:3072 -nodes -days 1 -subj /CN=1900000001 -set_serial 7 \
  -keyout "$folder/larger.key" -out "$folder/larger.pem" 2> /dev/null
larger=$(signed "$folder/larger.key" "$message")
larger=${larger/"$serial_no"/07}
explained 0 "$larger" "$body" --cert-file "$folder/larger.pem"
explained 1 "$larger" "" --cert-file "$folder/larger.pem"
explained 1 "${authorization/serial_no=\"/serial_no=\"0}" "$body"
says out 'serial_no is not a serial number of this merchant'

echo "-- a captured request"
capture() { printf 'POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\n\r\n%s' "$path" "${origin#*//}" "$authorization" "$1"; }
capture "$body" > "$folder/request"
expect 0 "$tool" explain "$folder/request"
tr -d '\r' < "$folder/request" | sed "1s|/v3|$origin/v3|" > "$folder/with_url"
expect 0 "$tool" explain - < "$folder/with_url"
printf '%s\n' "$body" > "$folder/body"
expect 1 "$tool" explain "$folder/request" --body-file "$folder/body"
says out 'The signature matches the body without the line break at its end'
capture "$body
" > "$folder/ended"
expect 1 "$tool" explain "$folder/ended"
says out 'The signature matches the body without the line break at its end'
explained 1 "$another" "$body
"
says out '^The message to be signed, '$((${#message} + 2))' bytes'
url=$origin$path explained 1 "$(signed "$WECHATPAY_KEY_FILE" "${message/\/v3/$origin/v3}")" "$body
"
says out '^The client signed the URL with its host[^.]*\.$'
sed "s/^Host:/Content-Length: $((${#body} + 1))\r\nHost:/" "$folder/ended" > "$folder/sent_so"
expect 1 "$tool" explain "$folder/sent_so"
says out '^The client sent a line break at the body.s end that it did not sign'
printf 'POST\n%s\n%s\n%s\n%s\n' "$path" "$timestamp" "$nonce" "{}" > "$folder/signed"
expect 1 "$tool" explain "$folder/request" --signed-message "$folder/signed"
says out 'They differ in line 5 (the body), from byte 2 on'
explained 1 "$authorization" '{"a":1}' --signed-message "$folder/signed"
says out '^Key and scheme are right, but another message was signed.* They differ in line 5 (the body), from byte 2 on'
printf '%s\n' "$message" > "$folder/signed"
expect 0 "$tool" explain "$folder/request" --signed-message "$folder/signed"

echo "-- a captured answer"
eval "$command --silent" > "$folder/answer"
expect 0 "$tool" explain "$folder/answer"
says out '^The signature matches'
printf '\n' >> "$folder/answer"
expect 1 "$tool" explain "$folder/answer"
says out '^The signature matches the body without the line break at its end'
eval "$command --silent" > "$folder/answer"
for interim in 'HTTP/1.1 100 Continue\r\n\r\n' 'HTTP/1.1 200 Connection established\r\nContent-Length: 0\r\n\r\n' \
  'HTTP/1.0 200 OK\n\n\nHTTP/1.1 100 Continue\n\n'; do
  { printf %b "$interim" && cat "$folder/answer"; } > "$folder/after_others"
  expect 0 "$tool" explain "$folder/after_others"
done
expect 0 "$tool" explain "$folder/answer"
sed 's/","/", "/' "$folder/answer" | grep -vi '^content-length' > "$folder/changed"
expect 1 "$tool" explain "$folder/changed"
says out '^The body is not the text that WeChat Pay signed'
sed 's/SYSTEM_ERROR/SYSTEM_FAULT/' "$folder/answer" > "$folder/changed"
expect 1 "$tool" explain "$folder/changed"
says out '^Key and scheme are right, but WeChat Pay signed another text'
openssl x509 -in "$WECHATPAY_CERT_FILE" -noout -pubkey > "$folder/own.pem"
expect 1 "$tool" explain "$folder/answer" --public-key-file "$folder/own.pem"
says out '^The answer is not signed with the key that was given for its Wechatpay-Serial'
expect 1 "$tool" explain "$folder/answer" --public-key-id PUB_KEY_ID_0100000000000000000000000000
says out '^Wechatpay-Serial is PUB_KEY_ID_.*, which is none of the platform keys'
expect 1 "$tool" explain <(grep -vi '^wechatpay-nonce' "$folder/answer")
says out '^Wechatpay-Nonce is missing'

sed '1,/^\r$/d' "$folder/answer" > "$folder/body_of_answer"
sed '/^\r$/q' "$folder/answer" > "$folder/without_body"
expect 0 "$tool" explain "$folder/without_body" --body-file "$folder/body_of_answer"
expect 1 "$tool" explain "$folder/without_body"
status=0
"$tool" explain "$folder/answer" > /dev/full 2> "$folder/err" || status=$?
[ $status = 2 ] || fail "exit status $status although its output is lost: $(< "$folder/err")"

echo "-- what cannot be explained"
expect 2 "$tool" explain
says err 'give FILE, or --url and --authorization'
expect 2 env -u WECHATPAY_CERT_FILE "$tool" explain "$folder/request"
says err '--cert-file is missing'
expect 2 "$tool" explain "$folder/none"
says err 'none cannot be read'
expect 2 "$tool" explain "$folder"
expect 2 "$tool" explain "$folder/request" --cert-file "$folder/body"
says err 'holds no certificate'
expect 2 "$tool" explain - <<< 'nothing of that kind'
says err 'does not begin with a method and a URL'
for first in 'POST /v3/x HTTP/1.1' 'HTTP/1.1 204 No Content'; do
  expect 2 "$tool" explain - <<< "$first"$'\nno header'
  says err '^.*line 2 of the capture is no header'
done
head -c 5000000 /dev/zero > "$folder/large"
expect 2 "$tool" explain "$folder/large"
says err 'more than 4 MiB'
expect 2 "$tool" explain --url "$path" --authorization $'a\nb'
says err 'must not hold control characters'
expect 2 "$tool" explain --url "$path"
says err 'give FILE, or --url and --authorization'
for option in cert-file other-key-file body-file signed-message platform-cert-file public-key-file; do
  expect 2 "$tool" explain "$folder/request" --$option "$folder/none" --json
  says err "^$folder/none cannot be read$"
  says out '"kind": "invalid_configuration"'
done
for option in platform-cert-file public-key-file; do
  expect 2 "$tool" explain "$folder/answer" --$option "$folder/none"
  says err "^$folder/none: cannot be opened"
done
expect 2 "$tool" explain "$folder/request" --other-key-file "$folder/body"
says err "^$folder/body holds no RSA key that can be read"
expect 2 env -u WECHATPAY_PUBLIC_KEY_FILE -u WECHATPAY_PUBLIC_KEY_ID "$tool" explain "$folder/answer"
says err '^WeChat Pay.s key is missing'
for bad in Hunter2 "WECHATPAY2-SHA256-RSA2048 Hunter2" "${authorization/signature=\"/signature=\"Hunter2}"; do
  explained 1 "$bad" "$body"
  grep -q Hunter2 <<< "$out$err" && fail "quoted: $out$err"
done
explained 1 "$authorization" '{}'
grep -qF "${signature:20:40}" <<< "$out$err" && fail "a signature is quoted: $out"

echo "-- with platform certificates"
stop
start --folder "$folder/certificates" --stage certificates --script <(echo 400)
authorization=$(grep -o "WECHATPAY2[^']*" <<< "$command" | head -n 1)
capture "$body" > "$folder/request"
expect 0 "$tool" explain "$folder/request"
eval "$command --silent" > "$folder/answer"
grep -q '^HTTP/[0-9.]* 400' "$folder/answer" || fail "$(< "$folder/answer")"
expect 0 "$tool" explain "$folder/answer"
says out '^The signature matches'
sed 's/SYSTEM_ERROR/SYSTEM_FAULT/' "$folder/answer" > "$folder/changed"
expect 1 "$tool" explain "$folder/changed"
says out '^Key and scheme are right, but WeChat Pay signed another text'
expect 1 "$tool" explain "$folder/answer" --platform-cert-file "$folder/files"/wechatpay_*.pem
says out '^Wechatpay-Serial is [0-9A-F]*, which is none of the platform keys'
echo "explain works"
