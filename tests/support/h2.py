"""h2 - HTTP/2 frames written by hand, so that a test can say what no library would say.

Heads are literals without a table and without Huffman codes.  Of heads that come the status is read here; all of one is
what nghttp2 makes of it (Heads)."""
import ctypes
import socket
import ssl
import struct
import subprocess

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUS = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}
DIGITS = {**{f"{n:05b}": str(n) for n in range(3)}, **{f"{n + 22:06b}": str(n) for n in range(3, 10)}}


def frame(kind, payload=b"", flags=0, stream=0):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def setting(**values):
    names = {"table": 1, "push": 2, "streams": 3, "window": 4, "size": 5, "list": 6}
    return frame(SETTINGS, b"".join(struct.pack(">HI", names[name], value) for name, value in values.items()))


def integer(value, bits, first=0):
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytes([first | most]), value - most
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def text(value):
    value = value.encode("latin-1") if isinstance(value, str) else value
    return integer(len(value), 7) + value


def block(*pairs):
    return b"".join(b"\0" + text(name) + text(value) for name, value in pairs)


def request(path="/text-to-image", *more, method="POST", scheme="http"):
    return block((":method", method), (":scheme", scheme), (":path", path), (":authority", "x"), *more)


def post(stream, body, path="/text-to-image", *more):
    """HEADERS and DATA of one whole request."""
    head = request(path, ("content-type", "application/json"), *more)
    return frame(HEADERS, head, END_HEADERS, stream) + frame(DATA, body, END_STREAM, stream)


def status_of(head):
    """Of the first head on a connection: the status stands first and no table is filled yet.  None: who knows."""
    while head and head[0] & 0xe0 == 0x20:      # table size
        head = head[1:]
    if not head or head[0] in STATUS:
        return STATUS.get(head[0]) if head else None
    if head[0] not in (0x48, 0x08, 0x18):
        return None
    size, coded = head[1] & 127, head[1] & 128
    if not coded:
        return int(head[2:2 + size])
    bits, found, at = "".join(f"{byte:08b}" for byte in head[2:2 + size]), "", 0
    while len(found) < 3:
        code = next(code for code in DIGITS if bits.startswith(code, at))
        found, at = found + DIGITS[code], at + len(code)
    return int(found)


class Pair(ctypes.Structure):
    """nghttp2_nv"""
    _fields_ = [("name", ctypes.POINTER(ctypes.c_char)), ("value", ctypes.POINTER(ctypes.c_char)), ("name_len", ctypes.c_size_t),
                ("value_len", ctypes.c_size_t), ("flags", ctypes.c_uint8)]


class Heads:
    """The heads of one connection, in the order in which they came: {name: value} of each."""

    def __init__(self):
        self.library = ctypes.CDLL("libnghttp2.so.14")
        self.library.nghttp2_hd_inflate_hd2.restype = ctypes.c_ssize_t
        self.inflater = ctypes.c_void_p()
        assert self.library.nghttp2_hd_inflate_new(ctypes.byref(self.inflater)) == 0

    def read(self, flags, payload):
        """Of a HEADERS frame that has all of it."""
        assert flags & END_HEADERS, "a longer head than is read here"
        if flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        if flags & 0x20:        # priority
            payload = payload[5:]
        found, pair, done = {}, Pair(), ctypes.c_int()
        while True:
            done.value = 0
            used = self.library.nghttp2_hd_inflate_hd2(self.inflater, ctypes.byref(pair), ctypes.byref(done), payload,
                                                       ctypes.c_size_t(len(payload)), 1)
            assert used >= 0, used
            payload = payload[used:]
            if done.value & 2:      # a pair
                found[pair.name[:pair.name_len].decode()] = pair.value[:pair.value_len].decode()
            if done.value & 1:
                self.library.nghttp2_hd_inflate_end_headers(self.inflater)
                return found


class Peer:
    """One end of a connection: send bytes, read frames.  A read gives None where the other end is gone."""

    def __init__(self, sock):
        self.sock, self.rest = sock, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, *pieces):
        """False: the other end takes no more."""
        try:
            self.sock.sendall(b"".join(pieces))
            return True
        except OSError:
            return False

    def take(self, size):
        while len(self.rest) < size:
            try:
                got = self.sock.recv(1 << 16)
            except TimeoutError:
                raise
            except OSError:
                got = b""
            if not got:
                return None
            self.rest += got
        taken, self.rest = self.rest[:size], self.rest[size:]
        return taken

    def read(self):
        head = self.take(9)
        if head is None:
            return None
        payload = self.take(int.from_bytes(head[:3], "big"))
        return payload is not None and (head[3], head[4], int.from_bytes(head[5:], "big"), payload) or None

    def until(self, kind, stream=None):
        """The first frame of the kind; None: the connection ended before it came."""
        while got := self.read():
            if got[0] == kind and stream in (None, got[2]):
                return got
        return None

    def end(self):
        """Read on until the other end closes: (streams that were answered, the last GOAWAY's code or None)."""
        answered, code = set(), None
        try:
            while got := self.read():
                if got[0] == HEADERS:
                    answered.add(got[2])
                if got[0] == GOAWAY:
                    code = int.from_bytes(got[3][4:8], "big")
        except TimeoutError as why:
            raise AssertionError("the connection was not ended") from why
        return answered, code


def tls_client(port, alpn=("h2",), timeout=10):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=timeout))


def client(port, tls=False, timeout=10, settings=b""):
    """A connection whose preface and settings have been said."""
    sock = tls_client(port, timeout=timeout) if tls else socket.create_connection(("127.0.0.1", port), timeout=timeout)
    peer = Peer(sock)
    peer.send(PREFACE, settings or setting())
    return peer


def certificate(folder):
    """A context for servers with a pair made for them."""
    cert, key = folder / "hostile.pem", folder / "hostile.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    key, "-out", cert, "-subj", "/CN=hostile", "-days", "2"], check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.set_alpn_protocols(["h2"])
    return context


def grpc(port, method, message=b""):
    """(the answer's bytes, its last head) of one call; an answer without a message is empty."""
    with client(port, tls=True) as peer:
        head = request(f"/net.{method}", ("content-type", "application/grpc"), ("te", "trailers"), scheme="https")
        body = b"\0" + struct.pack(">I", len(message)) + message
        peer.send(frame(HEADERS, head, END_HEADERS, 1), frame(DATA, body, END_STREAM, 1))
        data, last = b"", b""
        while got := peer.read():
            kind, flags, stream, payload = got
            if stream == 1 and kind == HEADERS:
                last = payload
            if stream == 1 and kind == DATA:
                data += payload
                peer.send(frame(WINDOW, struct.pack(">I", len(payload) or 1)), frame(WINDOW, struct.pack(">I", len(payload) or 1), 0, 1))
            if stream == 1 and kind in (HEADERS, DATA) and flags & END_STREAM:
                break
        return data[5:], last
