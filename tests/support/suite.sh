#!/usr/bin/env bash
# suite - all that CI runs.  Called as ./dev test [--deep].
#
# Every stage runs even when an earlier one failed; each appends its results, one line per test, to
# build/test/results, and tally.py counts them at the end.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
deep=no
case ${1:-} in
"") ;;
--deep) deep=yes ;;
*) echo "./dev test [--deep]" >&2; exit 1 ;;
esac
jobs=${LPD_JOBS:-$(nproc)}
export out=build/test
tally=tests/support/tally.py
began=$SECONDS
rm -rf $out
mkdir -p $out
: >$out/results
export CCACHE_BASEDIR=$PWD UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1

# step WORDS COMMAND...: one line with the time it took and what the command says in $said; below it what the
# command wrote to stderr, which is only what failed.  Its exit status is the command's.
step() {
	local words=$1 start=$SECONDS rc=0
	shift
	printf '%-48s' "$words"
	said=""
	"$@" 2>$out/stderr || rc=$?
	printf '%5d s  %s\n' $((SECONDS - start)) "$([ $rc = 0 ] && echo ok || echo FAILED)${said:+, $said}"
	cat $out/stderr
	return $rc
}

# note NAME RC LOG: one result for a whole step.
note() { python3 $tally one "$1" "$2" "$3" >>$out/results; }

build() {	# PRESET
	local log=$out/build-$1.log rc=0
	{ cmake --preset "$1" -DLP_WERROR=ON && cmake --build "build/$1" -j "$jobs"; } >"$log" 2>&1 || rc=1
	[ $rc = 0 ] || grep -E 'error:|warning:|Error|undefined reference' "$log" | head -20 >&2 || tail -20 "$log" >&2
	note "build $1" $rc "$log" 2>/dev/null
	return $rc
}

# run_tests PRESET [CTEST OPTIONS]: the programs of a build, test by test.
run_tests() {
	local preset=$1 report=$PWD/$out/$1.xml rc=0 before after
	shift
	rm -f "$report"
	$unrandomised ctest --test-dir "build/$preset" -j "$((jobs + 1))" --output-junit "$report" --quiet \
		--test-output-size-passed 1000000 --test-output-size-failed 1000000 "$@" >"$out/$preset.log" 2>&1 || rc=1
	before=$(wc -l <$out/results)
	python3 $tally ctest "$report" "$preset" >>$out/results || rc=1
	after=$(wc -l <$out/results)
	said="$((after - before)) tests"
	return $rc
}

# Thread sanitizer: the programs into which the linker took the thread pool or the runner's crew.
uses_pool() {
	local program
	for program in build/tsan/tests/unit_*; do	# simulations have no threads
		[ -x "$program" ] && nm "$program" | grep -E ' T lp_(pool|crew)_' >/dev/null && printf '%s|' "${program##*/}"
	done
}

tsan() {
	local programs
	programs=$(uses_pool)
	[ -n "$programs" ] || return 0
	TSAN_OPTIONS=halt_on_error=1 run_tests tsan -R "^(${programs%|})\$"
}

lint() {
	local rc=0
	tests/lint/all.sh >$out/lint.log 2>&1 || rc=$?
	python3 $tally lines lint $out/lint.log $rc >>$out/results
	return $rc
}

fuzz() {	# SECONDS for each target
	local rc=0
	FUZZ_BUILT=yes tests/fuzz/fuzz.sh all "$1" >$out/fuzz.log 2>&1 || rc=$?
	python3 $tally lines fuzz $out/fuzz.log $rc >>$out/results
	return $rc
}

documents() {
	local rc=0
	tests/docs/docs.sh check >$out/docs.log 2>&1 || rc=$?
	note "docs: the generated documents are fresh" $rc $out/docs.log
	return $rc
}

# Each shared library that the programs name comes from a package that docker/Dockerfile installs.  The names are
# those of Debian 12.
image_has_libraries() {
	local library package rc=0
	grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "skip the image has every library: needs Debian 12"; return; }
	for library in $(readelf -d build/release/lpd{,-runner,-media} | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | sort -u); do
		package=$(dpkg -S "*/$library" 2>/dev/null | sed 's/:.*//;q')
		case $package in
		libc6* | libgcc-s1) continue ;;
		esac
		grep -qw -- "$package" docker/Dockerfile || { rc=1; echo "$library of $package"; }
	done
	[ $rc = 0 ] && echo "ok the image has every library" || echo "not ok the image has every library"
}

# build/release/lpd: stripped, at most 3 MB, and dynamically linked but for llhttp.
binary() {
	local rc=0 size
	size=$(stat -c %s build/release/lpd)
	{
		[ "$size" -le 3145728 ] && echo "ok size of lpd is at most 3 MB" || echo "not ok size of lpd is at most 3 MB: $size"
		if nm build/release/lpd >$out/nm.log 2>&1 && [ -s $out/nm.log ] && ! grep -q 'no symbols' $out/nm.log; then
			echo "not ok lpd is stripped"
		else
			echo "ok lpd is stripped"
		fi
		if ldd build/release/lpd | grep llhttp >/dev/null; then
			echo "not ok llhttp is linked statically"
		else
			echo "ok llhttp is linked statically"
		fi
		image_has_libraries
	} >$out/binary.log
	grep -q '^not ok' $out/binary.log && rc=1
	python3 $tally lines release $out/binary.log $rc >>$out/results
	return $rc
}

