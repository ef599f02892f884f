#!/usr/bin/env bash
# lint - every rule and linter, one line "ok NAME - ..." or "not ok NAME - ..." each.  Called as ./dev lint.
# It looks at what build/debug holds (made when it is not there): the archives and the compile commands.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
jobs=${LPD_JOBS:-$(nproc)}
bad=0
mkdir -p build/lint/cppcheck

report() {	# NAME WORDS COMMAND...: silent when all is well
	local name=$1 words=$2
	shift 2
	if ! command -v "$1" >/dev/null; then
		echo "skip $name: $1 is not installed (./dev deps --test)"
	elif "$@" >"build/lint/$name.log" 2>&1; then
		echo "ok $name - $words"
	else
		cat "build/lint/$name.log"
		echo "not ok $name - $words"
		bad=1
	fi
}

headers_alone() {
	local flags header rc=0
	flags=$(pkg-config --cflags jansson libprotobuf-c)
	while read -r header; do
		# shellcheck disable=SC2086	# a list of flags
		echo "#include <$header>" | gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only \
			-Iinclude -Ibuild/debug/src/proto $flags -x c - || rc=1
	done < <(cd include && find lpd -name '*.h' | sort)
	return "$rc"
}

[ -f build/debug/compile_commands.json ] && [ -f build/debug/liblpd_base.a ] || ./dev build debug >/dev/null || exit 1

python3 tests/lint/rules.py || bad=1
report rules_test "each rule refuses what it should" tests/lint/rules_test.py
python3 tests/lint/symbols.py build/debug || bad=1
report alone "every public header compiles by itself" headers_alone
mapfile -t scripts < <(git -c safe.directory="$PWD" ls-files -co --exclude-standard -- '*.sh' dev .ci/run)
report shellcheck "scripts" shellcheck -e SC2317 "${scripts[@]}"
report cppcheck "cppcheck finds nothing" cppcheck -q -j "$jobs" --std=c11 --error-exitcode=1 \
	--enable=warning,performance,portability --inline-suppr --suppressions-list=tests/lint/cppcheck.txt \
	--cppcheck-build-dir=build/lint/cppcheck -D_GNU_SOURCE \
	-DLPD_VERSION='""' -DLPD_BASE_ASSERT_H '-Dlp_assert(x)=assert(x)' \
	'-Djson_object_foreach(o,k,v)=while (each(o, &k, &v))' '-Djson_array_foreach(a,i,v)=while (each(a, &i, &v))' \
	-Iinclude -Isrc src
report tidy "clang-tidy finds nothing" python3 tests/lint/tidy.py build/debug "$jobs"
exit $bad
