#!/usr/bin/env python3
"""test_recorded_payer - a gateway of ours pays a go-livepeer orchestrator for pictures, as the recorded gateway did.

The orchestrator says what tests/vectors/paid.json has of one, with blocks, addresses and ports of here.  What it is sent
is looked at by peer/chain.py, which shares nothing with lpd.  Each function is a test."""
import base64
import json
import pathlib
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peer"))
from paid import BODY, EV, HEADERS, INFO, PRICE, payment_of, put_money, run  # noqa: E402
import chain  # noqa: E402
import h2  # noqa: E402
from chain import Key, keccak, signer, tickets_of  # noqa: E402
from fake_runner import PICTURE  # noqa: E402
from h2 import END_HEADERS, END_STREAM, frame  # noqa: E402
from money import lpd, new_account  # noqa: E402
from nodes import ask, wait_for  # noqa: E402
from test_hostile_orchestrator import Crowd, Orchestrator, data_frames, trailers  # noqa: E402
from wire import fields, frame as grpc_frame, message, numbers, one, unframe  # noqa: E402


# ---- we pay a peer's orchestrator ----

def head_of(stream, kind):
    return frame(h2.HEADERS, h2.block((":status", "200"), ("content-type", kind)), END_HEADERS, stream)


class Peer(Orchestrator):
    """go-livepeer's orchestrator, as recorded: its offer with addresses and blocks of here, and its answer."""

    def __init__(self, nodes):
        super().__init__("peer")
        self.nodes, self.key, self.heads, self.questions, self.offers = nodes, Key(79), [], [], []
        self.same, self.on_job = False, None
        Crowd(nodes.folder, [self])

    def offer(self):
        if self.same and self.offers:       # as a cache might, or somebody who would have nonces twice
            return self.offers[-1]
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
        if self.on_job:
            self.on_job()
        picture = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
        body = json.dumps({"images": [{"nsfw": False, "seed": 1234567, "url": picture}]}).encode()
        peer.send(head_of(stream, "application/json"), data_frames(stream, body))


def register(nodes, peer):
    """As if it had done so itself."""
    db = sqlite3.connect(nodes.ledger, timeout=20)
    with db:
        db.execute("INSERT INTO recipient VALUES (?, ?)", (peer.key.address, bytes(32)))
    db.close()


def start_payer(nodes, peer):
    return nodes.node("gateway", "-orchAddr", f"127.0.0.1:{peer.port}", "-httpAddr", f"127.0.0.1:{nodes.http}", "-maxTicketEV", 10 * EV,
                      "-maxTotalEV", 100 * EV)


def picture(node):
    try:
        return ask(f"http://127.0.0.1:{node.http}/text-to-image", json.loads(BODY), timeout=20)[0]
    except OSError:
        return 0


def a_peers_orchestrator_is_paid_for_pictures_in_the_recorded_form(nodes):
    lpd("bank", "mine", 1, "-ledger", nodes.ledger)
    peer = Peer(nodes)
    register(nodes, peer)
    account = bytes.fromhex(new_account(nodes.folder / "gateway")[2:])
    put_money(nodes.ledger, account)
    nodes.gateway, nodes.peer = start_payer(nodes, peer), peer
    assert [picture(nodes) for _ in range(5)] == [200] * 5
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


def after_a_kill_no_ticket_of_an_offer_that_was_in_use_leaves(nodes):
    """R-6: the peer hands out the same offer as before, and kills the gateway as its tickets come."""
    peer, used = nodes.peer, set()

    def kill():
        nodes.gateway.kill()

    for _ in range(8):
        peer.same, peer.on_job = False, None
        wait_for(lambda: picture(nodes) == 200, "a picture, paid under a new offer", 30, 0.2)
        peer.same, peer.on_job = True, kill
        for _ in range(3):      # perhaps one has credit left and pays nothing
            if nodes.gateway.poll() is None:
                picture(nodes)
        nodes.gateway.wait(5)
        nodes.all = [row for row in nodes.all if row[1] is not nodes.gateway]
        peer.on_job, before = None, len(peer.heads)
        nodes.gateway = start_payer(nodes, peer)
        picture(nodes)
        for head in peer.heads[before:]:
            assert not [row for row in fields(payment_of(head["livepeer-payment"])) if row[0] == 4], "its offer was used before"
    for head in peer.heads:
        if 1 in numbers(payment_of(head["livepeer-payment"])):
            for ticket, _ in tickets_of(head["livepeer-payment"]):
                assert (ticket.rand_hash, ticket.nonce) not in used, ticket.nonce
                used.add((ticket.rand_hash, ticket.nonce))
    assert len(used) > 16


def both_end_well(nodes):
    for _, process in nodes.all[::-1]:
        assert nodes.end(process) == 0, process.args


if __name__ == "__main__":
    sys.exit(run(globals()))
