"""peers - pairs of a gateway and an orchestrator of which one is lpd and the other go-livepeer, off-chain.

Both kinds answer to the same members, so that a test can ask them the same."""
import glob
import json
import os
import socket

from fake_docker import Engine
from nodes import LPD, Processes, ask, free_port, wait_for

PEER = os.environ.get("LPD_PEER", "")
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
PIPELINES = ("text-to-image", "upscale", "llm", "image-to-video", "audio-to-text")


class Pair(Processes):
    """gateway and orchestrator are each "lpd" or "go"; all models are called test, except that solo takes one job
    at a time."""

    def __init__(self, folder, runner, gateway, orchestrator):
        super().__init__(folder)
        self.runner, self.kinds = runner, {"gateway": gateway, "orchestrator": orchestrator}
        self.engine = Engine()
        self.service, self.http, self.rtmp = free_port(), free_port(), free_port()
        self.admin = {"gateway": free_port(), "orchestrator": free_port()}
        self.env = {"DOCKER_HOST": self.engine.url}     # a go-livepeer worker asks one
        self.url, self.made = f"http://127.0.0.1:{self.http}", 0
        self.orchestrator = self.gateway = None
        (self.folder / "aiModels.json").write_text(json.dumps(self.models()))

    def models(self):
        url = f"http://127.0.0.1:{self.runner.port}"
        rows = [{"pipeline": pipeline, "model_id": "test", "url": url, "warm": True, "capacity": 16}
                for pipeline in PIPELINES]
        return [*rows, {**rows[0], "model_id": "solo", "capacity": 1}]

    def __enter__(self):
        try:
            self.start_orchestrator()
            self.start_gateway()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        super().__exit__()
        self.engine.close()

    def is_lpd(self, role):
        return self.kinds[role] == "lpd"

    def launch(self, role, lpd, go):
        """One process; its data are new each time, as if it were another node at the same address."""
        self.made += 1
        data = self.folder / f"{role}-{self.made}"
        common = ["-dataDir", data, "-cliAddr", f"127.0.0.1:{self.admin[role]}"]
        if self.is_lpd(role):
            return self.start(role, LPD, "-mode", role, *lpd, *common, env=self.env)
        data.mkdir()
        return self.start(role, PEER, f"-{role}", "-network", "offchain", "-v", "6", *go, *common, env=self.env)

    def restart(self, role):
        assert self.end(getattr(self, role)) == 0
        self.start_gateway() if role == "gateway" else self.start_orchestrator()

    def set_clock(self, ahead):
        """The wall clock of what is started from now on (not go-livepeer: it asks the kernel without libc); None: as
        it is.  Called again it moves that of those that run."""
        if ahead is None:
            self.env = {"DOCKER_HOST": self.engine.url}
            return
        (self.folder / "clock").write_text(ahead)
        self.env = {**self.env, "LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(self.folder / "clock"),
                    "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}

    def start_orchestrator(self):
        offer = ["-serviceAddr", f"127.0.0.1:{self.service}", "-aiModels", self.folder / "aiModels.json"]
        self.orchestrator = self.launch("orchestrator", offer, [*offer, "-aiWorker"])
        wait_for(lambda: self.is_up("orchestrator"), "the orchestrator to be ready")

    def start_gateway(self):
        take = ["-orchAddr", f"127.0.0.1:{self.service}", "-httpAddr", f"127.0.0.1:{self.http}"]
        self.gateway = self.launch("gateway", take, [*take, "-httpIngest", "-rtmpAddr", f"127.0.0.1:{self.rtmp}"])
        wait_for(lambda: self.is_up("gateway"), "the gateway to be ready")

    def is_up(self, role):
        self.check()
        if self.is_lpd(role):
            return self.page(role, "/readyz")[0] == 200
        if role == "gateway":
            return post(self.url + "/healthz", method="GET")[0] == 200
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.service)) == 0

    def page(self, role, path):
        return post(f"http://127.0.0.1:{self.admin[role]}{path}", method="GET")

    def busy(self, role):
        """What lpd has under way: jobs, and slots that are taken."""
        status = json.loads(self.page(role, "/status")[2])
        slots = sum(row["in_use"] for row in status.get("orchestrator", {}).get("runners", []))
        return status["jobs"], slots

    def post(self, path, body, headers=None):
        return post(self.url + path, body, headers)

    def log(self, role):
        path = self.folder / f"{role}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def post(url, body=None, headers=None, method=None):
    """(status, headers, body); the status is 0 where the node ends the connection instead of an answer."""
    try:
        return ask(url, body, headers, method)
    except OSError as why:      # http.client's RemoteDisconnected is one
        return 0, {}, str(why).encode()


def files_of(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def form(fields, filename, data, name="image"):
    """(headers, body) of a form with a file of that name."""
    body = b"".join(b'--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (key.encode(), str(value).encode())
                    for key, value in fields.items())
    body += (b'--XX\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: image/png\r\n\r\n'
             b"%s\r\n--XX--\r\n" % (name.encode(), filename.encode(), data))
    return {"Content-Type": "multipart/form-data; boundary=XX"}, body
