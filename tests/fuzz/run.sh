#!/usr/bin/env bash
# Runs every fuzz target for a while, two at a time, starting with the seeds. New inputs stay in the build folder.
#   run.sh BUILD_FOLDER [SECONDS]
# The build: clang++ with -DWECHATPAY_BONUS_COMMIT_SANITIZE=address,undefined,fuzzer-no-link.
set -euo pipefail
build=$(cd "$1/tests/fuzz" && pwd)
seconds=${2:-60}
cd "$(dirname "${BASH_SOURCE[0]}")"

# fuzz TARGET: prints one line with the result. If the target found something, fails and prints where the input is.
fuzz() {
  local target=$1 corpus=$build/corpus/$1 found=$build/found/$1
  local log=$build/$target.log
  rm -rf "$found"
  mkdir -p "$corpus" "$found"
  if ! "$build/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" "$corpus" "seeds/${target%_fuzz}" > "$log" 2>&1; then
    grep -a -m 1 -E '^BROKEN|ERROR: |runtime error' "$log" >&2 || tail -n 20 "$log" >&2
    echo "FAILED: $target, again by: $build/$target $(find "$found" -type f ! -name 'slow-unit-*')" >&2
    return 1
  fi
  local last
  last=$(grep -a -E '^#[0-9]+.*DONE' "$log")
  echo "$target: $(sed -E 's/^#([0-9]+).* cov: ([0-9]+).* corp: ([0-9]+).*/\1 runs, coverage \2, corpus \3/' <<< "$last")"
}

failed=0
for target in answer_fuzz keys_fuzz request_fuzz retry_after_fuzz; do
  if [ "$(jobs -rp | wc -l)" -ge 2 ]; then wait -n || failed=1; fi
  fuzz "$target" &
done
while [ -n "$(jobs -p)" ]; do wait -n || failed=1; done
exit $failed
