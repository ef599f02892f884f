"""pairs - what is measured: two hops with TLS in the middle, once as lpd and once as nginx.

Each pair answers on .url, its processes are .hops = {"gateway": [pids], "orchestrator": [pids]}; the runner behind
is instant_runner.  Every process is started here and ended here, by its pid."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from money import Paid  # noqa: E402
from nodes import BUILD, Pair, Processes, answers, ask, free_port, wait_for  # noqa: E402

CAPACITY = 100000


class Runner(Processes):
    def __init__(self, folder, delay=0, size=0):
        super().__init__(folder)
        self.process = self.start("runner", BUILD / "tests" / "bench" / "instant_runner", "-delay", delay, "-size", size,
                                  stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def stats(self):
        return json.loads(ask(f"http://127.0.0.1:{self.port}/stats")[2])


class Lpd(Pair):
    name = "lpd"

    def __init__(self, folder, runner):
        super().__init__(folder, runner.port, CAPACITY, ("-mediaTTL", "2s", "-maxConnections", CAPACITY, "-maxJobs", CAPACITY),
                         ("text-to-image", "llm"))
        self.hops = {"gateway": [self.gateway.pid], "orchestrator": [self.orchestrator.pid]}


class PaidLpd(Paid):
    """The same, paid: each job by about so many tickets; one in a hundred wins."""
    name = "lpd"
    EV = 8 * 10**9

    def __init__(self, folder, runner, tickets=1):
        # What the bench's jobs use: of a chat the tokens that come, the rest of what it may take is credit again.
        units = {"llm": 9, "text-to-image": 512 * 512}
        models = [{"pipeline": pipeline, "model_id": "test", "url": f"http://127.0.0.1:{runner.port}", "warm": True,
                   "capacity": CAPACITY, "price_per_unit": self.EV * tickets // n} for pipeline, n in units.items()]
        super().__init__(folder, runner.port, ev=self.EV, models=models,
                         options=("-mediaTTL", "2s", "-maxConnections", CAPACITY, "-maxJobs", CAPACITY))
        self.hops = {"gateway": [self.gateway.pid], "orchestrator": [self.orchestrator.pid]}


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
        children = pathlib.Path(f"/proc/{master}/task/{master}/children")
        wait_for(lambda: children.read_text() and answers(port), f"nginx as {hop}")     # the port opens before the fork
        return [int(pid) for pid in children.read_text().split()]
