#!/usr/bin/env bash
# Checks the alerts, the dashboard and the systemd unit of examples/outbox, if promtool and systemd are installed.
#   monitoring.sh SOURCE_FOLDER TOOL
set -euo pipefail
source=$1
tool=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

echo "-- alerts and dashboard name metrics that a relay has"
metrics=$(grep -oE 'family\("[a-z_]+' "$source/src/outbox/metrics.cpp" | cut -d '"' -f 2)
[ "$(wc -w <<< "$metrics")" -gt 10 ] || fail "hardly a metric is found: $metrics"
for file in alerts.yml dashboard.json; do
  named=$(grep -oE 'wechatpay_bonus_outbox_[a-z_]+' "$source/examples/outbox/$file" | sed 's/^wechatpay_bonus_outbox_//; s/_bucket$//' | sort -u)
  [ -n "$named" ] || fail "$file names no metric"
  for name in $named; do grep -qx "$name" <<< "$metrics" || fail "$file: there is no metric $name"; done
done
for name in $metrics; do
  for file in outbox/dashboard.json outbox/README.md outbox/README.zh-CN.md; do
    grep -qw -e "$name" -e "wechatpay_bonus_outbox_${name}" -e "wechatpay_bonus_outbox_${name}_bucket" "$source/examples/$file" ||
      fail "$file does not have the metric $name"
  done
done

if command -v promtool > /dev/null; then
  echo "-- promtool takes the alerts, and each fires when it should"
  cp "$source/examples/outbox/alerts.yml" "$source/tests/database/alerts_test.yml" "$folder"
  promtool check rules "$folder/alerts.yml" > "$folder/log" 2>&1 || fail "$(cat "$folder/log")"
  promtool test rules "$folder/alerts_test.yml" > "$folder/log" 2>&1 || fail "$(cat "$folder/log")"
  while IFS= read -r alert; do
    grep -q "\"$alert\"" "$folder/alerts_test.yml" || fail "no test of $alert"
  done < <(sed -n 's/.*- alert: //p' "$folder/alerts.yml")
else
  echo "-- promtool is not there: the alerts are not checked"
fi

if command -v systemd-analyze > /dev/null; then
  echo "-- systemd knows every word of the unit"
  unit='wechatpay-bonus-commit-relay@.service'
  ln -s "$tool" "$folder/tool" # because its path may contain spaces
  sed "s|^ExecStart=/usr/bin/wechatpay-bonus-commit |ExecStart=\"$folder/tool\" |" "$source/examples/outbox/$unit" \
    > "$folder/${unit/@/@shop}"
  systemd-analyze verify --man=no "$folder/${unit/@/@shop}" > "$folder/log" 2>&1 || fail "$(cat "$folder/log")"
  [ ! -s "$folder/log" ] || fail "$(cat "$folder/log")"
else
  echo "-- systemd-analyze is not there: the unit is not checked"
fi
echo "the monitoring tests passed"
