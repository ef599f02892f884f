"""paid - what was recorded of a paid exchange between two go-livepeer nodes, and nodes of ours to have it with."""
import base64
import json
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "support"), str(HERE.parent), str(HERE)]
from chain import Key, proof, segment_sig  # noqa: E402
from fake_runner import FakeRunner  # noqa: E402
from nodes import LPD, Processes, ask, each, free_port, wait_for  # noqa: E402
from wire import fields, frame as grpc_frame, message, one, send, unframe  # noqa: E402

PAID = json.loads((HERE.parents[1] / "vectors" / "paid.json").read_text())
INFO, QUESTION = bytes.fromhex(PAID["info_hex"]), bytes.fromhex(PAID["question_hex"])
HEADERS, BODY = PAID["headers"], bytes.fromhex(PAID["body_hex"])
MODEL = "instant/t2i"
PRICE, EV = 10**8, 2 * 10**13       # as recorded: a picture of 512 x 512 is two tickets
MONEY = 10**21
US = Key(0x1111111111111111111111111111111111111111111111111111111111111111)


def payment_of(header):
    return base64.b64decode(header)


def without(headers):
    return {name: value for name, value in headers.items() if name[0] != ":" and name != "content-length"}


def put_money(ledger, address):
    """Here whoever can write the file is the bank."""
    db = sqlite3.connect(ledger, timeout=20)
    with db:
        zero, money = bytes(32), MONEY.to_bytes(32, "big")
        db.execute("INSERT OR REPLACE INTO sender VALUES (?, ?, ?, ?, 0, 0)", (address, money, money, zero))
    db.close()


class Nodes(Processes):
    """Nodes of ours on a ledger of their own."""

    def __init__(self, folder):
        super().__init__(folder)
        self.runner = FakeRunner()
        self.ledger = self.folder / "ledger.db"
        self.service, self.http = f"127.0.0.1:{free_port()}", free_port()
        self.url = f"https://{self.service}"
        self.admin = {role: free_port() for role in ("orchestrator", "gateway")}
        self.nonce = 0
        models = [{"pipeline": "text-to-image", "model_id": MODEL, "url": f"http://127.0.0.1:{self.runner.port}", "warm": True,
                   "capacity": 8}]
        (self.folder / "aiModels.json").write_text(json.dumps(models))

    def start_orchestrator(self):
        self.node("orchestrator", "-serviceAddr", self.service, "-aiModels", self.folder / "aiModels.json", "-pricePerUnit",
                  PRICE, "-ticketEV", EV)
        put_money(self.ledger, US.address)
        time.sleep(2)       # until the orchestrator asks the bank anew

    def node(self, role, *options):
        process = self.start(role, LPD, "-mode", role, "-cliAddr", f"127.0.0.1:{self.admin[role]}", "-dataDir",
                             self.folder / role, "-network", "local", "-ledger", self.ledger, *options)
        wait_for(lambda: self.ready(role), f"the {role} to be ready")
        return process

    def ready(self, role):
        self.check()
        try:
            return ask(f"http://127.0.0.1:{self.admin[role]}/readyz", timeout=2)[0] == 200
        except OSError:
            return False

    def info(self, key=US):
        question = message([(n, {1: key.address, 2: proof(key)}.get(n, value)) for n, value in fields(QUESTION)])
        reply = send(f"{self.url}/net.Orchestrator/GetOrchestrator", grpc_frame(question),
                     {"content-type": "application/grpc", "user-agent": "grpc-go/1.68.1", "te": "trailers"})
        assert reply.headers.get("grpc-status") == "0", reply
        return unframe(reply.body)

    def headers(self, info, payment, key=US):
        segment = base64.b64decode(HEADERS["livepeer-segment"])
        manifest = one(segment, 1)
        other = {5: segment_sig(key, manifest), 8: one(info, 6)}
        segment = message([(n, other.get(n, value)) for n, value in fields(segment)])
        return {**without(HEADERS), "livepeer-segment": base64.b64encode(segment).decode(), "livepeer-payment": payment}

    def nonces(self, n=2):
        self.nonce += n
        return range(self.nonce - n + 1, self.nonce + 1)

    def job(self, info, payment):
        return send(f"{self.url}/text-to-image", BODY, self.headers(info, payment))


def run(tests):
    """A script's tests, with nodes of their own.  Its exit status."""
    if not shutil.which("curl"):
        print("curl is not installed")
        return 77
    folder = tempfile.mkdtemp(prefix="lpd-paid-")
    with Nodes(folder) as nodes:
        bad = each(tests, nodes)
    shutil.rmtree(folder, ignore_errors=True)
    return bad
