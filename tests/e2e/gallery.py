#!/usr/bin/env python3
"""gallery - one of everything that lpd makes, asked of a running gateway, and a page that shows it.

Called by ./dev demo --all:  gallery.py GATEWAY-URL FOLDER MODELS-LIST.  The page, FOLDER/index.html, holds all that it shows;
the media lie beside it as files too.  What cannot be made here stands on the page with the node's own words why."""
import base64
import html
import json
import pathlib
import platform
import shlex
import struct
import sys
import time
import urllib.error
import urllib.request
import uuid
import zlib

HERE = pathlib.Path(__file__).resolve().parent
STYLES = [("an oil painting", 3), ("a watercolour at sunset", 2), ("ink", 6), ("cubist", 21), ("a mosaic", 8)]
PROMPTS = [("a red fox under a full moon in the forest", 7), ("a sailing boat on the sea at sunset", 12),
           ("a castle in the mountains, oil painting", 4), ("a rocket in space among planets", 9),
           ("a red balloon over a meadow, watercolour", 21), ("a penguin in the snow", 5)]
SPEECH = "Everything you see and hear on this page was made on this machine, a moment ago, by three small processes."
QUESTION = "Write one short sentence about a fox at night."


class Refused(Exception):
    """The words in which a node said no."""


class Gateway:
    def __init__(self, url, folder):
        self.url, self.folder = url, folder
        self.patience = time.monotonic() + 20   # until then a model may just not be known yet

    def send(self, path, data, headers):
        while True:
            try:
                return self.send_once(path, data, headers)
            except Refused:
                if time.monotonic() > self.patience:
                    raise
                time.sleep(1)

    def send_once(self, path, data, headers):
        began = time.monotonic()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.loads(answer.read()), time.monotonic() - began
        except urllib.error.HTTPError as answer:
            try:
                words = json.loads(answer.read())["error"]["message"]
            except (ValueError, KeyError, TypeError):
                words = f"it was answered {answer.code}"
            raise Refused(words) from None

    def json(self, path, body):
        answer, seconds = self.send(path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return answer, seconds, f"curl {self.url}{path} -H 'Content-Type: application/json' \\\n     -d {shlex.quote(json.dumps(body))}"

    def form(self, path, fields, part, file):
        mark = uuid.uuid4().hex
        parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                 for name, value in fields.items()]
        parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{part}"; filename="{file}"\r\n\r\n'.encode()
                     + (self.folder / file).read_bytes() + f"\r\n--{mark}--\r\n".encode())
        answer, seconds = self.send(path, b"".join(parts), {"Content-Type": f"multipart/form-data; boundary={mark}"})
        options = "".join(f" \\\n     -F {shlex.quote(f'{name}={value}')}" for name, value in fields.items())
        return answer, seconds, f"curl {self.url}{path} -F {part}=@{file}{options}"

    def keep(self, url, name):
        """The media that an answer names, as a file of the folder."""
        with urllib.request.urlopen(url if "://" in url else self.url + url, timeout=60) as answer:
            (self.folder / name).write_bytes(answer.read())
        return name

    def stream(self, path, body):
        """(text, seconds to the first word, seconds, words)."""
        request = urllib.request.Request(self.url + path, json.dumps({**body, "stream": True}).encode(),
                                         {"Content-Type": "application/json"})
        began, first, text, n = time.monotonic(), None, "", 0
        with urllib.request.urlopen(request, timeout=300) as answer:
            for line in answer:
                if not line.startswith(b"data: {"):
                    continue
                piece = json.loads(line[6:])["choices"][0].get("delta", {}).get("content") or ""
                first = first or time.monotonic() - began
                text += piece
                n += bool(piece)
        return text, first or 0.0, time.monotonic() - began, n


# ---- pieces of the page ----

