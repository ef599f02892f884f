#!/usr/bin/env bash
# fuzz - run the libFuzzer targets, as many at once as there are processors.  Called as
#
#     ./dev fuzz [TARGET|all [SECONDS]]
#
# Seeds kept in git are tests/fuzz/corpus/TARGET/; what a run finds goes to build/fuzz/corpus/TARGET/, and an
# input that crashes, hangs or takes too much memory to build/fuzz/found/.  One line of result for each.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export target=${1:-all} seconds=${2:-60}
jobs=${LPD_JOBS:-$(nproc)}
[ -n "${FUZZ_BUILT:-}" ] || ./dev build fuzz >/dev/null || exit 1

one() {
	local name=$1 log=build/fuzz/log/$1 rc=0 seeds=()
	mkdir -p "build/fuzz/corpus/$name" build/fuzz/found build/fuzz/log
	[ ! -d "tests/fuzz/corpus/$name" ] || seeds=("tests/fuzz/corpus/$name")
	timeout -k 5 $((seconds * 2 + 120)) "build/fuzz/tests/$name" -max_total_time="$seconds" -timeout=10 \
		-rss_limit_mb=2048 -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" \
		${seeds[@]+"${seeds[@]}"} >"$log" 2>&1 || rc=$?
	if [ $rc = 0 ]; then
		echo "ok $name - $(sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$log")"
	else
		grep -v '^#[0-9]' "$log" | tail -n 40
		echo "not ok $name - its input is in build/fuzz/found/"
	fi
	return $rc
}
export -f one

if [ "$target" != all ]; then
	[ -x "build/fuzz/tests/$target" ] || target=fuzz_$target
	[ -x "build/fuzz/tests/$target" ] || { echo "no such target; there are:"; ls tests/fuzz/fuzz_*.c; exit 1; }
	one "$target"
	exit
fi
names=()
for source in tests/fuzz/fuzz_*.c; do
	[ -f "$source" ] && names+=("$(basename "$source" .c)")
done
[ ${#names[@]} -gt 0 ] || { echo "no targets"; exit 0; }
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I{} bash -c 'one {}'
