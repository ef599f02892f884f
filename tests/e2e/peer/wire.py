"""wire - protobuf by field numbers, gRPC's frames, and requests over HTTP/2 by curl: what a recorded exchange needs."""
import base64
import json
import pathlib
import subprocess
import tempfile

VECTORS = json.loads((pathlib.Path(__file__).resolve().parents[2] / "vectors" / "network.json").read_text())
CAPTURES = {row["name"]: row for row in VECTORS["captures"]}
MESSAGES = {row["name"]: row for row in VECTORS["messages"]}


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """(number, value) of each field: an int, or bytes."""
    at, found = 0, []
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            assert len(value) == size, "cut off"
        else:
            assert key & 7 == 0, f"wire type {key & 7}"
            value, at = varint(data, at)
        found.append((key >> 3, value))
    return found


def as_varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(rows):
    out = b""
    for number, value in rows:
        if isinstance(value, int):
            out += as_varint(number << 3) + as_varint(value)
        else:
            out += as_varint(number << 3 | 2) + as_varint(len(value)) + value
    return out


def numbers(data):
    return sorted({number for number, _ in fields(data)})


def one(data, number):
    found = [value for n, value in fields(data) if n == number]
    assert len(found) == 1, (number, found)
    return found[0]


def with_token(segment, token):
    """A recorded Livepeer-Segment header whose auth token (field 8) is another."""
    rows = fields(base64.b64decode(segment))
    return base64.b64encode(message([(n, token if n == 8 else value) for n, value in rows])).decode()


def frame(data):
    return b"\0" + len(data).to_bytes(4, "big") + data


def unframe(data):
    """The only message of an answer."""
    assert data[:1] == b"\0" and int.from_bytes(data[1:5], "big") == len(data) - 5, data
    return data[5:]


class Reply:
    """status, version ("2" or "1.1"), headers with lower-case names (trailers too), body."""

    def __init__(self, head, body):
        lines = [line.strip() for line in head.decode().splitlines() if line.strip()]
        self.version, self.status = lines[0].split()[0].split("/")[1], int(lines[0].split()[1])
        pairs = [line.split(":", 1) for line in lines if ":" in line]
        self.headers = {name.lower(): value.strip() for name, value in pairs}
        self.body = body

    def __repr__(self):
        return f"HTTP/{self.version} {self.status} {self.headers} {self.body[:300]!r}"


def send(url, body=None, headers=(), version="2"):
    """Posts the body (none: gets) and says nothing of its own but what HTTP has to."""
    with tempfile.TemporaryDirectory() as folder:
        head, out, data = (pathlib.Path(folder) / name for name in ("head", "out", "data"))
        words = ["curl", "-sSk", "-m", "30", "--http2" if version == "2" else "--http1.1", "-D", head, "-o", out]
        for name in "user-agent", "accept", "expect":
            words += ["-H", f"{name}:"]
        for name, value in dict(headers).items():
            words += ["-H", f"{name}: {value}" if value else f"{name};"]
        if body is not None:
            data.write_bytes(body)
            words += ["-X", "POST", "--data-binary", f"@{data}"]
        subprocess.run([*words, url], check=True, timeout=40, stdin=subprocess.DEVNULL)
        return Reply(head.read_bytes(), out.read_bytes() if out.exists() else b"")


def shape(value):
    """What a JSON value is made of: names and kinds, not the values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__
