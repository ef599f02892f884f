#!/usr/bin/env python3
"""test_recorded_paid - a paid text-to-image both ways round, against what go-livepeer 0.9.1 was seen to send.

tests/vectors/paid.json has the whole exchange of two such nodes.  What a peer must sign anew for each exchange is signed
by peer/chain.py, which shares nothing with lpd and is itself held against the recording.  Each function is a test."""
import base64
import json
import pathlib
import shutil
import sqlite3
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE / "peer"), str(HERE)]
import chain  # noqa: E402
import h2  # noqa: E402
from chain import Key, keccak, pay, proof, segment_sig, signer, tickets_of  # noqa: E402
from fake_runner import PICTURE, FakeRunner  # noqa: E402
from h2 import END_HEADERS, END_STREAM, frame  # noqa: E402
from money import new_account  # noqa: E402
from nodes import LPD, Processes, ask, each, free_port, wait_for  # noqa: E402
from test_hostile_orchestrator import Crowd, Orchestrator, data_frames, trailers  # noqa: E402
from wire import fields, frame as grpc_frame, message, numbers, one, send, unframe  # noqa: E402

PAID = json.loads((HERE.parent / "vectors" / "paid.json").read_text())
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
    """An orchestrator of ours, whom a peer's gateway pays; and a gateway of ours, that pays a peer's orchestrator."""

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


# ---- the recording, and what we make in its place ----

def what_stands_for_the_peer_agrees_with_the_recording(nodes):
    asked, segment = dict(fields(QUESTION)), dict(fields(base64.b64decode(HEADERS["livepeer-segment"])))
    assert signer(asked[2], keccak(chain.checksummed(asked[1]).encode())) == asked[1]
    assert signer(segment[5], keccak(segment[1] + bytes(32) + keccak(b""))) == asked[1]
    recorded = tickets_of(HEADERS["livepeer-payment"])
    assert [ticket.nonce for ticket, _ in recorded] == [1, 2]
    assert all(who == ticket.sender == asked[1] for ticket, who in recorded)
    ours = payment_of(pay(US, INFO, [1, 2]))
    theirs = payment_of(HEADERS["livepeer-payment"])
    assert [n for n, _ in fields(ours)] == [n for n, _ in fields(theirs)]
    for number in (1, 3, 5):        # params, round, price: byte for byte what the orchestrator had said
        assert one(ours, number) == one(theirs, number), number
    assert pay(US, INFO, [1, 2]) == pay(US, INFO, [1, 2])


# ---- a peer's gateway pays us ----

def our_offer_has_the_recorded_form(nodes):
    info = nodes.info()
    assert numbers(info) == numbers(INFO) == [1, 2, 3, 4, 5, 6], numbers(info)
    params, theirs = one(info, 2), one(INFO, 2)
    assert numbers(params) == numbers(theirs) == [1, 2, 3, 4, 5, 6, 7], numbers(params)
    assert numbers(one(params, 7)) == [1, 2]
    assert one(params, 1) == one(info, 4) and len(one(info, 4)) == 20, "paid is who answers"
    assert [len(one(params, n)) for n in (4, 5)] == [32, 32]
    worth = int.from_bytes(one(params, 2), "big") * int.from_bytes(one(params, 3), "big") / 2**256
    assert abs(worth / EV - 1) < 1e-9, worth
    price = dict(fields(one(info, 3)))
    assert price[1] / price[2] == PRICE, price
    assert one(one(nodes.info(), 2), 4) != one(params, 4), "each offer is a new one"


def a_stranger_who_is_not_who_he_says_is_refused(nodes):
    question = message([(n, {1: bytes(range(20)), 2: proof(US)}.get(n, value)) for n, value in fields(QUESTION)])
    reply = send(f"{nodes.url}/net.Orchestrator/GetOrchestrator", grpc_frame(question),
                 {"content-type": "application/grpc", "te": "trailers"})
    assert reply.headers.get("grpc-status") not in ("", "0", None), reply


