#!/usr/bin/env python3
"""test_kept - asynchronous jobs (Prefer: respond-async) and the same request twice (Idempotency-Key), through the real
binary: polled, listed, cancelled, found again after a restart and after kill -9.

Each function is a test; its name is what it says."""
import concurrent.futures
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import LARGE, PICTURE, FakeRunner  # noqa: E402
from nodes import LPD, Pair, ask, each, free_port, wait_for  # noqa: E402

LATER = {"Prefer": "respond-async"}
CHAT = {"model": "test", "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16}


def picture(prompt, **more):
    return {"model_id": "test", "prompt": prompt, "width": 64, "height": 64, **more}


def code_of(body):
    return json.loads(body)["error"]["code"]


def begin(nodes, prompt="a fox", path="/text-to-image", **headers):
    status, got, body = ask(nodes.url + path, picture(prompt), {**LATER, **headers})
    assert status == 202 and got["Location"] and got["Preference-Applied"] == "respond-async", (status, body)
    job = json.loads(body)
    assert got["Location"] == "/jobs/" + job["id"], job
    assert re.fullmatch("[0-9a-f]{32}", job["id"]) and job["request_id"] == job["id"], job
    return job["id"]


def state(job, nodes):
    status, _, body = ask(f"{nodes.url}/jobs/{job}")
    assert status == 200, (status, body)
    return json.loads(body)


def ended(job, nodes):
    wait_for(lambda: state(job, nodes)["status"] != "processing", "the job to end")
    return state(job, nodes)


def an_asynchronous_job_is_polled(nodes, runner):
    runner.gate.clear()
    job = begin(nodes, "wait for it")
    assert state(job, nodes)["status"] == "processing"
    status, headers, body = ask(f"{nodes.url}/jobs/{job}/result")
    assert status == 202 and headers["Retry-After"] and json.loads(body) == {"status": "processing"}, (status, body)
    runner.gate.set()
    done = ended(job, nodes)
    assert done["status"] == "complete" and done["code"] == "ok" and done["expires"] > done["ended"], done
    url = done["result"]["images"][0]["url"]
    assert ask(nodes.url + url)[2] == PICTURE
    status, headers, body = ask(f"{nodes.url}/jobs/{job}/result")
    assert status == 200 and headers["Content-Type"] == "application/json" and json.loads(body) == done["result"]


def every_shape_of_result_can_wait(nodes, runner):
    status, _, body = ask(f"{nodes.url}/llm", CHAT, LATER)
    assert status == 202, (status, body)
    answer = ended(json.loads(body)["id"], nodes)["result"]
    assert answer["choices"][0]["message"]["content"] == "Hello.", answer
    job = begin(nodes, path="/text-to-image?media=inline")
    assert ended(job, nodes)["result"]["images"][0]["url"].startswith("data:image/png;base64,")
    status, _, body = ask(f"{nodes.url}/llm", {**CHAT, "stream": True}, LATER)
    assert status == 422 and "stream" in json.loads(body)["error"]["message"], (status, body)


def bad_input_is_refused_at_once(nodes, runner):
    jobs = len(runner.jobs)
    assert ask(f"{nodes.url}/text-to-image", b"{", LATER)[0] == 400
    status, _, body = ask(f"{nodes.url}/text-to-image", {"model_id": "test"}, LATER)
    assert status in (400, 422), (status, body)
    assert len(runner.jobs) == jobs


def a_job_that_fails_says_why(nodes, runner):
    done = ended(begin(nodes, "refuse too rude"), nodes)
    assert done["status"] == "failed" and done["code"] == "bad_request", done
    assert "too rude" in done["result"]["error"]["message"], done
    status, _, body = ask(f"{nodes.url}/jobs/{done['id']}/result")
    assert status == 400 and code_of(body) == "bad_request", (status, body)
    done = ended(begin(nodes, "never", **{"Lp-Orchestrator": "nowhere.example"}), nodes)
    assert done["status"] == "failed" and done["code"] == "no_orchestrator", done


def a_running_job_is_cancelled_at_the_runner(nodes, runner):
    job = begin(nodes, "hang")
    wait_for(lambda: b"hang" in runner.jobs[-1]["body"], "the job to reach the runner")
    assert ask(f"{nodes.url}/jobs/{job}", method="DELETE")[0] == 204
    assert runner.jobs[-1]["gone"].wait(5), "the runner was not told"
    done = ended(job, nodes)
    assert done["status"] == "cancelled" and done["result"]["error"]["code"] == "cancelled", done
    assert ask(f"{nodes.url}/jobs/{job}", method="DELETE")[0] == 204
    assert ask(f"{nodes.url}/jobs/{job}")[0] == 404
    assert ask(f"{nodes.url}/jobs/{job}", method="DELETE")[0] == 404


def upload(url, picture_, **headers):
    body = (b'--XX\r\nContent-Disposition: form-data; name="model_id"\r\n\r\ntest\r\n--XX\r\n'
            b'Content-Disposition: form-data; name="prompt"\r\n\r\na fox\r\n--XX\r\nContent-Disposition: form-data; '
            b'name="image"; filename="a.png"\r\n\r\n' + picture_ + b"\r\n--XX--\r\n")
    return ask(f"{url}/upscale", body, {"Content-Type": "multipart/form-data; boundary=XX", **headers})


def two_files_that_differ_in_one_byte_far_behind_are_two(nodes, runner):
    """Of the same size, the same for their first 400,000 bytes."""
    one, other = (PICTURE + bytes(400000) + last for last in (b"a", b"b"))
    key = {"Idempotency-Key": "a-file"}
    assert upload(nodes.url, one, **key)[0] == 200
    status, headers, _ = upload(nodes.url, one, **key)
    assert status == 200 and headers["Idempotency-Replayed"] == "true", status
    status, _, body = upload(nodes.url, other, **key)
    assert status == 422 and code_of(body) == "idempotency_key_reused", (status, body)


def jobs_are_listed_newest_first(nodes, runner):
    ids = [begin(nodes) for _ in range(3)]
    for job in ids:
        ended(job, nodes)
    listed = json.loads(ask(f"{nodes.url}/jobs?limit=100")[2])["jobs"]
    assert set(ids) <= {job["id"] for job in listed} and all("result" not in job for job in listed), listed
    assert [job["ended"] for job in listed] == sorted((job["ended"] for job in listed), reverse=True), listed
    one = json.loads(ask(f"{nodes.url}/jobs?limit=1")[2])["jobs"]
    rest = json.loads(ask(f"{nodes.url}/jobs?limit=100&after={one[0]['id']}")[2])["jobs"]
    assert one + rest == listed
    runner.gate.clear()
    running = begin(nodes, "wait for it")
    assert json.loads(ask(f"{nodes.url}/jobs?limit=1")[2])["jobs"][0]["id"] == running
    runner.gate.set()
    ended(running, nodes)


def the_incumbents_way_to_poll_works(nodes, runner):
    runner.gate.clear()
    job = begin(nodes, "wait for it")
    poll = lambda body: ask(f"{nodes.url}/image-to-video/result", body)  # noqa: E731
    status, _, body = poll({"request_id": job})
    assert status == 202 and json.loads(body) == {"status": "processing"}, (status, body)
    runner.gate.set()
    ended(job, nodes)
    status, _, body = poll({"request_id": job})
    answer = json.loads(body)
    assert status == 200 and answer["status"] == "complete" and answer["result"]["images"], (status, body)
    status, _, body = poll({"request_id": "0" * 32})
    assert status == 400 and json.loads(body)["error"]["message"] == "invalid request ID", (status, body)
    assert poll(b"{")[0] == 400
    status, _, body = poll(b"x" * 5000)
    assert status == 413, (status, body)
    assert ask(f"{nodes.url}/jobs/nothing")[0] == 404


def results_and_media_survive_a_restart(nodes, runner):
    small, large = begin(nodes), begin(nodes, "large")
    before = [ended(job, nodes) for job in (small, large)]
    assert nodes.end(nodes.gateway) == 0
    nodes.gateway = nodes.start_gateway()
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")
    assert [state(job, nodes) for job in (small, large)] == before
    for job, bytes_ in zip(before, (PICTURE, LARGE)):
        status, headers, body = ask(nodes.url + job["result"]["images"][0]["url"])
        assert (status, headers["Content-Type"]) == (200, "image/png") and body == bytes_, status


def after_kill_9_what_ended_is_there_and_what_ran_is_said_to_have_failed(nodes, runner):
    done = ended(begin(nodes, "large"), nodes)
    time.sleep(0.3)         # the result is on its way to the disk
    runner.gate.clear()
    running = begin(nodes, "wait for it")
    nodes.all = [row for row in nodes.all if row[1] is not nodes.gateway]
    nodes.gateway.send_signal(signal.SIGKILL)
    nodes.gateway.wait()
    runner.gate.set()
    nodes.gateway = nodes.start_gateway()
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")
    assert state(done["id"], nodes) == done
    assert ask(nodes.url + done["result"]["images"][0]["url"])[2] == LARGE
    lost = state(running, nodes)
    assert lost["status"] == "failed" and lost["code"] == "interrupted", lost
    assert lost["result"]["error"]["code"] == "interrupted", lost


def stop(nodes):
    """SIGTERM; the process goes on."""
    nodes.all = [row for row in nodes.all if row[1] is not nodes.gateway]
    nodes.gateway.send_signal(signal.SIGTERM)
    wait_for(lambda: ask(f"http://127.0.0.1:{nodes.cli['gateway']}/readyz")[0] == 503, "the gateway not to be ready")


def a_gateway_that_goes_down_finishes_asynchronous_jobs(nodes, runner):
    runner.gate.clear()
    job = begin(nodes, "wait for it")
    wait_for(lambda: b"wait for it" in runner.jobs[-1]["body"], "the job to run")
    stop(nodes)
    assert state(job, nodes)["status"] == "processing", "one may still ask"
    status, headers, body = ask(nodes.url + "/text-to-image", picture("a fox"), LATER)
    assert status == 503 and code_of(body) == "draining" and headers["Retry-After"], (status, body)
    runner.gate.set()
    assert nodes.gateway.wait(10) == 0
    nodes.gateway = nodes.start_gateway()
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")
    done = state(job, nodes)
    assert done["status"] == "complete", done
    assert ask(nodes.url + done["result"]["images"][0]["url"])[2] == PICTURE


def what_does_not_end_in_time_is_said_to_have_been_interrupted(nodes, runner):
    assert nodes.end(nodes.gateway) == 0
    nodes.gateway = nodes.node("gateway", "-orchAddr", f"127.0.0.1:{nodes.service}", "-httpAddr", f"127.0.0.1:{nodes.http}",
                               "-drainTimeout", "700ms")
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")
    job = begin(nodes, "hang")
    wait_for(lambda: b"hang" in runner.jobs[-1]["body"], "the job to run")
    began = time.monotonic()
    stop(nodes)
    assert nodes.gateway.wait(10) == 0 and time.monotonic() - began < 5
    assert runner.jobs[-1]["gone"].wait(5), "the runner is told"
    nodes.gateway = nodes.start_gateway()
    wait_for(lambda: nodes.ready("gateway"), "the gateway to be ready")
    lost = state(job, nodes)
    assert lost["status"] == "failed" and lost["code"] == "interrupted", lost


def the_same_request_twice_is_one_job(nodes, runner):
    jobs = len(runner.jobs)
    key = {"Idempotency-Key": "twice"}
    first = ask(f"{nodes.url}/text-to-image", picture("a bear"), key)
    again = ask(f"{nodes.url}/text-to-image", picture("a bear"), key)
    assert first[0] == again[0] == 200 and first[2] == again[2] and len(runner.jobs) == jobs + 1
    assert "Idempotency-Replayed" not in first[1] and again[1]["Idempotency-Replayed"] == "true"
    assert first[1]["X-Request-Id"] == again[1]["X-Request-Id"]
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("a wolf"), key)
    assert status == 422 and code_of(body) == "idempotency_key_reused", (status, body)
    assert ask(f"{nodes.url}/llm", CHAT, key)[0] == 200, "a key is of one pipeline"
    for bad in ("a b", "x" * 256):
        assert ask(f"{nodes.url}/text-to-image", picture("a bear"), {"Idempotency-Key": bad})[0] == 400


