# shellcheck shell=bash disable=SC2034,SC2154  # who sources it sets `tool`, and uses `origin`, `backup` and `api_v3_key`
# What the tests of the command-line tool share: `tool` is its file. Sourced.
unset "${!WECHATPAY@}"
folder=$(mktemp -d)
server=
trap 'stop; rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
stop() {
  [ -z "$server" ] || kill "$server" 2> /dev/null || true
  server=
}
mkfifo "$folder/output"

# bound COMMAND...: in the place of this process, to be put into the background; ends with the test even if that is killed.
bound() {
  command -v setpriv > /dev/null || exec "$@"
  exec setpriv --pdeathsig TERM -- "$@"
}

# start ARGUMENT...: a sandbox. Sets server, origin, backup, api_v3_key, command (the curl command that it prints) and the
# environment that it prints. What follows on its output comes from descriptor 3; as long as nobody reads there, it
# answers no more requests than the pipe has room for.
start() {
  bound "$tool" sandbox --port 0 "$@" > "$folder/output" &
  server=$!
  exec 3< "$folder/output"
  command=
  local line environment=
  while IFS= read -r line <&3; do
    case "$line" in
      "base URL "*) origin=${line##* } ;;
      "APIv3 key "*) api_v3_key=${line##* } ;;
      "backup host "*) backup=${line##* } ;;
      "export "* | "  WECHATPAY"*) environment+=${line%\\} ;;
      "curl "* | "  --"*) command+=${line%\\} ;;
      "One line"*) break ;;
    esac
  done
  eval "$environment"
}

# The sandbox's log: everything that follows, into the file `log`.
read_log() {
  cat <&3 >> "$folder/log" &
  reader=$!
}

# Ends the sandbox; its log is then complete, and another one may start.
end() {
  stop
  wait "$reader"
}

# expect STATUS COMMAND...: its output is then in $out, its errors in $err.
expect() {
  local wanted=$1 status=0
  shift
  "$@" > "$folder/out" 2> "$folder/err" || status=$?
  out=$(< "$folder/out") err=$(< "$folder/err")
  [ "$status" = "$wanted" ] || fail "$*: exit status $status instead of $wanted: $out $err"
}

# says WHERE PATTERN: whether $out or $err has it.
says() { grep -q -e "$2" <<< "${!1}" || fail "$1 does not say '$2': ${!1}"; }