def a_paid_picture_job_runs(nodes):
    jobs, info = len(nodes.runner.jobs), nodes.info()
    reply = nodes.job(info, pay(US, info, nodes.nonces()))
    assert reply.status == 200 and len(nodes.runner.jobs) == jobs + 1, reply
    answer = json.loads(reply.body)
    assert set(answer["images"][0]) >= {"nsfw", "seed", "url"}, answer
    for _ in range(3):      # more of the same offer, as a gateway does
        assert nodes.job(info, pay(US, info, nodes.nonces())).status == 200


def a_job_without_money_is_refused_in_the_networks_words(nodes):
    jobs, info = len(nodes.runner.jobs), nodes.info()
    one_short = nodes.job(info, pay(US, info, nodes.nonces(1)))
    assert one_short.status == 400 and one_short.body.strip() == b"Insufficient balance", one_short
    # What was paid is there: another one makes it whole.
    assert nodes.job(info, pay(US, info, nodes.nonces(1))).status == 200
    nothing = base64.b64encode(message([(2, US.address), (5, one(info, 3))])).decode()
    reply = nodes.job(info, nothing)
    assert reply.status == 400 and reply.body.strip() == b"Insufficient balance", reply
    assert len(nodes.runner.jobs) == jobs + 1


def the_same_tickets_in_another_payment_are_refused(nodes):
    info, (first, second) = nodes.info(), nodes.nonces()
    assert nodes.job(info, pay(US, info, [first, second])).status == 200
    reply = nodes.job(info, pay(US, info, [second, first]))
    assert reply.status == 400 and b"invalid ticket senderNonce: already seen" in reply.body, reply


def tickets_of_another_are_refused(nodes):
    info, thief = nodes.info(), Key(77)
    stolen = payment_of(pay(thief, info, nodes.nonces()))
    named = base64.b64encode(message([(n, US.address if n == 2 else value) for n, value in fields(stolen)])).decode()
    reply = nodes.job(info, named)
    assert reply.status == 400 and b"invalid ticket signature" in reply.body, reply


def an_offer_that_was_changed_is_refused(nodes):
    info = nodes.info()
    params = one(info, 2)
    dearer = (2 * int.from_bytes(one(params, 2), "big")).to_bytes(32, "big").lstrip(b"\0")
    forged = message([(n, message([(m, dearer if m == 2 else v) for m, v in fields(params)]) if n == 2 else value)
                      for n, value in fields(info)])
    reply = nodes.job(info, pay(US, forged, nodes.nonces()))
    assert reply.status == 400 and b"invalid recipientRand for ticket recipientRandHash" in reply.body, reply


def a_job_that_is_signed_by_another_is_refused(nodes):
    info = nodes.info()
    headers = nodes.headers(info, pay(US, info, nodes.nonces()), key=Key(78))
    reply = send(f"{nodes.url}/text-to-image", BODY, headers)
    assert reply.status == 403, reply


# ---- we pay a peer's orchestrator ----

def head_of(stream, kind):
    return frame(h2.HEADERS, h2.block((":status", "200"), ("content-type", kind)), END_HEADERS, stream)


