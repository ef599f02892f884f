#!/usr/bin/env python3
"""test_reload - SIGHUP while jobs run: models, limits and the log's level change, no job notices.

Each function is a test; its name is what it says."""
import concurrent.futures
import json
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from fake_runner import FakeRunner  # noqa: E402
from nodes import Pair, ask, each, wait_for  # noqa: E402


def picture(prompt, model="test"):
    return {"model_id": model, "prompt": prompt, "width": 64, "height": 64}


def log_of(pair, role):
    return (pair.folder / f"{role}.log").read_text()


def reload(nodes, process, role, words="reading again"):
    before = log_of(nodes, role).count(words)
    process.send_signal(signal.SIGHUP)
    wait_for(lambda: log_of(nodes, role).count(words) > before, words)


def runners(nodes):
    status = json.loads(ask(f"http://127.0.0.1:{nodes.cli['orchestrator']}/status")[2])
    return {(row["pipeline"], row["model"]): row for row in status["orchestrator"]["runners"]}


def write_models(pair, models):
    (pair.folder / "aiModels.json").write_text(json.dumps(models) if not isinstance(models, str) else models)


def entry(runner, model, **more):
    return {"pipeline": "text-to-image", "model_id": model, "url": f"http://127.0.0.1:{runner.port}", **more}


def a_new_model_is_offered_and_an_old_one_no_more(nodes, runner):
    write_models(nodes, [entry(runner, "test", capacity=5), entry(runner, "second")])
    reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
    wait_for(lambda: runners(nodes)["text-to-image", "second"]["state"] == "ready", "the new runner")
    assert set(runners(nodes)) == {("text-to-image", "test"), ("text-to-image", "second")}, runners(nodes)
    assert runners(nodes)["text-to-image", "test"]["capacity"] == 5
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", picture("a fox", "second"))[0] == 200, "a job of it", 20, 0.2)
    status, _, body = ask(f"{nodes.url}/upscale", b"--X--\r\n", {"Content-Type": "multipart/form-data; boundary=X"})
    assert status in (400, 422, 503), (status, body)


def a_job_that_runs_on_a_model_that_goes_is_finished(nodes, runner):
    write_models(nodes, [entry(runner, "test"), entry(runner, "second")])
    reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", picture("a fox", "second"))[0] == 200, "a job", 20, 0.2)
    runner.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(ask, f"{nodes.url}/text-to-image", picture("wait for it", "second"))
        wait_for(lambda: runners(nodes)["text-to-image", "second"]["in_use"] == 1, "the job to run")
        write_models(nodes, [entry(runner, "test")])
        reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
        assert set(runners(nodes)) == {("text-to-image", "test")}
        runner.gate.set()
        assert job.result()[0] == 200


def a_runner_that_stays_keeps_its_jobs_and_health(nodes, runner):
    runner.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(ask, f"{nodes.url}/text-to-image", picture("wait for it"))
        wait_for(lambda: runners(nodes)["text-to-image", "test"]["in_use"] == 1, "the job to run")
        write_models(nodes, [entry(runner, "test", capacity=7)])
        reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
        row = runners(nodes)["text-to-image", "test"]
        assert (row["in_use"], row["capacity"], row["state"]) == (1, 7, "ready"), row
        runner.gate.set()
        assert job.result()[0] == 200
    assert runners(nodes)["text-to-image", "test"]["in_use"] == 0


def listed(nodes):
    status = json.loads(ask(f"http://127.0.0.1:{nodes.cli['orchestrator']}/status")[2])
    return status["orchestrator"]["runners"]


def an_entry_for_one_gateway_is_a_price_and_runs_nothing(nodes, runner):
    price = {"gateway": "0x" + "ab" * 20, "price_per_unit": 1, "pixels_per_unit": 1}
    write_models(nodes, [entry(runner, "test", capacity=3), entry(runner, "test", capacity=50, **price),
                         entry(runner, "only-priced", capacity=50, **price)])
    reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
    assert [(row["model"], row["capacity"]) for row in listed(nodes)] == [("test", 3)], listed(nodes)