def the_same_request_at_the_same_time_is_one_job(nodes, runner):
    jobs = len(runner.jobs)
    runner.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asks = [pool.submit(ask, f"{nodes.url}/text-to-image", picture("wait for it"), {"Idempotency-Key": "eight"})
                for _ in range(8)]
        time.sleep(0.5)
        runner.gate.set()
        answers = [one.result() for one in asks]
    assert len(runner.jobs) == jobs + 1, len(runner.jobs) - jobs
    assert {status for status, _, _ in answers} == {200} and len({body for _, _, body in answers}) == 1


def a_stream_is_replayed_as_events(nodes, runner):
    jobs = len(runner.jobs)
    chat = {**CHAT, "stream": True}
    first, again = (ask(f"{nodes.url}/llm", chat, {"Idempotency-Key": "stream"}) for _ in range(2))
    assert first[2] == again[2] and first[2].endswith(b"}\n\ndata: [DONE]\n\n") and len(runner.jobs) == jobs + 1
    assert again[1]["Content-Type"].startswith("text/event-stream")


def a_fault_that_was_not_the_clients_is_tried_again(nodes, runner):
    key = {"Idempotency-Key": "try again"[:3]}
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("a fox", model_id="nobody/has-this"), key)
    assert status == 503, (status, body)
    jobs = len(runner.jobs)
    assert ask(f"{nodes.url}/text-to-image", picture("a fox"), key)[0] == 200 and len(runner.jobs) == jobs + 1


