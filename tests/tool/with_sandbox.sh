# shellcheck shell=bash disable=SC2034,SC2154  # the caller sets `tool`, and uses `origin`, `backup` and `api_v3_key`
# Shared by the tests of the command-line tool. `tool` is its path. To be sourced.
unset "${!WECHATPAY@}"
folder=$(mktemp -d)
server=
trap 'stop; rm -rf "$folder"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
# Waits for its end: a second signal, which it gets when the test ends, would stop it while it writes its coverage.
stop() {
  [ -z "$server" ] || {
    kill "$server" || true
    exec 3<&-  # it need not wait for a reader of its output
    wait "$server" || true
  } 2> /dev/null
  server=
}
mkfifo "$folder/output"

# bound COMMAND...: replaces this process, so run it in the background. It ends with the test, even if the test is
# killed.
bound() {
  command -v setpriv > /dev/null || exec "$@"
  exec setpriv --pdeathsig TERM -- "$@"
}

# start ARGUMENT...: starts a sandbox. Sets server, origin, backup, api_v3_key, command (the printed curl command) and
# the printed environment. Its further output is on descriptor 3. If nothing reads it, the sandbox stops answering when
# the pipe is full.
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

# Copies the sandbox's further output, its log, to the file `log`.
read_log() {
  cat <&3 >> "$folder/log" &
  reader=$!
}

# Ends the sandbox. Its log is then complete, and another sandbox may start.
end() {
  stop
  wait "$reader"
}

# expect STATUS COMMAND...: runs it. Its output is then in $out, its errors in $err.
expect() {
  local wanted=$1 status=0
  shift
  "$@" > "$folder/out" 2> "$folder/err" || status=$?
  out=$(< "$folder/out") err=$(< "$folder/err")
  [ "$status" = "$wanted" ] || fail "$*: exit status $status instead of $wanted: $out $err"
}

# says WHERE PATTERN: checks that $out or $err contains it.
says() { grep -q -e "$2" <<< "${!1}" || fail "$1 does not say '$2': ${!1}"; }