class Peer(Orchestrator):
    """go-livepeer's orchestrator, as recorded: its offer with addresses and blocks of here, and its answer."""

    def __init__(self, nodes):
        super().__init__("peer")
        self.nodes, self.key, self.heads, self.questions, self.offers = nodes, Key(79), [], [], []
        Crowd(nodes.folder, [self])

    def offer(self):
        n = len(self.offers)
        db = sqlite3.connect(f"file:{self.nodes.ledger}?mode=ro", uri=True)
        now = db.execute("SELECT block FROM clock").fetchone()[0]
        db.close()
        other = {1: self.key.address, 4: keccak(b"rand %d" % n), 5: keccak(b"seed %d" % n), 6: (now + 40).to_bytes(8, "big").lstrip(b"\0")}
        rows = {1: f"https://127.0.0.1:{self.port}".encode(), 4: self.key.address,
                2: message([(number, other.get(number, value)) for number, value in fields(one(INFO, 2))]),
                6: message([(number, int(time.time()) + 1800 if number == 3 else value) for number, value in fields(one(INFO, 6))])}
        self.offers.append(message([(number, rows.get(number, value)) for number, value in fields(INFO)]))
        return self.offers[-1]

    def serve(self, peer):
        heads, streams, bodies = h2.Heads(), {}, {}
        while got := peer.read():
            kind, flags, stream, payload = got
            if kind == h2.SETTINGS and not flags & 1:
                peer.send(frame(h2.SETTINGS, b"", 1))
            elif kind == h2.PING and not flags & 1:
                peer.send(frame(h2.PING, payload, 1))
            elif kind == h2.HEADERS:
                streams[stream] = heads.read(flags, payload)
            elif kind == h2.DATA:
                bodies[stream] = bodies.get(stream, b"") + payload
                if flags & END_STREAM:
                    self.answer(peer, stream, streams[stream], bodies.pop(stream))

    def answer(self, peer, stream, head, body):
        if head[":path"].startswith("/net."):
            self.questions.append(unframe(body))
            peer.send(head_of(stream, "application/grpc"), data_frames(stream, grpc_frame(self.offer()), 0),
                      trailers(stream, ("grpc-status", "0")))
            return
        self.heads.append(head)
        picture = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
        body = json.dumps({"images": [{"nsfw": False, "seed": 1234567, "url": picture}]}).encode()
        peer.send(head_of(stream, "application/json"), data_frames(stream, body))


def a_peers_orchestrator_is_paid_for_pictures_in_the_recorded_form(nodes):
    peer = Peer(nodes)
    db = sqlite3.connect(nodes.ledger, timeout=20)
    with db:        # as if it had registered
        db.execute("INSERT INTO recipient VALUES (?, ?)", (peer.key.address, bytes(32)))
    db.close()
    account = bytes.fromhex(new_account(nodes.folder / "gateway")[2:])
    put_money(nodes.ledger, account)
    nodes.node("gateway", "-orchAddr", f"127.0.0.1:{peer.port}", "-httpAddr", f"127.0.0.1:{nodes.http}", "-maxTicketEV", 10 * EV,
               "-maxTotalEV", 100 * EV)
    for _ in range(5):
        status, _, body = ask(f"http://127.0.0.1:{nodes.http}/text-to-image", json.loads(BODY))
        assert status == 200, body
    asked = [dict(fields(question)) for question in peer.questions]
    assert all(signer(row[2], keccak(chain.checksummed(account).encode())) == row[1] == account for row in asked)
    used, value = set(), 0
    for head in peer.heads:
        payment, segment = payment_of(head["livepeer-payment"]), dict(fields(base64.b64decode(head["livepeer-segment"])))
        assert signer(segment[5], keccak(segment[1] + bytes(32) + keccak(b""))) == account
        assert one(payment, 2) == account and one(payment, 5) == one(INFO, 3), "the price is named as it came"
        if 1 not in numbers(payment):
            continue        # what was there was enough
        assert numbers(payment) == numbers(payment_of(HEADERS["livepeer-payment"])) == [1, 2, 3, 4, 5]
        assert numbers(one(payment, 1)) == [1, 2, 3, 4, 5, 6], "field 7 stays out"
        offer = [row for row in peer.offers if one(one(row, 2), 4) == one(one(payment, 1), 4)]
        assert len(offer) == 1 and message([r for r in fields(one(offer[0], 2)) if r[0] != 7]) == one(payment, 1)
        assert one(one(offer[0], 2), 7) == one(payment, 3)
        for ticket, who in tickets_of(head["livepeer-payment"]):
            assert who == ticket.sender == account and (ticket.rand_hash, ticket.nonce) not in used
            used.add((ticket.rand_hash, ticket.nonce))
            value += ticket.face * ticket.chance / 2**256
    assert len(peer.heads) == 5
    cost = 5 * 512 * 512 * PRICE
    assert cost * 0.999999 <= value <= cost + 2 * EV, (value, cost)


def both_end_well(nodes):
    for _, process in nodes.all[::-1]:
        assert nodes.end(process) == 0, process.args


def main():
    if not shutil.which("curl"):
        print("curl is not installed")
        return 77
    folder = tempfile.mkdtemp(prefix="lpd-paid-")
    with Nodes(folder) as nodes:
        bad = each(globals(), nodes)
    shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
