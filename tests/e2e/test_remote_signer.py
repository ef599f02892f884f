#!/usr/bin/env python3
"""test_remote_signer - a client without a key gets payments of a signer of ours; and what the signer says to what is no
good.  Expected words are those of go-livepeer 0.9.1.  Each function is a test."""
import base64
import http.server
import json
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "peer"))
from paid import EV, HEADERS, INFO, MODEL, put_money, run  # noqa: E402
import chain  # noqa: E402
from chain import keccak, signer, tickets_of  # noqa: E402
from nodes import LPD, ask, free_port, wait_for  # noqa: E402
from wire import fields, message, one  # noqa: E402

UNITS = 512 * 512


class Webhook(http.server.BaseHTTPRequestHandler):
    """Says what it was told to, and keeps what it was asked."""

    answer, status, asked = {"status": 200}, 200, []

    def do_POST(self):
        Webhook.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        body = json.dumps(Webhook.answer).encode()
        self.send_response(Webhook.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def start_signer(world, *more):
    world.process = world.node("remote-signer", "-httpAddr", f"127.0.0.1:{world.signer_port}", "-maxTicketEV", 2 * EV, "-maxTotalEV",
                               200 * EV, *more)


def post(nodes, path, body=None, headers=None):
    status, got, text = ask(f"http://127.0.0.1:{nodes.signer_port}{path}", b"" if body is None else body, headers)
    return status, got, json.loads(text) if text else None


def info_for(world):
    """The recorded OrchestratorInfo as if it were made now, for a ledger that begins at block 57600."""
    world.offers = getattr(world, "offers", 0) + 1
    params = {4: keccak(bytes([world.offers])), 6: (57600 + 1000).to_bytes(3, "big"), 7: message([(1, 10), (2, bytes(range(32)))])}
    parts = {1: world.url.encode(), 2: message([(n, params.get(n, value)) for n, value in fields(one(INFO, 2))]),
             6: message([(n, int(time.time()) + 1800 if n == 3 else value) for n, value in fields(one(INFO, 6))])}
    return message([(n, parts.get(n, value)) for n, value in fields(INFO)])


def generate(nodes, info, headers=None, **more):
    body = {"orchestrator": base64.b64encode(info).decode(), "inPixels": UNITS, "ManifestID": nodes.manifest, **more}
    return post(nodes, "/generate-live-payment", body, headers)


def refused(answer, status, words):
    assert answer[0] == status and answer[2] == {"error": {"message": words}}, answer


def state_of(answer):
    return json.loads(base64.b64decode(answer["state"]["State"]))


def the_signer_tells_its_proof(nodes):
    nodes.signer_port, nodes.admin["remote-signer"] = free_port(), free_port()
    nodes.url = "https://127.0.0.1:8935"
    start_signer(nodes)
    status, _, answer = post(nodes, "/sign-orchestrator-info")
    assert status == 200 and set(answer) == {"address", "signature"}, answer
    nodes.address, nodes.proof = bytes.fromhex(answer["address"][2:]), bytes.fromhex(answer["signature"][2:])
    assert signer(nodes.proof, keccak(chain.checksummed(nodes.address).encode())) == nodes.address
    assert answer["address"] == chain.checksummed(nodes.address)
    assert post(nodes, "/sign-orchestrator-info", b"{bad")[2] == answer
    assert ask(f"http://127.0.0.1:{nodes.signer_port}/sign-orchestrator-info")[0] == 405
    segment = base64.b64decode(HEADERS["livepeer-segment"])
    nodes.manifest = one(segment, 1).decode()


def a_payment_is_the_signers(nodes):
    put_money(nodes.ledger, nodes.address)
    time.sleep(3)       # until the signer asks the bank anew
    info = info_for(nodes)
    status, _, answer = generate(nodes, info)
    assert status == 200 and set(answer) == {"payment", "segCreds", "state"}, answer
    tickets = tickets_of(answer["payment"])
    assert len(tickets) == 2 and all(who == nodes.address == ticket.sender for ticket, who in tickets)
    state = state_of(answer)
    assert list(state) == ["StateID", "PMSessionID", "LastUpdate", "OrchestratorAddress", "App", "AuthExpiry", "SenderNonce",
                           "Balance", "InitialPricePerUnit", "InitialPixelsPerUnit", "Type", "SequenceNumber", "AuthID"]
    assert state["SequenceNumber"] == 0 and state["Type"] == "" and state["SenderNonce"] == tickets[-1][0].nonce, state
    segment = base64.b64decode(answer["segCreds"])
    assert one(segment, 1) == nodes.manifest.encode() and one(segment, 8) == one(info, 6)
    assert signer(one(segment, 5), keccak(one(segment, 1) + bytes(32) + keccak(b""))) == nodes.address
    nodes.last, nodes.offer = answer, info


def a_state_goes_on_and_no_nonce_comes_twice(nodes):
    seen = {ticket.nonce for ticket, _ in tickets_of(nodes.last["payment"])}
    first, answers = nodes.last["state"], []
    for _ in range(4):
        status, _, answer = generate(nodes, nodes.offer, state=nodes.last["state"])
        assert status == 200, answer
        new = {ticket.nonce for ticket, _ in tickets_of(answer["payment"])}
        assert new and not new & seen, "a nonce came twice"
        seen |= new
        answers.append(answer)
        nodes.last = answer
    # The last answer was lost: the very same again.  An old state goes on where the session is.
    assert generate(nodes, nodes.offer, state=answers[-2]["state"])[2] == answers[-1]
    for old in (first, first):
        status, _, answer = generate(nodes, nodes.offer, state=old)
        if status == 200 and answer not in answers:
            new = {ticket.nonce for ticket, _ in tickets_of(answer["payment"])}
            assert not new & seen
            seen |= new
            answers.append(answer)
            nodes.last = answer


def refusals_have_the_recorded_words(nodes):
    state = nodes.last["state"]
    refused(post(nodes, "/generate-live-payment", b"{"), 400, "unexpected EOF")
    refused(post(nodes, "/generate-live-payment", {}), 400, "missing orchestrator")
    refused(post(nodes, "/generate-live-payment", {"orchestrator": "!!"}), 400, "illegal base64 data at input byte 0")
    refused(generate(nodes, nodes.offer, inPixels=0), 400, "missing billable unit or job type")
    refused(generate(nodes, nodes.offer, inPixels=-1), 400, "missing billable unit or job type")
    refused(generate(nodes, nodes.offer, type="x"), 400, "invalid job type")
    refused(generate(nodes, nodes.offer, state=state, ManifestID=""), 400, "missing manifestID")
    refused(generate(nodes, nodes.offer, state=state, app="z"), 400, "app mismatch")
    refused(generate(nodes, nodes.offer, state={"State": state["State"], "Sig": None}), 400, "invalid sig")
    forged = base64.b64encode(base64.b64decode(state["State"]).replace(b'"App":""', b'"App":"z"')).decode()
    refused(generate(nodes, nodes.offer, state={"State": forged, "Sig": state["Sig"]}), 400, "invalid sig")
    price = {"price": 1, "currency": "wei", "unit": "seconds"}
    refused(generate(nodes, nodes.offer, type="live", maxPrice=price), 481,
            "orchestrator price 100000000.000 exceeds request maxPrice ceiling 1.000")
    status, _, answer = generate(nodes, nodes.offer, inPixels=UNITS * 100)
    assert status == 400 and answer["error"]["message"].endswith("exceeds maximum of 100"), answer
    status, headers, answer = generate(nodes, b"".join([message([(n, message([(k, 1 if k == 3 else v) for k, v in fields(value)])
        if n == 6 else value) for n, value in fields(nodes.offer)])]))
    assert (status, answer) == (480, {"error": {"message": "refresh session for remote signer"}}), answer
    assert headers["livepeer-orchestrator-url"] == nodes.url, headers


def after_a_crash_no_offer_is_signed_for_again(nodes):
    nodes.all = [row for row in nodes.all if row[1] is not nodes.process]
    nodes.process.send_signal(signal.SIGKILL)
    nodes.process.wait()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    start_signer(nodes, "-remoteSignerWebhookUrl", f"http://127.0.0.1:{server.server_port}/ask", "-remoteSignerWebhookHeaders",
                 "X-Wh:1")
    refused(generate(nodes, nodes.offer, state=nodes.last["state"]), 480, "refresh session for remote signer")
    assert not Webhook.asked
    nodes.offer = info_for(nodes)
    status, _, answer = generate(nodes, nodes.offer, state=nodes.last["state"], headers={"X-Client": "c1"})
    assert status == 200, answer
    assert Webhook.asked[0]["headers"]["X-Client"] == ["c1"], Webhook.asked
    assert Webhook.asked[0]["state"]["StateID"] == state_of(answer)["StateID"]
    nodes.last = answer


def who_may_not_gets_no_ticket_and_uses_none_up(nodes):
    before = state_of(nodes.last)["SenderNonce"]
    for answer, status, words in (
            ({"status": 402, "reason": "no credit"}, 402, "no credit"),
            ({"status": 429}, 429, "signer auth rejected request with status 429"),
            ({}, 500, "Internal Server Error"), ({"status": 0}, 500, "Internal Server Error"), ([], 500, "Internal Server Error"),
            ({"status": 200, "maxPrice": {"price": 1, "currency": "usd", "unit": "seconds"}}, 502,
             "signer auth invalid maxPrice: maxPrice.currency must be wei"),
            ({"status": 200, "maxPrice": {"price": 1, "currency": "wei", "unit": "seconds"}}, 481,
             "orchestrator price 100000000.000 exceeds auth webhook maxPrice ceiling 1.000")):
        Webhook.answer = answer
        refused(generate(nodes, nodes.offer, type="live", inPixels=0), status, words)
    Webhook.answer, Webhook.status = {"status": 200}, 201
    refused(generate(nodes, nodes.offer), 500, "Internal Server Error")
    Webhook.status = 200
    status, _, answer = generate(nodes, nodes.offer, state=nodes.last["state"])
    assert status == 200 and min(t.nonce for t, _ in tickets_of(answer["payment"])) == before + 1
    nodes.last = answer


def an_auth_id_does_not_change(nodes):
    Webhook.answer = {"status": 200, "auth_id": "a"}
    status, _, answer = generate(nodes, nodes.offer)
    assert status == 200 and state_of(answer)["AuthID"] == "a", answer
    Webhook.answer = {"status": 200, "auth_id": "b"}
    refused(generate(nodes, nodes.offer, state=answer["state"]), 500, "Internal Server Error")


def a_gateway_without_a_key_pays_through_it(nodes):
    Webhook.answer = {"status": 200}
    nodes.url = f"https://{nodes.service}"
    nodes.start_orchestrator()
    nodes.admin["gateway"], http_port = free_port(), free_port()
    nodes.start("gateway", LPD, "-mode", "gateway", "-cliAddr", f"127.0.0.1:{nodes.admin['gateway']}", "-dataDir",
                nodes.folder / "gateway", "-httpAddr", f"127.0.0.1:{http_port}", "-orchAddr", nodes.service, "-remoteSignerUrl",
                f"http://127.0.0.1:{nodes.signer_port}", "-remoteSignerHeaders", "X-Gateway:g1")
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")
    for _ in range(3):
        jobs = len(nodes.runner.jobs)
        status, _, body = ask(f"http://127.0.0.1:{http_port}/text-to-image", {"model_id": MODEL, "prompt": "a boat"})
        assert status == 200 and len(nodes.runner.jobs) == jobs + 1, body
    assert Webhook.asked[-1]["headers"]["X-Gateway"] == ["g1"]


def all_end_well(nodes):
    for _, process in nodes.all[::-1]:
        assert nodes.end(process) == 0, process.args


if __name__ == "__main__":
    sys.exit(run(globals()))
