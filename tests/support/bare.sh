#!/usr/bin/env bash
# bare - ./dev deps, ./dev build and a job of it, on a bare machine of a Debian release: in a fresh root that debootstrap
# makes, about 2 GB, removed at the end.  Called as ./dev deps --in RELEASE (bookworm or trixie), as root.
set -euo pipefail
cd "$(dirname "$0")/../.."

release=${1:?a Debian release: bookworm or trixie}
say() { printf 'bare: %s\n' "$*"; }
[ "$(id -u)" = 0 ] || { say "root is needed for debootstrap and chroot" >&2; exit 1; }
command -v debootstrap >/dev/null || apt-get -qq install -y --no-install-recommends debootstrap >/dev/null

root=$(mktemp -d "${TMPDIR:-/var/tmp}/lpd-bare-XXXXXX")
end() {
	umount "$root/proc" 2>/dev/null || true
	umount "$root/dev" 2>/dev/null || true
	mountpoint -q "$root/dev" || rm -rf "$root"
}
trap end EXIT

# shellcheck disable=SC2016	# the dollars are apt's
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' |
	awk '$2 ~ /^(bookworm|trixie)$/ { print $1; exit }')
[ -n "$mirror" ] || { say "apt-get update has not been run here" >&2; exit 1; }
say "a fresh $release"
debootstrap --variant=minbase "$release" "$root" "$mirror" >"$root.log" 2>&1 || { tail -5 "$root.log"; exit 1; }
rm -f "$root.log"

# The same way out as this machine's: its apt settings, names and certificates.
cp -a /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || install -D /etc/ssl/certs/ca-certificates.crt -t "$root/etc/ssl/certs/"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mkdir "$root/lpd"
git ls-files -z | xargs -0 cp --parents -t "$root/lpd"

inside() { chroot "$root" env HOME=/root DEBIAN_FRONTEND=noninteractive "$@" </dev/null; }
say "./dev deps --build"
inside /lpd/dev deps --build
say "./dev deps --build once more: nothing is missing"
inside /lpd/dev deps --build
say "./dev build"
inside /lpd/dev build
inside /lpd/build/release/lpd -version
say "$release: good"
