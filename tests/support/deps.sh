#!/usr/bin/env bash
# deps - bring the packages that lpd is built, tested and shown with.  Called as ./dev deps [--build] [--test] [--bench] [--demo] [--voices].
#
# Debian 12 is tested, Debian 13 takes the same list and its own llhttp, Ubuntu 24.04 is written but UNTESTED.
# When nothing is missing it asks dpkg once, touches no network and needs no root.
set -euo pipefail
cd "$(dirname "$0")/../.."

build_set="gcc libc6-dev clang lld libclang-rt-dev cmake ninja-build pkg-config ccache git ca-certificates
	libuv1-dev libcurl4-openssl-dev libnghttp2-dev libssl-dev libjansson-dev libprotobuf-c-dev
	protobuf-c-compiler libsecp256k1-dev libsqlite3-dev libpng-dev libjpeg-dev zlib1g-dev
	libavformat-dev libavcodec-dev libavutil-dev libswscale-dev libcmocka-dev"
test_set="python3 python3-venv shellcheck cppcheck clang-tidy valgrind gcovr curl openssl procps util-linux"
bench_set="python3 nginx-light wrk nghttp2-client"
demo_set="curl python3 python3-venv"
voices_set="libflite1 libtesseract5 tesseract-ocr-eng"	# speech, and text in pictures: the runner loads them when they are there

# The second way to llhttp's three C files, for a distribution that has no package of it: pinned by content.
llhttp_sdist="llhttp==9.3.0.0"
llhttp_sha256="0d989363e7fb6f270b9d49956e7a3945c26778f8c70a166815264309ac6a8295"

say() { printf 'deps: %s\n' "$*"; }
die() { say "$*" >&2; exit 1; }

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif ! command -v sudo >/dev/null; then
		die "root is needed for: $* (run as root, or install sudo)"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# What a command says is worth reading only if it fails: hooks of apt that want root complain and are not heeded.
quietly() {
	local words rc=0
	words=$("$@" </dev/null 2>&1) || rc=$?
	[ $rc = 0 ] || say "$*: $words" >&2
	return $rc
}

apt_get() {
	local words rc=0
	words=$(as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 \
		-o Acquire::Retries=3 "$@" </dev/null 2>&1) || rc=$?
	[ $rc = 0 ] || say "apt-get $*: $words" >&2
	return $rc
}

# Prints those of the given packages that are not installed.
missing() {
	local installed
	installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p') || true
	printf '%s\n' "$@" | grep -vxF -f <(printf '%s\n' "$installed" "") || true
}

have_llhttp() {
	[ -f build/deps/lib/libllhttp.a ] || [ -z "$(missing libllhttp-dev)" ]
}

# The lists are fetched at most once in a run.
updated=no
update() {
	[ $updated = yes ] || apt_get update
	updated=yes
}

install() {
	update
	apt_get install -y --no-install-recommends "$@"
}

# The three ways to llhttp run under ||, where set -e sleeps: every line of them that may fail is chained.

# The distribution's own package (Debian 13; Ubuntu's universe).
llhttp_from_distribution() {
	apt-cache policy libllhttp-dev 2>/dev/null | grep 'Candidate: [0-9]' >/dev/null && install libllhttp-dev
}

# Debian 12: the two packages of Debian 13, which need only libc6 and are linked statically.  They come from
# the mirror that this machine already uses, under Debian's own key; apt's configuration is not touched.
llhttp_from_next_debian() (
	grep -q '^VERSION_CODENAME=bookworm' /etc/os-release && grep -q '^ID=debian' /etc/os-release || exit 1
	# shellcheck disable=SC2016	# the $ are apt's
	uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
		awk '$2 == "bookworm" { print $1; exit }')
	[ -n "$uri" ] && work=$(mktemp -d) && chmod 755 "$work" || exit 1
	trap 'rm -rf "$work"' EXIT
	own=(-qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts"
		-o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache"
		-o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Acquire::Retries=3)
	mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/parts" &&
		printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' "$uri" \
			/usr/share/keyrings/debian-archive-keyring.gpg >"$work/parts/next.sources" &&
		quietly apt-get "${own[@]}" update &&
		(cd "$work" && quietly apt-get "${own[@]}" download libllhttp-dev libllhttp9.2) &&
		apt_get install -y "$work"/libllhttp*.deb
)

# Any distribution: the source package of a Python binding, which holds the generated C.
llhttp_from_source() (
	install python3 python3-venv gcc libc6-dev && work=$(mktemp -d) || exit 1
	trap 'rm -rf "$work"' EXIT
	python3 -m venv "$work/venv" &&
		"$work/venv/bin/pip" --disable-pip-version-check -q download --no-deps --no-binary :all: \
			-d "$work" "$llhttp_sdist" </dev/null &&
		echo "$llhttp_sha256  $(echo "$work"/llhttp-*.tar.gz)" | sha256sum --quiet -c - &&
		tar -xzf "$work"/llhttp-*.tar.gz -C "$work" --strip-components=1 || exit 1
	for part in api http llhttp; do
		gcc -O2 -g -fPIC -I"$work/lib" -c "$work/lib/$part.c" -o "$work/$part.o" || exit 1
	done
	mkdir -p build/deps/include build/deps/lib && rm -f build/deps/lib/libllhttp.a &&
		cp "$work/lib/llhttp.h" build/deps/include/ &&
		ar rcs build/deps/lib/libllhttp.a "$work"/{api,http,llhttp}.o
)

llhttp() {
	have_llhttp && return
	say "llhttp"
	update
	llhttp_from_distribution || llhttp_from_next_debian || llhttp_from_source || die "no way to llhttp worked"
}

bring() {
	local name=$1 list
	shift
	list=$(missing "$@")
	[ -n "$list" ] || return 0
	command -v apt-get >/dev/null || die "this is neither Debian nor Ubuntu; the $name set is: $*"
	say "$name set: $(wc -w <<<"$list") packages"
	# shellcheck disable=SC2086	# a list of words
	install $list
}

# Debian starts a server when it installs it; the bench wants the program only.
bench() {
	local had_nginx
	had_nginx=$(command -v /usr/sbin/nginx || true)
	# shellcheck disable=SC2086	# a list of words
	bring bench $bench_set
	[ -n "$had_nginx" ] || as_root service nginx stop >/dev/null 2>&1 || true
}

[ $# -gt 0 ] || set -- --build --test --bench --demo
for set in "$@"; do
	# shellcheck disable=SC2086	# the sets are lists of words
	case $set in
	--build) bring build $build_set; llhttp ;;
	--test) bring test $test_set; tests/support/clients.sh ;;
	--bench) bench ;;
	--demo) bring demo $demo_set ;;
	--voices) bring voices $voices_set ;;
	*) die "unknown set $set: it is --build, --test, --bench, --demo or --voices" ;;
	esac
done
