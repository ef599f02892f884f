#!/usr/bin/env bash
# demo - lpd at work on this machine: a gateway, an orchestrator and the built-in runner, three processes, and two jobs
# through them, paid by tickets on a ledger in a file.  Called as ./dev demo [--all].  It ends what it started, by pid, and
# leaves the pictures in demo/; with --all one of everything, and a page that shows it, demo/index.html.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C
all=no
case ${1:-} in
"") ;;
--all) all=yes ;;
*) echo "./dev demo [--all]" >&2; exit 1 ;;
esac
prompt="a red fox under a full moon"
picture_model=builtin/sketch
enlarge_model=builtin/span-x2
pids=()
work=build/demo

say() { printf '%s\n' "$*"; }
die() {
	say "$1"
	[ ! -f "${2:-}" ] || tail -n 20 "$2"
	exit 1
}

stop() {
	local pid
	for pid in ${pids[@]+"${pids[@]}"}; do
		kill "$pid" 2>/dev/null || true
	done
	for pid in ${pids[@]+"${pids[@]}"}; do
		wait "$pid" 2>/dev/null || true
	done
	pids=()
}
trap stop EXIT

# The first port from here on that nobody answers on.
free_port() {
	local port=$1
	while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
		port=$((port + 1))
	done
	echo "$port"
}

# start NAME OPTIONS...: a node, and wait until it says that it is ready.
start() {
	local name=$1 admin=$2 log=$work/$1.log
	shift 2
	build/release/lpd "$@" -cliAddr "127.0.0.1:$admin" -dataDir "$work/$name" >"$log" 2>&1 &
	local pid=$!
	pids+=("$pid")
	for _ in $(seq 300); do
		kill -0 "$pid" 2>/dev/null || die "the $name did not start:" "$log"
		! curl -sf -o "$work/ready" "http://127.0.0.1:$admin/readyz" || return 0
		sleep 0.1
	done
	die "the $name was not ready within 30 s:" "$log"
}

