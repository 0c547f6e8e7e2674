#!/usr/bin/env bash
# Lets Spin search all states of the outbox model. Spin must find the errors of each variant that breaks the protocol.
#   check.sh FOLDER    where to build
set -euo pipefail
model=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/outbox.pml
mkdir -p "$1"
cd "$1"
fail() { echo "FAILED: $*" >&2; exit 1; }

# errors PROPERTY [VARIANT]: prints how many violations of the property and of assertions a search finds.
errors() {
  spin -a ${2:+-D"$2"} "$model" > spin.log || { cat spin.log >&2; fail "spin"; }
  cc -O1 -w -DNFAIR=4 -o pan pan.c
  ./pan -a -f -m1000000 -N "$1" > pan.log
  grep -q 'max search depth too small' pan.log && fail "$1: the search is cut off"
  sed -n 's/.*errors: \([0-9]*\)$/\1/p' pan.log
}

for property in never_lost one_holder settled_in_the_end; do
  [ "$(errors $property)" = 0 ] || { cat pan.log >&2; fail "$property does not hold"; }
  echo "$property holds in $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' pan.log) states"
done
[ "$(errors never_lost WITHOUT_TOKEN)" != 0 ] || fail "a settlement without a token is not found out"
[ "$(errors one_holder RENEW_LOST)" != 0 ] || fail "the renewal of a lost lease is not found out"
[ "$(errors settled_in_the_end WITHOUT_LEASE)" != 0 ] || fail "a claim without a lease is not found out"
echo "the model of the outbox holds, and its breaks are found out"
