#!/usr/bin/env bash
# docs - docs/generated/ from the tables in the program.  Called as ./dev docs, and with "check" by the tests:
# then nothing is written, and what differs is shown.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x build/debug/tests/docs_gen ] || ./dev build debug >/dev/null
if [ "${1:-write}" = check ]; then
	fresh=$(mktemp -d)
	trap 'rm -rf "$fresh"' EXIT
	build/debug/tests/docs_gen "$fresh"
	diff -ru docs/generated "$fresh" || { echo "stale: run ./dev docs"; exit 1; }
else
	build/debug/tests/docs_gen docs/generated
fi
