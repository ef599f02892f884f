"""picture - the colours that a small PNG holds, whoever compressed it.

A go-livepeer orchestrator decodes what its runner drew and writes it anew."""
import struct
import zlib

MAGIC = b"\x89PNG\r\n\x1a\n"


def chunks(png):
    at = len(MAGIC)
    while at + 12 <= len(png):
        size = struct.unpack_from(">I", png, at)[0]
        yield png[at + 4:at + 8], png[at + 8:at + 8 + size]
        at += 12 + size


def paeth(a, b, c):
    p = a + b - c
    near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
    return near[2]


def unfilter(kind, row, above, step):
    out = bytearray(row)
    for i in range(len(out)):
        a = out[i - step] if i >= step else 0
        b = above[i]
        c = above[i - step] if i >= step else 0
        out[i] = (out[i] + (0, a, b, (a + b) // 2, paeth(a, b, c))[kind]) & 255
    return out


def colours(png):
    """(width, height, RGB bytes) of an 8-bit RGB or RGBA picture; None: it is none."""
    if not png.startswith(MAGIC):
        return None
    parts = list(chunks(png))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", dict(parts)[b"IHDR"])
    if depth != 8 or kind not in (2, 6) or interlaced:
        return None
    step = 3 if kind == 2 else 4
    data = zlib.decompress(b"".join(data for name, data in parts if name == b"IDAT"))
    above, rgb = bytes(step * width), b""
    for y in range(height):
        at = y * (step * width + 1)
        above = unfilter(data[at], data[at + 1:at + 1 + step * width], above, step)
        rgb += b"".join(bytes(above[i:i + 3]) for i in range(0, len(above), step))
    return width, height, rgb
