#!/usr/bin/env python3
"""test_media - lpd-media alone, given what strangers send: cut short, huge, endless, lying.  It goes on whatever comes, no
job outlives its connection for long, and none takes more than its share of memory.

It is asked over its socket as a node asks it (src/media/order.h)."""
import concurrent.futures
import json
import os
import pathlib
import random
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import png, sound  # noqa: E402
from nodes import LPD, wait_for  # noqa: E402

PROGRAM = str(pathlib.Path(LPD).parent / "lpd-media")
SANITIZED = b"__asan_init" in pathlib.Path(PROGRAM).read_bytes()


class Media:
    def __init__(self, begin=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lpd-media-"))
        self.path = str(self.folder / "socket")
        if begin:
            begin(self)
            return
        self.process = subprocess.Popen([PROGRAM, "-listen", f"unix:{self.path}"])
        wait_for(lambda: os.path.exists(self.path), "the socket")

    def connect(self):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(self.path)
        return sock

    def ask(self, target, body=b"", method="POST", length=None):
        """(status, body); status 0: the connection ended without an answer."""
        with self.connect() as sock:
            head = f"{method} {target} HTTP/1.1\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
            try:
                sock.sendall(head.encode() + body)
            except OSError:
                pass        # it has heard enough; its answer may be there
            try:
                file = sock.makefile("rb")
                status = int(file.readline().split()[1])
                size = 0
                while line := file.readline().strip():
                    name, value = line.split(b":")
                    size = int(value) if name.lower() == b"content-length" else size
                return status, file.read(size)
            except (OSError, IndexError):
                return 0, b""

    def duration(self, file):
        return self.ask("/duration", file)

    def video(self, frames, width=64, height=64, fps=7):
        body = b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)
        return self.ask(f"/video?frames={len(frames)}&fps={fps}&width={width}&height={height}", body)

    def jobs(self):
        """The processes under way."""
        text = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [pid for pid in text.split() if not self.is_over(pid)]

    @staticmethod
    def is_over(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
        except OSError:
            return True

    def is_well(self):
        assert self.process.poll() is None
        status, body = self.duration(sound(2))
        assert (status, json.loads(body)) == (200, {"milliseconds": 2000}), (status, body)

    def close(self):
        self.process.terminate()
        assert self.process.wait(10) == -15
        shutil.rmtree(self.folder)


def it_says_how_it_is(media):
    status, body = media.ask("/health", method="GET")
    assert status == 200 and json.loads(body)["status"] == "OK" and json.loads(body)["encoder"], body


def recordings_are_measured(media):
    for seconds in 0.5, 1, 12.7, 600:
        status, body = media.duration(sound(seconds))
        assert (status, json.loads(body)["milliseconds"]) == (200, int(seconds * 1000)), (seconds, status, body)


def files_cut_short_are_answered(media):
    whole = sound(3)
    film = media.video([png(64, 64)] * 5)[1]
    for file in whole, film:
        for n in (0, 1, 7, 11, 12, 20, 43, 44, 45, 100, len(file) // 2, len(file) - 1):
            status, body = media.duration(file[:n])
            assert status in (200, 400, 422) and body, (n, status, body)


def noise_in_a_file_is_answered(media):
    dice = random.Random(7)
    files = sound(1), media.video([png(64, 64)] * 3)[1]
    for n in range(150):
        file = bytearray(files[n % 2])
        for _ in range(dice.choice((1, 3, 30))):
            file[dice.randrange(min(len(file), 600))] = dice.randrange(256)
        status, _ = media.duration(bytes(file))
        assert status in (200, 422), (n, status)


def playlists_that_name_other_files_are_not_followed(media):
    for text in (b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n",
                 b"ffconcat version 1.0\nfile '/etc/hostname'\n",
                 b"<?xml version='1.0'?><MPD><BaseURL>http://127.0.0.1:1/</BaseURL></MPD>",
                 b"v=0\r\nm=audio 5004 RTP/AVP 0\r\nc=IN IP4 127.0.0.1\r\n"):
        status, body = media.duration(text)
        assert status == 422, (status, body)


def a_head_that_lies_about_its_length_is_refused(media):
    """A wav that says one second and holds a minute costs what it holds, or nothing is made of it."""
    file = bytearray(sound(60))
    file[40:44] = struct.pack("<I", 16000)
    status, body = media.duration(bytes(file))
    assert status == 422 or json.loads(body)["milliseconds"] <= 1000, (status, body)
    film = media.video([png(64, 64)] * 3)[1]
    assert media.duration(film)[0] == 422, "it has no sound"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width, height, rows=b""):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def pictures_that_say_they_are_huge_are_refused(media):
    for width, height in (1 << 30, 1 << 30), (65535, 65535), ((1 << 31) - 1, 1), (100000, 700):
        began = time.monotonic()
        status, body = media.video([huge_png(width, height)])
        assert status == 422, (width, height, status, body)
        assert time.monotonic() - began < 5


def a_bomb_of_zeros_is_bounded(media):
    """30 KB that unpack to 60 MB of pixels: either it is one frame, scaled down, or it is refused; soon."""
    bomb = huge_png(4000, 3800, b"\0" * (3800 * (4 * 4000 + 1)))
    assert len(bomb) < 100000
    began = time.monotonic()
    status, body = media.video([bomb])
    assert status in (200, 422) and time.monotonic() - began < 20, (status, body[:100])


def frames_that_are_no_pictures_are_refused(media):
    for frame in b"x", b"GIF89a\1\0\1\0\0\0\0;", png(8, 8)[:40], b"\xff\xd8\xff\xe0" + b"\0" * 50, b"\x89PNG\r\n\x1a\n" * 9:
        status, body = media.video([png(64, 64), frame])
        assert status == 422 and b"frame" in body, (frame[:20], status, body)
    assert media.ask("/video?frames=1&fps=7&width=64&height=64", b"\xff\xff\xff\xffabc")[0] == 422
    assert media.ask("/video?frames=1&fps=7&width=64&height=64", b"\0\0\0\x09abc")[0] == 400
    assert media.ask("/video?frames=1&fps=7&width=64&height=64", b"\0\0\0\0")[0] == 422
    more = struct.pack(">I", len(png())) + png()
    assert media.ask("/video?frames=1&fps=7&width=64&height=64", 2 * more)[0] == 400


def what_is_no_order_is_refused(media):
    assert media.ask("/elsewhere", b"x")[0] == 404
    assert media.ask("/video?frames=9999&fps=7&width=64&height=64", b"x")[0] == 400
    assert media.ask("/duration", b"", length=1 << 40)[0] == 413
    assert media.ask("/duration", b"", length=100 << 20)[0] == 413
    for bytes_ in b"\0" * 5000, b"GET", b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 2000:
        with media.connect() as sock:
            try:
                sock.sendall(bytes_)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1000)
            except OSError:
                pass