# ask FILE PATH CURL-OPTIONS...: one job; the picture that the answer names goes to FILE.
ask() {
	local file=$1 path=$2 answer=$work/answer.json began=$EPOCHREALTIME status url
	shift 2
	status=$(curl -sS -m 300 -o "$answer" -w '%{http_code}' "$@" "http://127.0.0.1:$http$path") || die "no answer"
	[ "$status" = 200 ] || die "$path was answered $status: $(cat "$answer")" "$work/orchestrator.log"
	url=$(sed -n 's/.*"url":"\([^"]*\)".*/\1/p' "$answer")
	case $url in
	/*) url=http://127.0.0.1:$http$url ;;
	esac
	curl -sSf -m 60 -o "$file" "$url" || die "the picture could not be fetched from $url"
	say "  $status after $(awk -v a="$began" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f s", b - a }'), $file:" \
		"$(stat -c %s "$file") bytes, $(size_of "$file")"
	python3 tests/e2e/story.py "gateway=$work/gateway.log" "orchestrator=$work/orchestrator.log"
}

# The gateway has an account with 2 ETH of this machine's own, which are worth nothing elsewhere; what the last demo
# paid is forgotten.
fund() {
	rm -f $work/ledger.db* $work/gateway/lpd.db* $work/orchestrator/lpd.db*
	local account
	account=$(build/release/lpd eth account list -dataDir $work/gateway 2>/dev/null | awk '{ print $1; exit }')
	[ -n "$account" ] || account=$(build/release/lpd eth account new -dataDir $work/gateway -ethPassword= | awk '{ print $1; exit }')
	build/release/lpd bank fund "$account" 1eth 1eth -ledger $work/ledger.db >$work/bank.log || die "no account:" $work/bank.log
}

# Winners may be shown once their offer is over, so time passes; then what all of it cost.
settle() {
	build/release/lpd bank mine 50 -ledger $work/ledger.db >$work/bank.log || die "no blocks:" $work/bank.log
	for _ in $(seq 30); do
		! python3 tests/e2e/cost.py build/release/lpd $work/gateway $work/orchestrator >$work/cost || break
		sleep 0.1
	done
	cat $work/cost
}

# Width and height stand in a PNG's bytes 16 to 23.
size_of() { od -An -j16 -N8 -tu1 "$1" | awk '{ print $3 * 256 + $4 " x " $7 * 256 + $8 " pixels" }'; }

mkdir -p $work/orchestrator demo
say "1. what is missing is installed"
tests/support/deps.sh --build --demo
[ $all = no ] || tests/support/deps.sh --voices || say "  speech and reading are left out"
say "2. build"
./dev build release >$work/build.log 2>&1 || die "the build failed:" $work/build.log
say "3. models for the built-in runner (fetched once; without them it draws more simply and says so)"
build/release/lpd models fetch -dataDir $work/orchestrator 2>&1 | sed 's/^/  /' || say "  not all of them could be had"
[ $all = no ] || build/release/lpd models fetch whisper-tiny.en smollm2-135m -dataDir $work/orchestrator 2>&1 | sed 's/^/  /' ||
	say "  speech to text or the language model could not be had"

service=$(free_port 8935)
http=$(free_port 9935)
cat >$work/aiModels.json <<EOF
[{"pipeline": "text-to-image", "model_id": "$picture_model", "warm": true},
 {"pipeline": "upscale", "model_id": "$enlarge_model", "warm": true}]
EOF
# Models that the runner lacks are named too: the page says of them what the nodes say.
[ $all = no ] || cat >$work/aiModels.json <<EOF
[{"pipeline": "text-to-image", "model_id": "builtin/sketch", "warm": true},
 {"pipeline": "image-to-image", "model_id": "builtin/style26", "warm": true},
 {"pipeline": "image-to-video", "model_id": "builtin/style26-motion", "warm": true},
 {"pipeline": "upscale", "model_id": "builtin/span-x4", "warm": true},
 {"pipeline": "segment-anything-2", "model_id": "builtin/u2netp", "warm": true},
 {"pipeline": "image-to-text", "model_id": "builtin/efficientnet-lite0", "warm": true},
 {"pipeline": "text-to-speech", "model_id": "builtin/flite-slt", "warm": true},
 {"pipeline": "text-to-speech", "model_id": "builtin/flite-rms", "warm": true},
 {"pipeline": "text-to-speech", "model_id": "builtin/flite-awb", "warm": true},
 {"pipeline": "audio-to-text", "model_id": "builtin/whisper-tiny.en", "warm": true},
 {"pipeline": "llm", "model_id": "builtin/smollm2-135m", "warm": true}]
EOF
say "4. an orchestrator on port $service (TLS), and a gateway on port $http that asks it, and pays from an account with 2 ETH" \
	"of this machine's own"
fund
money="-network local -ledger $work/ledger.db"
price="-pricePerUnit 10000000"		# wei a pixel, so that a picture takes some hundred tickets and a few win
[ $all = no ] || price="-pricePerUnit 10000"	# a video has many more
# shellcheck disable=SC2086	# words they are
start orchestrator "$(free_port 7935)" -mode orchestrator -serviceAddr "127.0.0.1:$service" -aiModels $work/aiModels.json \
	$money $price
# shellcheck disable=SC2086
start gateway "$(free_port 5935)" -mode gateway -orchAddr "127.0.0.1:$service" -httpAddr "127.0.0.1:$http" $money

if [ $all = yes ]; then
	say "5. one of everything"
	build/release/lpd models list -dataDir $work/orchestrator >$work/models.txt
	python3 tests/e2e/gallery.py "http://127.0.0.1:$http" demo $work/models.txt || die "the page was not made" "$work/orchestrator.log"
	stop
	say "6. all of it is stopped again.  Open demo/index.html in a browser."
	exit 0
fi

say "5. POST /text-to-image: \"$prompt\""
ask demo/picture.png /text-to-image -H 'Content-Type: application/json' \
	-d "{\"model_id\": \"$picture_model\", \"prompt\": \"$prompt\", \"width\": 512, \"height\": 512, \"seed\": 7}"
say "6. POST /upscale: the same picture, larger"
ask demo/picture-large.png /upscale -F "model_id=$enlarge_model" -F "prompt=$prompt" -F image=@demo/picture.png
say "7. what it cost, says lpd ledger:"
settle

stop
say "8. all of it is stopped again.  To go on by hand, in two terminals and a third:"
cat <<EOF

  build/release/lpd -mode orchestrator -serviceAddr 127.0.0.1:8935 -aiModels $work/aiModels.json -dataDir $work/orchestrator \\
       $money $price
  build/release/lpd -mode gateway -orchAddr 127.0.0.1:8935 -httpAddr 127.0.0.1:9935 -dataDir $work/gateway $money
  curl -s http://127.0.0.1:9935/text-to-image -H 'Content-Type: application/json' \\
       -d '{"model_id": "$picture_model", "prompt": "a sailing boat on the sea"}'
EOF