def a_key_of_an_asynchronous_job_gives_its_id_again(nodes, runner):
    jobs = len(runner.jobs)
    one = begin(nodes, "a crow", **{"Idempotency-Key": "later"})
    ended(one, nodes)
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("a crow"), {**LATER, "Idempotency-Key": "later"})
    assert status == 202 and json.loads(body)["id"] == one and len(runner.jobs) == jobs + 1, (status, body)


def a_second_gateway_on_the_same_folder_is_refused(nodes, runner):
    run = subprocess.run([LPD, "-mode", "gateway", "-httpAddr", f"127.0.0.1:{free_port()}", "-dataDir",
                          nodes.folder / "gateway", "-cliAddr", f"127.0.0.1:{free_port()}"],
                         capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    assert run.returncode == 1 and str(nodes.gateway.pid) in run.stderr, run


def the_document_describes_these_answers(nodes, runner):
    document = json.loads(ask(nodes.url + "/openapi.json")[2])

    def described(name, value):
        schema = document["components"]["schemas"][name]
        assert set(schema.get("required", ())) <= set(value) <= set(schema["properties"]), (name, value)
        assert value.get("status", "complete") in schema["properties"].get("status", {"enum": ["complete"]})["enum"], value

    def answered(path, method, wanted, **more):
        url = nodes.url + path.replace("{id}", more.pop("id", "0" * 32))
        status, headers, body = ask(url, method=method.upper(), **more)
        told = document["paths"][path][method]["responses"]
        assert status == wanted and str(status) in told, (path, method, status, body)
        assert set(told[str(status)].get("headers", ())) <= {key.title() for key in headers} or status == 200, headers.items()
        return body
    runner.gate.clear()
    later = dict(body=picture("wait for it"), headers=LATER)
    job = json.loads(answered("/text-to-image", "post", 202, **later))
    described("Job", job)
    described("Job", json.loads(answered("/jobs/{id}", "get", 200, id=job["id"])))
    described("Processing", json.loads(answered("/jobs/{id}/result", "get", 202, id=job["id"])))
    described("Processing", json.loads(answered("/image-to-video/result", "post", 202, body={"request_id": job["id"]})))
    runner.gate.set()
    described("Job", ended(job["id"], nodes))
    answered("/jobs/{id}/result", "get", 200, id=job["id"])
    answered("/image-to-video/result", "post", 200, body={"request_id": job["id"]})
    listed = json.loads(answered("/jobs", "get", 200))
    described("JobList", listed)
    for row in listed["jobs"]:
        described("Job", row)
    answered("/jobs/{id}", "delete", 204, id=job["id"])
    answered("/jobs/{id}", "get", 404, id=job["id"])
    answered("/jobs/{id}/result", "get", 404)
    answered("/image-to-video/result", "post", 400, body={"request_id": job["id"]})
    answered("/healthz", "get", 200)


def the_log_names_no_prompt_and_no_id(nodes, runner):
    job = begin(nodes, "a secret garden")
    ended(job, nodes)
    log = (nodes.folder / "gateway.log").read_text()
    assert "secret garden" not in log and job not in log


def main():
    folder = tempfile.mkdtemp(prefix="lpd-kept-")
    runner = FakeRunner()
    with Pair(folder, runner.port) as nodes:
        bad = each(globals(), nodes, runner)
    if not bad:
        shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
