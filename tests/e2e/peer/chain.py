"""chain - what a paying go-livepeer gateway signs, in a few lines of Python that share nothing with lpd: Keccak-256,
secp256k1, tickets and payments.  Slow (10 ms a signature), which tests do not mind."""
import base64
import hashlib
import hmac

from wire import fields, message, one

MASK = (1 << 64) - 1
P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


# ---- Keccak-256 ----

def round_constants():
    state, constants = 1, []
    for _ in range(24):
        constant = 0
        for bit in range(7):
            if state & 1:
                constant |= 1 << ((1 << bit) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        constants.append(constant)
    return constants


ROUNDS = round_constants()


def turn(word, by):
    return ((word << by) | (word >> (64 - by))) & MASK if by else word


def permute(a):
    for constant in ROUNDS:
        columns = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        a = [word ^ columns[(i + 4) % 5] ^ turn(columns[(i + 1) % 5], 1) for i, word in enumerate(a)]
        b, x, y = [0] * 25, 1, 0
        b[0] = a[0]
        for step in range(24):
            by = (step + 1) * (step + 2) // 2 % 64
            b[y + 5 * ((2 * x + 3 * y) % 5)] = turn(a[x + 5 * y], by)
            x, y = y, (2 * x + 3 * y) % 5
        a = [b[i] ^ (~b[i // 5 * 5 + (i + 1) % 5] & b[i // 5 * 5 + (i + 2) % 5]) for i in range(25)]
        a[0] ^= constant
    return a


def keccak(data):
    rate, state = 136, [0] * 25
    data += b"\x01" + bytes(-(len(data) + 1) % rate)
    data = data[:-1] + bytes([data[-1] | 0x80])
    for at in range(0, len(data), rate):
        for i in range(rate // 8):
            state[i] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        state = permute(state)
    return b"".join(word.to_bytes(8, "little") for word in state[:4])


# ---- secp256k1 ----

def plus(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(n, point):
    out = None
    while n:
        if n & 1:
            out = plus(out, point)
        point, n = plus(point, point), n >> 1
    return out


def personal(message32):
    return keccak(b"\x19Ethereum Signed Message:\n32" + message32)


class Key:
    def __init__(self, secret):
        self.secret = secret
        self.address = address_of(times(secret, G))

    def sign(self, message32):
        """As wallets sign: 65 bytes, low s, v 27 or 28; the nonce is RFC 6979's first."""
        digest = personal(message32)
        z, x = int.from_bytes(digest, "big"), self.secret.to_bytes(32, "big")
        h = (z % N).to_bytes(32, "big")
        k, v = bytes(32), b"\x01" * 32
        for byte in b"\0", b"\1":
            k = hmac.digest(k, v + byte + x + h, hashlib.sha256)
            v = hmac.digest(k, v, hashlib.sha256)
        v = hmac.digest(k, v, hashlib.sha256)
        nonce = int.from_bytes(v, "big")
        point = times(nonce, G)
        r, odd = point[0] % N, point[1] & 1
        s = pow(nonce, -1, N) * (z + r * self.secret) % N
        if s > N // 2:
            s, odd = N - s, odd ^ 1
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])


def address_of(point):
    return keccak(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:]


def signer(sig, message32):
    """The address that signed."""
    r, s, odd = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:64], "big"), sig[64] - 27
    assert len(sig) == 65 and odd in (0, 1) and 0 < r < N and 0 < s <= N // 2, sig.hex()
    y = pow(r**3 + 7, (P + 1) // 4, P)
    y = y if y & 1 == odd else P - y
    z, inverse = int.from_bytes(personal(message32), "big"), pow(r, -1, N)
    return address_of(plus(times(s * inverse % N, (r, y)), times(-z * inverse % N, G)))


def checksummed(address):
    """EIP-55."""
    text, case = address.hex(), keccak(address.hex().encode()).hex()
    return "0x" + "".join(c.upper() if int(case[i], 16) > 7 else c for i, c in enumerate(text))


# ---- what the network makes of it ----

def proof(key):
    """OrchestratorRequest.sig."""
    return key.sign(keccak(checksummed(key.address).encode()))


def segment_sig(key, manifest):
    """SegData.sig of a job that is no segment: its sequence is 0, its bytes are none."""
    return key.sign(keccak(manifest + bytes(32) + keccak(b"")))


class Ticket:
    """One of a Payment's, with what is in it."""

    def __init__(self, params, sender, nonce, expiration):
        self.recipient, self.sender, self.nonce = one(params, 1), sender, nonce
        self.face, self.chance = (int.from_bytes(one(params, number), "big") for number in (2, 3))
        self.rand_hash = one(params, 4)
        rows = dict(fields(expiration))
        self.round, self.round_hash = rows.get(1, 0), rows.get(2, bytes(32))

    def hash(self):
        aux = self.round.to_bytes(32, "big") + self.round_hash if self.round or any(self.round_hash) else b""
        return keccak(self.recipient + self.sender + self.face.to_bytes(32, "big") + self.chance.to_bytes(32, "big")
                      + self.nonce.to_bytes(32, "big") + self.rand_hash + aux)


def pay(key, info, nonces):
    """A Payment as go-livepeer's genPayment lays it out (the header's value), from an OrchestratorInfo."""
    params, price = one(info, 2), one(info, 3)
    expiration = one(params, 7)
    rows = [(1, message([row for row in fields(params) if row[0] != 7])), (2, key.address), (3, expiration)]
    for nonce in nonces:
        sig = key.sign(Ticket(params, key.address, nonce, expiration).hash())
        rows.append((4, message([(1, nonce), (2, sig)])))
    return base64.b64encode(message([*rows, (5, price)])).decode()


def tickets_of(header):
    """Those of a Payment, each with the address that signed it."""
    payment = base64.b64decode(header)
    rows = fields(payment)
    params, sender = one(payment, 1), one(payment, 2)
    found = []
    for number, row in rows:
        if number == 4:
            given = dict(fields(row))
            ticket = Ticket(params, sender, given.get(1, 0), one(payment, 3))
            found.append((ticket, signer(given[2], ticket.hash())))
    return found
