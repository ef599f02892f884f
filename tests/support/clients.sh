#!/usr/bin/env bash
# clients - bring the published clients that tests/e2e/test_sdk_* run against lpd into build/deps/clients.
#
# They come by name from the registries that pip and npm are set up for, in the versions and with the hashes of
# tests/e2e/clients/.  Nothing is built and no script of theirs runs.  The JavaScript client names test tools among its
# dependencies (280 packages), so it and the one library that it loads are unpacked, not installed.  Where a package
# cannot be had this says so and ends with 0: the tests then skip in words.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
pins=$PWD/tests/e2e/clients
place=$PWD/build/deps/clients

say() { printf 'clients: %s\n' "$*"; }

# fresh NAME FILES...: what was brought is what these files ask for; or note that it is to be.
fresh() {
	[ "$(cat "$place/$1.stamp" 2>/dev/null)" = "$(stamp "${@:2}")" ]
}
stamp() { cat "$@" | sha256sum; }

venv() {	# FOLDER REQUIREMENTS
	rm -rf "$1" && python3 -m venv "$1" &&
		"$1/bin/pip" --disable-pip-version-check -q install --require-hashes --no-deps --only-binary :all: \
			-r "$2" </dev/null
}

python_client() {
	fresh python "$pins/python.txt" && return
	rm -f "$place/python.stamp"
	venv "$place/python" "$pins/python.txt" && stamp "$pins/python.txt" >"$place/python.stamp"
}

# The machine's own node (18 or later) with its npm, or one of PyPI's.
node_and_npm() {
	local major
	major=$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null) || major=0
	if [ "$major" -ge 18 ] && command -v npm >/dev/null; then
		return
	fi
	PATH=$place/node/bin:$PATH
	fresh node "$pins/node.txt" && return
	rm -f "$place/node.stamp"
	venv "$place/node" "$pins/node.txt" && stamp "$pins/node.txt" >"$place/node.stamp"
}

unpack() {	# HASH FILE NAME
	local version=${2%.tgz} folder=$place/node_modules/$3
	npm pack --silent --pack-destination "$work" "$3@${version##*-}" >/dev/null </dev/null &&
		echo "$1  $work/$2" | sha256sum --quiet -c - &&
		mkdir -p "$folder" && tar -xzf "$work/$2" -C "$folder" --strip-components=1
}

js_client() {
	local hash file name
	fresh js "$pins/npm.txt" && return
	node_and_npm || return 1
	rm -rf "$place/js.stamp" "$place/node_modules"
	work=$(mktemp -d) || return 1
	trap 'rm -rf "$work"' EXIT
	while read -r hash file name; do
		unpack "$hash" "$file" "$name" || return 1
	done <"$pins/npm.txt"
	stamp "$pins/npm.txt" >"$place/js.stamp"
}

mkdir -p "$place"
python_client || say "the client for Python could not be had; its test will skip"
js_client || say "the client for JavaScript could not be had; its test will skip"