def two_runners_of_one_model_share_its_jobs(nodes, runner):
    other = FakeRunner()
    other.gate = runner.gate
    write_models(nodes, [entry(runner, "test", capacity=2), entry(other, "test", capacity=2)])
    reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
    wait_for(lambda: [row["state"] for row in listed(nodes)] == ["ready", "ready"], "both runners")
    before = len(runner.jobs), len(other.jobs)
    runner.gate.clear()
    def until_taken(_):
        while (answer := ask(f"{nodes.url}/text-to-image", picture("wait for it")))[0] == 503:
            time.sleep(0.2)
        return answer[0]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(until_taken, i) for i in range(4)]
        wait_for(lambda: len(runner.jobs) - before[0] == 2 and len(other.jobs) - before[1] == 2, "two jobs at each", 40)
        runner.gate.set()
        assert [job.result() for job in jobs] == [200] * 4
    other.shutdown()
    write_models(nodes, [entry(runner, "test", capacity=7)])
    reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", picture("a fox"))[0] == 200, "a good job", 20, 0.2)


def a_file_with_a_mistake_changes_nothing(nodes, runner):
    before = runners(nodes)
    write_models(nodes, '[{"pipeline": "llm"}]')
    reload(nodes, nodes.orchestrator, "orchestrator", "the old ones stay")
    assert 'entry 1 (line 1)' in log_of(nodes, "orchestrator")
    assert runners(nodes) == before
    write_models(nodes, [entry(runner, "test")])


def a_bound_of_each_client_counts_the_jobs_that_came_after_it(nodes, runner):
    config = nodes.folder / "gateway.conf"
    config.write_text("maxJobsPerClient 1\n")
    reload(nodes, nodes.gateway, "gateway")
    runner.gate.clear()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        job = pool.submit(ask, f"{nodes.url}/text-to-image", picture("wait for it"))
        wait_for(lambda: runners(nodes)["text-to-image", "test"]["in_use"] == 1, "the job to run")
        status, headers, body = ask(f"{nodes.url}/text-to-image", picture("a fox"))
        assert status == 429 and headers["Retry-After"], (status, body)
        assert json.loads(body)["error"]["code"] == "too_many_requests", body
        config.write_text("")
        reload(nodes, nodes.gateway, "gateway")
        assert ask(f"{nodes.url}/text-to-image", picture("a fox"))[0] == 200
        runner.gate.set()
        assert job.result()[0] == 200


def limits_and_level_of_the_file_are_taken_again(nodes, runner):
    config = nodes.folder / "gateway.conf"
    config.write_text("jobTimeout 700ms\nmaxConnections 77\n")
    reload(nodes, nodes.gateway, "gateway")
    status, _, body = ask(f"{nodes.url}/text-to-image", picture("hang"))
    assert status == 504 and json.loads(body)["error"]["code"] == "deadline", (status, body)
    wait_for(lambda: "option=maxConnections" in log_of(nodes, "gateway"), "the note about a restart")
    config.write_text("jobTimeout soon\n")
    reload(nodes, nodes.gateway, "gateway", "the old ones stay")
    config.write_text("")
    reload(nodes, nodes.gateway, "gateway")
    config.write_text("logLevel unusual\n")
    reload(nodes, nodes.gateway, "gateway")
    time.sleep(0.1)
    jobs = log_of(nodes, "gateway").count('info "job"')
    for _ in range(3):
        assert ask(f"{nodes.url}/text-to-image", picture("a fox"))[0] in (200, 503)
    time.sleep(0.1)
    assert log_of(nodes, "gateway").count('info "job"') == jobs
    config.write_text("")
    nodes.gateway.send_signal(signal.SIGHUP)


def under_load_nobody_notices_a_reload(nodes, runner):
    def work(_):
        answers = []
        while time.monotonic() < stop:
            answers.append(ask(f"{nodes.url}/text-to-image", picture("a fox"))[0])
        return answers
    write_models(nodes, [entry(runner, "test", capacity=100)])
    reload(nodes, nodes.orchestrator, "orchestrator", "models read again")
    wait_for(lambda: ask(f"{nodes.url}/text-to-image", picture("a fox"))[0] == 200, "a good job", 20, 0.2)
    stop = time.monotonic() + 2
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(work, i) for i in range(8)]
        for i in range(10):
            write_models(nodes, [entry(runner, "test", capacity=100), entry(runner, f"other-{i}")])
            for process in (nodes.orchestrator, nodes.gateway):
                process.send_signal(signal.SIGHUP)
            time.sleep(0.15)
        statuses = [status for job in jobs for status in job.result()]
    assert set(statuses) == {200} and len(statuses) > 50, statuses


def main():
    folder = tempfile.mkdtemp(prefix="lpd-reload-")
    runner = FakeRunner()
    config = pathlib.Path(folder) / "gateway.conf"
    config.write_text("")
    with Pair(folder, runner.port, options=("-config", config)) as nodes:
        bad = each(globals(), nodes, runner)
    if not bad:
        shutil.rmtree(folder, ignore_errors=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
