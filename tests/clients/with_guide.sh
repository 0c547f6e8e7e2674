# shellcheck shell=bash disable=SC2034  # the sourcing script sets `tool` and uses `order`
# Shared by the tests of clients in other languages: a sandbox, and the code of the guide. To be sourced.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
guide=$here/../../examples/your_client/README.md
source "$here/../tool/with_sandbox.sh"
order=(--card-id 478515832665 --code 478515832665 --out-trade-no 1217 --mchid 1230000109 --sub-mchid 1900000109
  --bonus-value 30)

# guide_code LANGUAGE: prints the guide's first code block in that language.
guide_code() {
  awk -v open="^\`\`\`$1\$" '$0 ~ open { on = 1; next } on && /^```$/ { exit } on' "$guide"
}

# without_proxy COMMAND...: runs it without the proxy variables of the environment.
without_proxy() { env -u http_proxy -u https_proxy -u all_proxy -u HTTPS_PROXY -u ALL_PROXY "$@"; }
