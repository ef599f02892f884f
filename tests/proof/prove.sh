#!/usr/bin/env bash
# prove - bounded model checking of the money's arithmetic and byte layouts with CBMC.  Called as
#
#     ./dev prove [PART OF A NAME]
#
# Every prove_NAME() in tests/proof/proof_*.c is a claim about all values and must hold; every refute_NAME() is false
# and must be found to be.  One line of result for each; logs are in build/proof/.  A number behind a definition,
# "unwind N", says how often its loops run at most.  CBMC is taken from the PATH; on Debian 12, where there is none, it
# is that of Debian 13 with its own loader and libraries, unpacked below build/deps/ and not installed.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
want=${1:-}
jobs=${LPD_JOBS:-$(nproc)}
export out=build/proof root=build/deps/cbmc limit=${PROVE_SECONDS:-300}
mkdir -p $out

# From the mirror that this machine already uses, under Debian's own key; apt's configuration is not touched.
bring() (
	grep -q '^VERSION_CODENAME=bookworm' /etc/os-release && [ "$(dpkg --print-architecture)" = amd64 ] || exit 1
	# shellcheck disable=SC2016	# the $ are apt's
	uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
		awk '$2 == "bookworm" { print $1; exit }')
	[ -n "$uri" ] && work=$(mktemp -d) && chmod 755 "$work" || exit 1
	trap 'rm -rf "$work"' EXIT
	own=(-qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts"
		-o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache"
		-o Debug::NoLocking=1 -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" "$work/root" &&
		printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' "$uri" \
			/usr/share/keyrings/debian-archive-keyring.gpg >"$work/parts/next.sources" &&
		apt-get "${own[@]}" update &&
		(cd "$work" && apt-get "${own[@]}" download cbmc minisat libc6 libstdc++6 libgcc-s1 zlib1g >/dev/null) || exit 1
	for package in "$work"/*.deb; do
		dpkg -x "$package" "$work/root" || exit 1
	done
	mkdir -p "$(dirname $root)" && rm -rf $root && cp -a "$work/root" $root
)

cbmc() {
	local lib=$root/usr/lib/x86_64-linux-gnu
	if [ -x $root/usr/bin/cbmc ]; then
		timeout "$limit" "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$root/usr/lib" $root/usr/bin/cbmc "$@"
	else
		timeout "$limit" cbmc "$@"
	fi
}
export -f cbmc

one() {	# FILE FUNCTION UNWIND
	local log=$out/$2.log rc=0 start=$SECONDS good=0 words=${2//_/ }
	cbmc --function "$2" --unwind "$3" --object-bits 16 --slice-formula --pointer-overflow-check \
		--undefined-shift-check -D_GNU_SOURCE -Iinclude -I$out "$1" >"$log" 2>&1 || rc=$?
	# 0: it holds, 10: it does not; 124: no answer in time; others: the harness does not fit the source.
	case $2 in
	refute_*) good=10 ;;
	esac
	if [ $rc = $good ]; then
		echo "ok $words - $((SECONDS - start)) s"
	else
		grep -E 'FAILURE$|error|ERROR' "$log" | head -5
		echo "not ok $words - status $rc, $log"
	fi
	[ $rc = $good ]
}
export -f one

if ! type -P cbmc >/dev/null && [ ! -x $root/usr/bin/cbmc ]; then
	bring >$out/bring.log 2>&1 || { echo "skip prove: CBMC is not packaged here, and that of Debian 13 could not be had"; exit 77; }
fi
# The messages' structs, as the build makes them of the network's definitions.
mkdir -p $out/lpd/proto
protoc-c --proto_path=src/proto --c_out=$out/lpd/proto src/proto/lp_rpc.proto || exit 1

names() {	# FILE FUNCTION UNWIND
	grep -HE '^void (prove|refute)_[a-z0-9_]+\(void\)' tests/proof/proof_*.c |
		sed -E 's#^([^:]*):void ([a-z0-9_]+)\(void\)(.*unwind ([0-9]+).*)?.*#\1 \2 \4#' |
		awk -v want="$want" 'index($2, want) { print $1, $2, ($3 ? $3 : 300) }'
}

[ -n "$(names)" ] || { echo "not ok prove - no claim is called *$want*"; exit 1; }
names | xargs -P "$jobs" -L1 bash -c 'one "$@"' prove || exit 1
