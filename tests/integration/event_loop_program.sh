#!/usr/bin/env bash
# The example in Asio's event loop: three commits, one of which is retried, while a timer of the program keeps running.
#   event_loop_program.sh EVENT_LOOP
set -euo pipefail
output=$("$1")
fail() { echo "FAILED: $*" >&2; echo "$output" >&2; exit 1; }

[ "$(grep -c '^order-[123]: credited after [12] tries$' <<< "$output")" = 3 ] || fail "not three credited orders"
[ "$(grep -c 'after 2 tries$' <<< "$output")" = 1 ] || fail "not one that was tried again"
grep -q '^the clock went on: yes$' <<< "$output" || fail "the loop stood still"
echo "the event loop works"
