#!/usr/bin/env bash
# Makes backfill.svg, a picture of a terminal in which a backfill against the sandbox is killed and started again.
#   picture.sh TOOL
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tool=$(realpath "$1")
source "$here/../../tests/tool/with_sandbox.sh"
cd "$folder"

{ echo card_id,code,out_trade_no,mchid,sub_mchid,bonus_value
  seq -f '478515832665,478515832665,20261123%06.0f,1230000109,1900000109,30' 20000; } > orders.csv
sed -i '12345s/,30$/,thirty/; 15001s/,30$/,0/' orders.csv
start --fault 400 --fault drop-after --fault-rate 0.001

# shown [KILLER]: runs the backfill on a terminal and adds the final state of the screen.
shown() {
  echo "\$ wechatpay-bonus-commit backfill orders.csv" >> screen
  script --quiet --flush --command "stty columns 96; echo \$\$ > process; exec '$tool' backfill orders.csv" raw < /dev/null > /dev/null &
  local terminal=$!
  "$@" || true
  wait $terminal || true
  # If a line was overwritten, keep its last text.
  grep -av '^Script ' raw | tr -d '\r' | sed 's/.*\x1b\[K//' | grep -a . >> screen
}
kill_half_way() {
  local line
  for _ in $(seq 9000); do IFS= read -r line <&3; done
  kill -KILL "$(< process)"
}
shown kill_half_way
echo Killed >> screen
shown read_log

{
  lines=$(wc -l < screen)
  height=$((lines * 20 + 60))
  echo "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"940\" height=\"$height\" viewBox=\"0 0 940 $height\" role=\"img\">"
  echo "<title>A backfill, killed half way and started again</title>"
  echo "<rect width=\"940\" height=\"$height\" rx=\"8\" fill=\"#1b1f24\"/>"
  echo '<g fill="#57606a"><circle cx="20" cy="18" r="6"/><circle cx="40" cy="18" r="6"/><circle cx="60" cy="18" r="6"/></g>'
  echo '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">'
  # Cut lines where the terminal would wrap them.
  cut -c 1-106 screen | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' |
    awk '{ colour = /^\$/ ? "#7ee787" : /^\[/ ? "#79c0ff" : /^(Killed|line|out_trade_no)/ ? "#ffa657" : "#e6edf3"
           printf "<text x=\"18\" y=\"%d\" fill=\"%s\">%s</text>\n", 50 + 20 * (NR - 1), colour, $0 }'
  echo '</g>'
  echo '</svg>'
} > "$here/backfill.svg"
