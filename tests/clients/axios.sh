#!/usr/bin/env bash
# Tests the npm package wechatpay-axios-plugin against the sandbox, at each of the merchant's stages, with and without
# faults. Also tests the tool against answers that the package signs. The npm registry is the one configured on this
# machine.
#   axios.sh TOOL FOLDER      FOLDER: where the packages are installed; kept between runs
set -euo pipefail
tool=$1 packages=$2
source "$(dirname "${BASH_SOURCE[0]}")/with_guide.sh"

mkdir -p "$packages"
installed=$packages/installed  # the lock file of the last complete installation
if ! cmp -s "$here/package-lock.json" "$installed"; then
  rm -f "$installed"
  cp "$here/package.json" "$here/package-lock.json" "$packages"
  (cd "$packages" && npm ci --ignore-scripts --no-audit --no-fund) > "$folder/npm" 2>&1 || fail "npm: $(< "$folder/npm")"
  cp "$here/package-lock.json" "$installed"
fi
export NODE_PATH=$packages/node_modules

commit() { node "$here/commit.js" "$@" 2>&1; }
is() { [ "$1" = "$2" ] || fail "'$1' instead of '$2'"; }

echo "-- the guide's lines"
start --folder "$folder/files"
read_log
is "$(guide_code js | node - 2>&1)" 204

echo "-- the public key alone"
public_key=$WECHATPAY_PUBLIC_KEY_ID public_key_file=$WECHATPAY_PUBLIC_KEY_FILE
export WECHATPAY_CERTS=$public_key=$public_key_file
is "$(commit)" "204 $public_key"
is "$(commit 1 "$public_key")" "204 $public_key"
is "$(commit 1 0123456789ABCDEF)" "400 ERR_BAD_REQUEST"
is "$(node "$here/certificates.js" "$api_v3_key" 2>&1)" "404 RESOURCE_NOT_EXISTS"
end
# The log has the path as it was signed, percent-encoded. Each request is in the log once.
grep -q '^204 POST .*/codes/%E4%BC%9A%E5%91%98%201/bonus/commit .*订单-1' "$folder/log" || fail "$(< "$folder/log")"

for stage in switching certificates; do
  echo "-- $stage"
  start --folder "$folder/files" --stage $stage
  read_log
  certificate=$(echo "$folder"/files/wechatpay_*.pem)
  serial=$(basename "$certificate" .pem | cut -d _ -f 2)
  WECHATPAY_CERTS=$serial=$certificate,$public_key=$public_key_file
  is "$(commit)" "204 $serial"
  is "$(commit 1 "$serial")" "204 $serial"
  case $stage in
    switching) is "$(commit 1 "$public_key")" "204 $public_key" ;;
    certificates) is "$(commit 1 "$public_key")" "400 ERR_BAD_REQUEST" ;;
  esac
  node "$here/certificates.js" "$api_v3_key" > "$folder/downloaded" 2>&1
  cmp -s "$certificate" "$folder/downloaded" || fail "downloaded: $(< "$folder/downloaded")"
  end
done

echo "-- faults"
faults='wrong-signature EV3_RES_HEADER_SIGNATURE_DIGEST
probe EV3_RES_HEADER_SIGNATURE_DIGEST
unsigned EV3_RES_HEADERS_INCOMPLATE
large-body EV3_RES_HEADERS_INCOMPLATE
stale-timestamp EV3_RES_HEADER_TIMESTAMP_OFFSET
unknown-serial EV3_RES_HEADER_PLATFORM_SERIAL
400 ERR_BAD_REQUEST
429:1 ERR_BAD_REQUEST
503 ERR_BAD_RESPONSE
html ERR_BAD_RESPONSE
redirect 302 ERR_BAD_RESPONSE
drop-after ECONNRESET
drop-half ECONNRESET
reset ECONNRESET
garbage HPE_INVALID_CONSTANT
delay:10 204
202 202'
cut -d ' ' -f 1 <<< "$faults" > "$folder/script"
start --folder "$folder/files" --script "$folder/script"
read_log
WECHATPAY_CERTS=$public_key=$public_key_file
commit $(($(wc -l <<< "$faults") + 1)) > "$folder/said"
while read -r fault wanted && read -r said <&5; do
  grep -q "$wanted" <<< "$said" || fail "$fault: '$said' instead of '$wanted'"
done <<< "$faults
none 204 $public_key" 5< "$folder/said"
[ "$(wc -l < "$folder/said")" = 18 ] || fail "not one answer for each: $(< "$folder/said")"
end

echo "-- the tool verifies what the package signs, and nothing else"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=platform \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$folder/tls.key" -out "$folder/tls.pem" 2> /dev/null
openssl genrsa -out "$folder/sign.key" 2048 2> /dev/null
openssl rsa -in "$folder/sign.key" -pubout -out "$folder/sign.pub" 2> /dev/null
platform() { # [forge]: starts the platform, and sets `platform` to its origin
  exec 4< <(bound node "$here/platform.js" "$folder/tls.key" "$folder/tls.pem" "$folder/sign.key" PUB_KEY_ID_7 "$@")
  server=$!
  read -r platform <&4
}
against_platform() { # STATUS
  expect "$1" "$tool" commit "${order[@]}" --origin "$platform" --ca-file "$folder/tls.pem" \
    --public-key-id PUB_KEY_ID_7 --public-key-file "$folder/sign.pub"
}
platform
against_platform 0
says out '^credited: 30 points'
stop
platform forge
against_platform 3
says err 'outcome: unknown'
stop
echo "wechatpay-axios-plugin works"
