#!/usr/bin/env python3
"""test_recorded_paid - a go-livepeer gateway, as recorded, pays an orchestrator of ours for a picture.

tests/vectors/paid.json has the whole exchange of two such nodes.  What a peer must sign anew for each exchange is signed
by peer/chain.py, which shares nothing with lpd and is itself held against the recording.  Each function is a test."""
import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peer"))
from paid import BODY, EV, HEADERS, INFO, PRICE, QUESTION, US, payment_of, put_money, run  # noqa: E402
import chain  # noqa: E402
from chain import Key, keccak, pay, proof, signer, tickets_of  # noqa: E402
from wire import fields, frame as grpc_frame, message, numbers, one, send  # noqa: E402


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
    nodes.start_orchestrator()
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
    new, jobs = Key(80), len(nodes.runner.jobs)
    put_money(nodes.ledger, new.address)
    info = nodes.info(new)

    def job(payment):
        return send(f"{nodes.url}/text-to-image", BODY, nodes.headers(info, payment, new))
    nothing = base64.b64encode(message([(2, new.address), (5, one(info, 3))])).decode()
    reply = job(nothing)
    assert reply.status in (400, 402) and reply.body.startswith(b"Insufficient balance"), reply
    reply = job(pay(new, info, [1]))
    assert reply.status == 400 and reply.body.strip() == b"Insufficient balance", reply
    assert len(nodes.runner.jobs) == jobs
    assert job(pay(new, info, [2])).status == 200       # what was paid before is there: another ticket makes it whole
    assert job(pay(new, info, [3])).status == 200       # and what was left of that
    assert job(nothing).status in (400, 402)
    assert len(nodes.runner.jobs) == jobs + 2


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


def both_end_well(nodes):
    for _, process in nodes.all[::-1]:
        assert nodes.end(process) == 0, process.args


if __name__ == "__main__":
    sys.exit(run(globals()))