def data_url(path):
    kinds = {".png": "image/png", ".mp4": "video/mp4", ".wav": "audio/wav"}
    return f"data:{kinds[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def png_size(path):
    return struct.unpack(">II", path.read_bytes()[16:24])


def mask_png(rows):
    """A picture whose alpha is the mask: grey and alpha, 8 bits."""
    height, width = len(rows), len(rows[0])
    raw = b"".join(b"\0" + bytes(v for x in row for v in (255, 255 if x else 0)) for row in rows)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 4, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def wave_shape(path, bars=140):
    """The loudness of a recording as an SVG of bars."""
    data = path.read_bytes()[44:]
    samples = struct.unpack(f"<{len(data) // 2}h", data[:len(data) // 2 * 2])
    step = max(1, len(samples) // bars)
    heights = [max(map(abs, samples[i:i + step])) / 32768 for i in range(0, step * bars, step) if samples[i:i + step]]
    rects = "".join(f'<rect x="{i * 4}" y="{32 - 30 * h:.1f}" width="2.4" height="{60 * h + 1:.1f}" rx="1.2"/>'
                    for i, h in enumerate(heights))
    return f'<svg class="wave" viewBox="0 0 {bars * 4} 64" preserveAspectRatio="none" aria-hidden="true">{rects}</svg>'


class Page:
    def __init__(self, gateway, models):
        self.gateway, self.models, self.cards, self.count = gateway, models, [], 0

    def picture(self, name, words="", extra=""):
        width, height = png_size(self.gateway.folder / name)
        caption = f"<figcaption>{html.escape(words)}</figcaption>" if words else ""
        return (f'<figure {extra}><img src="{data_url(self.gateway.folder / name)}" width="{width}" height="{height}" '
                f'alt="{html.escape(words or name)}" loading="lazy">{caption}</figure>')

    def add(self, pipeline, title, make):
        """A card of what make() gives: (HTML, model, [(seconds, request)])."""
        print(f"  {pipeline} ...", flush=True)
        try:
            body, model, jobs = make()
        except Refused as why:
            print(f"    not made: {why}")
            self.cards.append(f'<section id="{pipeline}"><h2>{title}</h2><p class="no">Not made here: {html.escape(str(why))}</p></section>')
            return
        self.count += len(jobs)
        row = self.models.get(model, {})
        times = ", ".join(f"{seconds:.1f} s" for seconds, _ in jobs)
        requests = "\n\n".join(request for _, request in jobs[:2]) + ("\n\n…" if len(jobs) > 2 else "")
        what = row.get("what", "")
        about = f'{what[:1].upper()}{what[1:]}. It is not {row["is not"]}.' if row else ""
        print(f"    made by {model} in {times}")
        self.cards.append(f'''<section id="{pipeline}">
<header><div><h2>{title}</h2><p class="path">POST /{pipeline}</p></div><p class="chips"><span>{html.escape(model)}</span><span>{times}</span></p></header>
{body}
<p class="about">{html.escape(about)}</p>
<details><summary>The request</summary><pre>{html.escape(requests)}</pre></details>
</section>''')

    # ---- one of each ----

    def text_to_image(self):
        jobs, figures = [], []
        for i, (prompt, seed) in enumerate(PROMPTS):
            answer, seconds, request = self.gateway.json("/text-to-image", {
                "model_id": "builtin/sketch", "prompt": prompt, "width": 768, "height": 512, "seed": seed})
            name = self.gateway.keep(answer["images"][0]["url"], f"picture-{i + 1}.png")
            figures.append(self.picture(name, prompt))
            jobs.append((seconds, request))
        return f'<div class="grid three">{"".join(figures)}</div>', "builtin/sketch", jobs

    def image_to_image(self):
        jobs, figures = [], [self.picture("picture-2.png", "as it was")]
        for i, (prompt, seed) in enumerate(STYLES):
            answer, seconds, request = self.gateway.form("/image-to-image", {
                "model_id": "builtin/style26", "prompt": prompt, "seed": seed, "strength": 0.9}, "image", "picture-2.png")
            figures.append(self.picture(self.gateway.keep(answer["images"][0]["url"], f"painted-{i + 1}.png"), prompt))
            jobs.append((seconds, request))
        return f'<div class="grid three">{"".join(figures)}</div>', "builtin/style26", jobs

    def image_to_video(self):
        answer, seconds, request = self.gateway.form("/image-to-video", {
            "model_id": "builtin/style26-motion", "width": 768, "height": 512, "fps": 8, "seed": 6,
            "motion_bucket_id": 180}, "image", "picture-1.png")
        name = self.gateway.keep(answer["images"][0]["url"], "moving.mp4")
        return (f'<video src="{data_url(self.gateway.folder / name)}" autoplay muted loop playsinline controls></video>',
                "builtin/style26-motion", [(seconds, request)])

    def upscale(self):
        answer, seconds, request = self.gateway.json("/text-to-image", {
            "model_id": "builtin/sketch", "prompt": "a parrot", "width": 256, "height": 192, "seed": 3})
        small = self.gateway.keep(answer["images"][0]["url"], "small.png")
        answer, seconds, request = self.gateway.form("/upscale", {"model_id": "builtin/span-x4", "prompt": "a parrot"}, "image", small)
        large = self.gateway.keep(answer["images"][0]["url"], "large.png")
        return (f'<div class="grid two">{self.picture(small, "256 × 192, as it was", "class=rough")}'
                f'{self.picture(large, "1024 × 768, four times the sides")}</div>', "builtin/span-x4", [(seconds, request)])

    def segment(self):
        cut, jobs = [], []
        for words, fields in (("what stands out", {}), ("a point on the moon", {"point_coords": "[[170, 85]]", "point_labels": "[1]"})):
            answer, seconds, request = self.gateway.form("/segment-anything-2", {
                "model_id": "builtin/u2netp", "return_logits": "false", **fields}, "image", "picture-1.png")
            mask = base64.b64encode(mask_png(json.loads(answer["masks"])[0])).decode()
            score = json.loads(answer["scores"])[0]
            cut.append(f'<figure class="cut" style="--mask:url(data:image/png;base64,{mask})"><div><img class="dim" src="'
                       f'{data_url(self.gateway.folder / "picture-1.png")}" alt=""><img class="lit" src="'
                       f'{data_url(self.gateway.folder / "picture-1.png")}" alt="{words}"></div><figcaption>{words}, sure by '
                       f'{score:.2f}</figcaption></figure>')
            jobs.append((seconds, request))
        return f'<div class="grid two">{"".join(cut)}</div>', "builtin/u2netp", jobs

    def image_to_text(self):
        text = HERE.parent / "vectors" / "runner" / "text.png"
        (self.gateway.folder / "text.png").write_bytes(text.read_bytes())
        rows, jobs = [], []
        for name in ("text.png", "picture-6.png"):
            answer, seconds, request = self.gateway.form("/image-to-text", {"model_id": "builtin/efficientnet-lite0", "prompt": ""},
                                                         "image", name)
            rows.append(f'<div class="said">{self.picture(name)}<blockquote>{html.escape(answer["text"])}</blockquote></div>')
            jobs.append((seconds, request))
        return "".join(rows), "builtin/efficientnet-lite0", jobs

    def speech(self):
        rows, jobs = [], []
        for model, words in (("builtin/flite-slt", "a woman"), ("builtin/flite-rms", "a man"), ("builtin/flite-awb", "a Scotsman")):
            answer, seconds, request = self.gateway.json("/text-to-speech", {"model_id": model, "text": SPEECH})
            name = self.gateway.keep(answer["audio"]["url"], f"speech-{model[-3:]}.wav")
            path = self.gateway.folder / name
            rows.append(f'<div class="voice"><b>{words}</b>{wave_shape(path)}<audio controls src="{data_url(path)}"></audio></div>')
            jobs.append((seconds, request))
        return f"<blockquote>{html.escape(SPEECH)}</blockquote>{''.join(rows)}", "builtin/flite-slt", jobs

    def hear(self):
        answer, seconds, request = self.gateway.form("/audio-to-text", {"model_id": "builtin/whisper-tiny.en"}, "audio", "speech-rms.wav")
        rows = "".join(f'<tr><td class="num">{a:.1f} – {b:.1f} s</td><td>{html.escape(chunk["text"].strip())}</td></tr>'
                       for chunk in answer["chunks"] for a, b in [chunk["timestamp"]])
        return f"<p>What the man above was heard to say:</p><table>{rows}</table>", "builtin/whisper-tiny.en", [(seconds, request)]

    def talk(self):
        body = {"model": "builtin/smollm2-135m", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 80,
                "temperature": 0.0, "stream": False}
        answer, seconds, request = self.gateway.json("/llm", body)
        text, first, whole, n = self.gateway.stream("/llm", body)
        rate = n / (whole - first) if whole > first and n > 1 else 0
        said = answer["choices"][0]["message"]["content"]
        return (f'<p class="ask">{html.escape(QUESTION)}</p><p class="answer">{html.escape(said)}</p>'
                f'<p class="about">Streamed: the first word after {first:.2f} s, then {rate:.0f} tokens a second, the same text: '
                f'{"yes" if text == said else "no"}.</p>', "builtin/smollm2-135m", [(seconds, request)])

    def write(self):
        names = [("text-to-image", "Pictures from words", self.text_to_image), ("image-to-image", "Painted anew", self.image_to_image),
                 ("image-to-video", "Set in motion", self.image_to_video), ("upscale", "Four times the sides", self.upscale),
                 ("segment-anything-2", "Cut out", self.segment), ("image-to-text", "Named and read", self.image_to_text),
                 ("text-to-speech", "Spoken", self.speech), ("audio-to-text", "Written down again", self.hear),
                 ("llm", "Answered", self.talk)]
        for pipeline, title, make in names:
            self.add(pipeline, title, make)
            self.gateway.patience = 0
        nav = "".join(f'<a href="#{pipeline}">{pipeline}</a>' for pipeline, _, _ in names)
        credits = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(row.get('from', 'built in'))}</td>"
                          f"<td>{html.escape(row.get('licence', ''))}</td></tr>" for name, row in self.models.items())
        page = (HERE / "gallery.html").read_text()
        for key, value in (("NAV", nav), ("CARDS", "\n".join(self.cards)), ("CREDITS", credits), ("COUNT", str(self.count)),
                           ("MACHINE", html.escape(f"{platform.machine()}, {platform.system()}")),
                           ("DATE", time.strftime("%Y-%m-%d %H:%M"))):
            page = page.replace(f"@{key}@", value)
        (self.gateway.folder / "index.html").write_text(page)


def read_models(path):
    """What `lpd models list` says: a line of a model, then lines set in of what it is."""
    models, name = {}, None
    for line in open(path, encoding="utf-8"):
        words = line.strip()
        if line[:1].strip():
            name = line.split()[0]
            models[name] = {}
        elif name and words.startswith("is not "):
            models[name]["is not"] = words[7:]
        elif name and words.startswith("licence: "):
            models[name]["licence"] = words[9:]
        elif name and words.startswith("package"):
            models[name]["from"] = words
        elif name and words:
            models[name]["what"] = words
    return models


def main():
    url, folder, models = sys.argv[1], pathlib.Path(sys.argv[2]), read_models(sys.argv[3])
    page = Page(Gateway(url.rstrip("/"), folder), models)
    page.write()
    missing = sum("class=\"no\"" in card for card in page.cards)
    print(f"  {page.count} jobs; {folder}/index.html" + (f"; {missing} kinds could not be made" if missing else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