# End to end: tests/e2e/test_* against the release build, attacks against that with sanitizers too.  Each says
# "ok ...", "not ok ..." or "skip ...: why", or ends with 77 and the reason.
# Scripts mostly wait, so as many run at once as there are jobs; each says its own in its own log.
end_to_end() {	# PRESET FILES...
	local test name one rc=0 preset=$1
	shift
	for test; do
		[ -x "$test" ] || continue
		name=$(basename "${test%.*}")-$preset
		while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do wait -n; done
		{
			one=0
			LPD=$PWD/build/$preset/lpd timeout -k 10 300 "$test" >"$out/$name.log" 2>&1 </dev/null || one=$?
			echo $one >"$out/$name.status"
		} &
	done
	wait
	for test; do
		[ -x "$test" ] || continue
		name=$(basename "${test%.*}")
		one=$(cat "$out/$name-$preset.status")
		python3 $tally lines "e2e ${name#test_}" "$out/$name-$preset.log" "$one" >>$out/results
		[ "$one" = 0 ] || [ "$one" = 77 ] || rc=1
	done
	return $rc
}

memcheck_one() {
	local name=$1 rc=0
	timeout -k 10 1500 valgrind -q --error-exitcode=9 --leak-check=full "build/debug/tests/$name" \
		>"$out/valgrind-$name.log" 2>&1 || rc=$?
	echo "$name $rc"
}
export -f memcheck_one

memcheck() {
	local name one rc=0
	while read -r name one; do
		note "valgrind: $name" "$one" "$out/valgrind-$name.log"
		[ "$one" = 0 ] || rc=1
	done < <(cd build/debug/tests && printf '%s\n' sim_* | (cd ../../.. && xargs -P "$jobs" -I{} bash -c 'memcheck_one {}'))
	return $rc
}

# Lines of the pure folders that tests reach, and branches of what moves money; the whole report stays in
# build/test/coverage.txt.
coverage() {
	local rc=0 money=0
	ctest --test-dir build/coverage -j "$jobs" --quiet >$out/coverage.log 2>&1
	gcovr -r . --object-directory build/coverage -f 'src/' -e 'src/proto/' >$out/coverage.txt 2>&1
	gcovr -r . --object-directory build/coverage -f 'src/(eth|pay|market)/' --fail-under-line 95 \
		>$out/coverage-pure.log 2>&1 || rc=$?
	note "coverage: eth, pay and market are at least 95 %" $rc $out/coverage-pure.log
	tests/support/coverage.py build/coverage >$out/coverage-money.log 2>&1 || money=$?
	python3 $tally lines coverage $out/coverage-money.log $money >>$out/results
	[ $rc = 0 ] && [ $money = 0 ]
}

# Claims about all values, by bounded model checking: ./dev prove.
prove() {
	local rc=0
	LPD_JOBS=$jobs tests/proof/prove.sh >$out/prove.log 2>&1 || rc=$?
	python3 $tally lines prove $out/prove.log $rc >>$out/results
	[ $rc = 0 ] || [ $rc = 77 ]
}

# A sanitizer may want addresses where they were in every run; where that is forbidden, it does without.
unrandomised=""
setarch "$(uname -m)" -R true 2>/dev/null && unrandomised="setarch $(uname -m) -R"

bring_test_set() {
	tests/support/deps.sh --test >$out/deps.log 2>&1 || echo "the test set could not be installed: $out/deps.log"
}

tests/support/deps.sh --build || exit 1
bring_test_set &		# while the compilers work
deps=$!

step "build debug (gcc, warnings are errors)" build debug && debug=yes || debug=no
wait $deps
command -v python3 >/dev/null || { echo "python3 is missing: ./dev deps --test"; echo "0 passed, 1 failed"; exit 1; }
[ "$debug" = no ] || step "unit and simulation tests" run_tests debug
step "build release" build release && step "the binary" binary
step "build asan (clang, address and undefined)" build asan && step "all tests under ASan and UBSan" run_tests asan
step "build tsan (clang, threads)" build tsan && step "what uses the pool under TSan" tsan
step "build fuzz (clang)" build fuzz && step "fuzz smoke" fuzz "$([ $deep = yes ] && echo "${FUZZ_SECONDS:-30}" || echo 4)"
[ "$debug" = no ] || step "lint" lint
[ "$debug" = no ] || step "generated documents" documents
[ ! -x build/release/lpd ] || step "end to end" end_to_end release tests/e2e/test_*
[ ! -x build/asan/lpd ] || step "attacks, documents and soak under sanitizers" end_to_end asan tests/e2e/test_{hostile_*,documents.py,soak.py}
if [ $deep = yes ]; then
	step "simulations under valgrind" memcheck
	step "build coverage" build coverage && step "coverage" coverage
	step "proofs" prove
fi
printf '\nall of it took %d s\n' $((SECONDS - began))
python3 $tally sum $out/results
