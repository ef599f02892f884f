#!/usr/bin/env python3
"""test_docs - every command of docs/pipelines.md and docs/jobs.md works as it stands there.

They run one after the other in one folder, as a reader would; only the gateway's port is another."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "support"))
from fake_runner import FakeRunner, sound  # noqa: E402
import fake_runner  # noqa: E402
from nodes import Pair  # noqa: E402

# What the network calls its models where a request names none (ai-http-api 1.4).
DEFAULTS = {
    "text-to-image": "stabilityai/sdxl-turbo", "image-to-image": "stabilityai/sdxl-turbo",
    "image-to-video": "stabilityai/stable-video-diffusion-img2vid-xt",
    "upscale": "stabilityai/stable-diffusion-x4-upscaler", "audio-to-text": "openai/whisper-large-v3",
    "segment-anything-2": "facebook/sam2-hiera-large", "llm": "meta-llama/llama-3.1-8B-Instruct",
    "image-to-text": "Salesforce/blip-image-captioning-large", "text-to-speech": "parler-tts/parler-tts-large-v1",
}
MADE = {"fox.png": b"\x89PNG", "fox.wav": b"RIFF", "fox.mp4": b"\0\0\0 ftyp"}


def commands(page):
    return re.findall(r"^```sh\n(.*?)^```", (TOP / "docs" / page).read_text(), re.M | re.S)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lpd-docs-"))
    runner, bad, asked = FakeRunner(), False, set()
    fake_runner.OTHERS["/text-to-speech"]["audio"]["url"] = fake_runner.data_url(sound(2)).replace("image/png", "audio/wav")
    models = [{"pipeline": pipeline, "model_id": model, "url": f"http://127.0.0.1:{runner.port}", "warm": True}
              for pipeline, model in DEFAULTS.items()]
    with Pair(folder, runner.port, models=models) as nodes:
        for command in commands("pipelines.md") + commands("jobs.md"):
            script = command.replace("127.0.0.1:9935", f"127.0.0.1:{nodes.http}")
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, timeout=60)
            name = command.split("\n")[0][:80]
            print("ok" if done.returncode == 0 and (done.stdout or "--output" in script) else "not ok", name, flush=True)
            if done.returncode:
                bad = True
                print(f"  status {done.returncode}", done.stdout[:500], done.stderr[:500])
            asked |= set(re.findall(r"9935/([a-z0-9-]+)", command))
    for name, start in MADE.items():
        good = (folder / name).exists() and (folder / name).read_bytes().startswith(start)
        bad = bad or not good
        print("ok" if good else "not ok", f"{name} was made")
    missing = set(DEFAULTS) - asked
    print("not ok" if missing else "ok", "every pipeline has a command", *missing)
    if not bad:
        shutil.rmtree(folder, ignore_errors=True)
    return bool(bad or missing)


if __name__ == "__main__":
    sys.exit(main())
