"""pairs - what is measured: two hops with TLS in the middle, once as lpd and once as nginx.

Each pair answers on .url, its processes are .hops = {"gateway": [pids], "orchestrator": [pids]}; the runner behind
is instant_runner.  Every process is started here and ended here, by its pid."""
import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "release"
LPD = os.environ.get("LPD", str(BUILD / "lpd"))
CAPACITY = 100000


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answers(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def wait_for(true, words, seconds=20.0, pause=0.01):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {seconds:.0f} s for {words}")
        time.sleep(pause)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.read()


class Processes:
    """Started together, ended together: a context."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.all = []

    def start(self, name, *command, **more):
        log = open(self.folder / f"{name}.log", "w")
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=more.get("stdout", log),
                                   stderr=log, text=True)
        self.all.append((name, process))
        return process

    def check(self):
        for name, process in self.all:
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: see {self.folder}/{name}.log")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for _, process in reversed(self.all):
            process.terminate()
        for _, process in reversed(self.all):
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Runner(Processes):
    def __init__(self, folder, delay=0, size=0):
        super().__init__(folder)
        self.process = self.start("runner", BUILD / "tests" / "bench" / "instant_runner", "-delay", delay, "-size", size,
                                  stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stats(self):
        return json.loads(get(f"http://127.0.0.1:{self.port}/stats")[1])


class Lpd(Processes):
    name = "lpd"

    def __init__(self, folder, runner):
        super().__init__(folder)
        models = [{"pipeline": pipeline, "model_id": "bench", "url": f"http://127.0.0.1:{runner.port}", "warm": True,
                   "capacity": CAPACITY} for pipeline in ("text-to-image", "llm")]
        (self.folder / "aiModels.json").write_text(json.dumps(models))
        self.service, self.http, self.cli = free_port(), free_port(), free_port()
        orchestrator = self.start_orchestrator()
        gateway = self.start_gateway()
        self.hops = {"gateway": [gateway.pid], "orchestrator": [orchestrator.pid]}
        self.url = f"http://127.0.0.1:{self.http}"
        wait_for(self.ready, "the gateway to be ready")

    def start_orchestrator(self):
        return self.start("orchestrator", LPD, "-mode", "orchestrator", "-serviceAddr", f"127.0.0.1:{self.service}",
                          "-aiModels", self.folder / "aiModels.json", "-dataDir", self.folder / "orchestrator",
                          "-mediaTTL", "10s", "-maxConnections", CAPACITY, "-maxJobs", CAPACITY)

    def start_gateway(self):
        return self.start("gateway", LPD, "-mode", "gateway", "-orchAddr", f"127.0.0.1:{self.service}",
                          "-httpAddr", f"127.0.0.1:{self.http}", "-cliAddr", f"127.0.0.1:{self.cli}",
                          "-dataDir", self.folder / "gateway", "-mediaTTL", "10s", "-maxConnections", CAPACITY, "-maxJobs", CAPACITY)

    def ready(self):
        self.check()
        try:
            return get(f"http://127.0.0.1:{self.cli}/readyz")[0] == 200
        except OSError:
            return False


NGINX = """
daemon off; pid {folder}/{hop}.pid; error_log {folder}/{hop}.error warn; worker_processes 1; worker_rlimit_nofile {files};
{user}
events {{ worker_connections {files}; }}
http {{
    access_log off; client_max_body_size 0; keepalive_requests 1000000000; proxy_max_temp_file_size 0;
    client_body_temp_path {folder}/{hop}.body; proxy_temp_path {folder}/{hop}.proxy; fastcgi_temp_path {folder}/{hop}.f;
    uwsgi_temp_path {folder}/{hop}.u; scgi_temp_path {folder}/{hop}.s;
    upstream next {{ server 127.0.0.1:{next}; keepalive 2000; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096 {ssl};
        {certificate}
        location / {{
            proxy_pass {scheme}://next; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_ssl_session_reuse on; proxy_read_timeout 600s;
        }}
    }}
}}
"""


class Nginx(Processes):
    """The same two hops: client, nginx, TLS, nginx, runner; one worker each, connections kept."""
    name = "nginx"

    def __init__(self, folder, runner):
        super().__init__(folder)
        first, second = free_port(), free_port()
        cert = f"ssl_certificate {self.folder}/cert.pem; ssl_certificate_key {self.folder}/key.pem;"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "2", "-subj", "/CN=bench", "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"],
                       check=True, capture_output=True)
        self.hops = {"gateway": self.hop("gateway", first, second, "https", "", ""),
                     "orchestrator": self.hop("orchestrator", second, runner.port, "http", "ssl", cert)}
        self.url = f"http://127.0.0.1:{first}"

    def hop(self, hop, port, next_port, scheme, ssl, certificate):
        conf = self.folder / f"{hop}.conf"
        conf.write_text(NGINX.format(folder=self.folder, hop=hop, port=port, next=next_port, scheme=scheme, ssl=ssl,
                                     certificate=certificate, files=19000, user="user root;" if os.getuid() == 0 else ""))
        master = self.start(hop, "/usr/sbin/nginx", "-p", self.folder, "-c", conf).pid
        wait_for(lambda: answers(port), f"nginx as {hop}")
        return [int(pid) for pid in pathlib.Path(f"/proc/{master}/task/{master}/children").read_text().split()]