def a_node_that_leaves_takes_its_job_with_it(media):
    frame = png(512, 512)
    body = (struct.pack(">I", len(frame)) + frame) * 60
    sock = media.connect()
    sock.sendall(b"POST /video?frames=1000&fps=7&width=4096&height=4096 HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
                 % (len(body) * 20) + body[:200000])
    wait_for(lambda: media.jobs(), "the job to begin")
    sock.close()
    wait_for(lambda: not media.jobs(), "the job to end", 20)
    with media.connect() as slow:       # and one that never sends its body waits alone, and ends with its node
        slow.sendall(b"POST /duration HTTP/1.1\r\nContent-Length: 5000\r\n\r\nabc")
        media.is_well()
    wait_for(lambda: not media.jobs(), "the job to end", 20)


def many_at_once_are_all_answered(media):
    frames = [png(64 + n, 48) for n in range(10)]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        got = list(pool.map(lambda n: media.duration(sound(2)) if n % 3 else media.video(frames), range(90)))
    assert all(status == 200 for status, _ in got), [status for status, _ in got]


def as_nobody():
    """root has no limit of processes."""
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)


def without_processes(own):
    """As a machine is that has none left: no fork succeeds until the limit is raised."""
    def limit():
        as_nobody()
        resource.setrlimit(resource.RLIMIT_NPROC, (0, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
    own.folder.chmod(0o777)
    own.process = subprocess.Popen([PROGRAM, "-listen", f"unix:{own.path}"], preexec_fn=limit)
    wait_for(lambda: os.path.exists(own.path), "the socket")


def a_machine_without_processes_costs_the_jobs_of_that_time_only(_):
    if not SANITIZED:       # a sanitizer needs a thread
        own = Media(without_processes)
        for _ in range(40):
            assert own.duration(sound(1))[0] == 0
        subprocess.run(["prlimit", "--pid", str(own.process.pid), "--nproc=4096:"], preexec_fn=as_nobody, check=True)
        status, body = own.duration(sound(1))
        assert status == 200, (status, body)
        own.close()


def a_job_can_reach_nothing(media):
    """What the kernel says of a job: no file, no socket but its own, no privileges, and a filter of calls."""
    if b"__asan_init" in pathlib.Path(PROGRAM).read_bytes():
        return      # a sanitizer would not live behind the filter
    with media.connect() as sock:
        sock.sendall(b"POST /duration HTTP/1.1\r\nContent-Length: 5000\r\n\r\nabc")
        wait_for(lambda: media.jobs(), "the job to begin")
        pid = media.jobs()[0]
        wait_for(lambda: "Seccomp:\t2" in pathlib.Path(f"/proc/{pid}/status").read_text(), "the filter", 5)
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert "NoNewPrivs:\t1" in status, status
        if os.getuid() == 0:
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            assert "Max file size             0 " in limits and "Max core file size        0 " in limits, limits
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            assert sum(link.startswith("socket:") for link in links) <= 3, links


TESTS = [value for name, value in list(globals().items())
         if callable(value) and getattr(value, "__code__", None) and value.__code__.co_varnames[:1] in (("media",), ("_",))
         and value.__code__.co_argcount == 1]


def main():
    bad, media = False, Media()
    for test in TESTS:
        try:
            test(media)
            media.is_well()
            print("ok", test.__name__.replace("_", " "), flush=True)
        except Exception:  # noqa: BLE001    (any fault is this test's)
            bad = True
            traceback.print_exc(file=sys.stdout)
            print("not ok", test.__name__.replace("_", " "), flush=True)
    media.close()
    return bad


if __name__ == "__main__":
    sys.exit(main())
