"""The algorithms in the standard library alone, for a step that installs nothing.

X25519 (RFC 7748), Ed25519 (RFC 8032), HKDF (RFC 5869) with SHA-256, ChaCha20-Poly1305
(RFC 8439). Python 3.9. They give the bytes that `cryptography` gives and refuse what it
refuses.

They do not run in constant time: Python's numbers cannot. Who could measure one run of
a step to the microsecond could learn about the keys it works with. Such a step lives for
a second, uses its keys a few times, and has its machine for itself: that is what this
file is for. What stays, an owner's machine or a worker, has `cryptography` and never
loads this.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from relayq.trust.primitives import Cipher, Half, Pen

KEY_BYTES = 32
_MAC_BYTES = 16
_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)
_WORDS = struct.Struct("<16L")
_CONSTANTS = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)
_MASK = 0xFFFFFFFF
_CLAMP = 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
_POLY = 2**130 - 5


class Forged(ValueError):
    """The ciphertext was changed, or belongs to another key, nonce or additional data."""


forged = Forged


# -- X25519


class _Half:
    __slots__ = ("_scalar", "public")

    def __init__(self, seed: bytes) -> None:
        self._scalar = _clamped(seed)
        self.public = _times(self._scalar, 9)

    def shared(self, public: bytes) -> bytes:
        """The secret with this public key; ValueError for a point that makes none."""
        if len(public) != KEY_BYTES:
            raise ValueError("an X25519 public key is 32 bytes long")
        secret = _times(self._scalar, int.from_bytes(public, "little") & (1 << 255) - 1)
        if not any(secret):
            raise ValueError("this point makes no secret")
        return secret


def half(seed: bytes) -> Half:
    """The X25519 key of a seed of 32 bytes."""
    return _Half(seed)


def _clamped(seed: bytes) -> int:
    return int.from_bytes(seed, "little") & (1 << 254) - 8 | 1 << 254


def _times(scalar: int, u: int) -> bytes:
    """The Montgomery ladder of RFC 7748, section 5."""
    x2, z2, x3, z3 = 1, 0, u, 1
    was = 0
    for bit in range(254, -1, -1):
        now = scalar >> bit & 1
        if now != was:
            x2, z2, x3, z3 = x3, z3, x2, z2
        was = now
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb = a * a % _P, b * b % _P
        e = aa - bb
        da, cb = d * a, c * b
        x3, z3 = (da + cb) ** 2 % _P, u * ((da - cb) ** 2 % _P) % _P
        x2, z2 = aa * bb % _P, e * (aa + 121665 * e) % _P
    if was:
        x2, z2 = x3, z3
    return (x2 * pow(z2, _P - 2, _P) % _P).to_bytes(KEY_BYTES, "little")


# -- Ed25519


class _Point(NamedTuple):
    """A point of the curve in extended coordinates: x = X/Z, y = Y/Z, XY = ZT."""

    x: int
    y: int
    z: int
    t: int


class _Pen:
    __slots__ = ("_prefix", "_scalar", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != KEY_BYTES:
            raise ValueError("an Ed25519 private key is 32 bytes long")
        digest = hashlib.sha512(seed).digest()
        self._scalar, self._prefix = _clamped(digest[:KEY_BYTES]), digest[KEY_BYTES:]
        self.public = _packed(_scaled(self._scalar, _BASE))

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        nonce = _number(self._prefix, message)
        point = _packed(_scaled(nonce, _BASE))
        challenge = _number(point, self.public, message)
        return point + ((nonce + challenge * self._scalar) % _ORDER).to_bytes(KEY_BYTES, "little")


def pen(seed: bytes) -> Pen:
    """The Ed25519 key of a seed of 32 bytes."""
    return _Pen(seed)


def is_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Is it this key's signature over exactly this message?

    The equation without the cofactor, and its left side compared as bytes, like OpenSSL.
    """
    key = _unpacked(public)
    answer = int.from_bytes(signature[KEY_BYTES:], "little")
    if key is None or len(signature) != 2 * KEY_BYTES or answer >= _ORDER:
        return False
    challenge = _number(signature[:KEY_BYTES], public, message)
    minus = _Point(-key.x % _P, key.y, key.z, -key.t % _P)
    found = _sum(_scaled(answer, _BASE), _scaled(challenge, minus))
    return _packed(found) == signature[:KEY_BYTES]


def _number(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % _ORDER


def _sum(one: _Point, two: _Point) -> _Point:
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = two
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * t1 * t2 * _D % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return _Point(e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _double(one: _Point) -> _Point:
    x, y, z, _ = one
    a, b = x * x % _P, y * y % _P
    h = a + b
    e, g = h - (x + y) ** 2 % _P, a - b
    f = 2 * z * z + g
    return _Point(e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _scaled(scalar: int, point: _Point) -> _Point:
    """Four bits at a time."""
    small = [_Point(0, 1, 1, 0), point]
    while len(small) < 16:
        small.append(_sum(small[-1], point))
    found = small[0]
    for shift in range(252, -1, -4):
        for _ in range(4):
            found = _double(found)
        if digit := scalar >> shift & 15:
            found = _sum(found, small[digit])
    return found


def _packed(point: _Point) -> bytes:
    inverse = pow(point.z, _P - 2, _P)
    x, y = point.x * inverse % _P, point.y * inverse % _P
    return (y | (x & 1) << 255).to_bytes(KEY_BYTES, "little")


def _unpacked(data: bytes) -> _Point | None:
    """The point that these 32 bytes stand for, or None (RFC 8032, 5.1.3)."""
    number = int.from_bytes(data, "little")
    y, sign = number & (1 << 255) - 1, number >> 255
    if len(data) != KEY_BYTES or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT_OF_MINUS_1 % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return _Point(x, y, 1, x * y % _P)


def _base() -> _Point:
    point = _unpacked((4 * pow(5, _P - 2, _P) % _P).to_bytes(KEY_BYTES, "little"))
    assert point
    return point


_BASE = _base()


# -- HKDF, ChaCha20-Poly1305


def derived(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    """HKDF-SHA256: 32 bytes."""
    key = hmac.digest(salt or bytes(KEY_BYTES), secret, "sha256")
    return hmac.digest(key, info + b"\x01", "sha256")


def cipher(key: bytes) -> Cipher:
    """ChaCha20-Poly1305 under a key of 32 bytes."""
    return _ChaCha(key)


class _ChaCha:
    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = struct.unpack("<8L", key)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """The ciphertext and its tag."""
        hidden = self._crypt(nonce, data)
        return hidden + self._tag(nonce, hidden, associated_data or b"")

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        """What was encrypted; Forged when it was not, or not so."""
        hidden, tag = data[:-_MAC_BYTES], data[-_MAC_BYTES:]
        if len(data) < _MAC_BYTES or not hmac.compare_digest(
            tag, self._tag(nonce, hidden, associated_data or b"")
        ):
            raise Forged("the tag does not fit")
        return self._crypt(nonce, hidden)

    def _crypt(self, nonce: bytes, data: bytes) -> bytes:
        blocks = -(-len(data) // 64)
        stream = b"".join([_block(self._key, 1 + number, nonce) for number in range(blocks)])[: len(data)]
        mixed = int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")
        return mixed.to_bytes(len(data), "little")

    def _tag(self, nonce: bytes, hidden: bytes, more: bytes) -> bytes:
        once = _block(self._key, 0, nonce)
        factor = int.from_bytes(once[:16], "little") & _CLAMP
        message = _padded(more) + _padded(hidden) + struct.pack("<QQ", len(more), len(hidden))
        total = 0
        for at in range(0, len(message), 16):
            total = (total + int.from_bytes(message[at : at + 16], "little") + (1 << 128)) * factor % _POLY
        return (total + int.from_bytes(once[16:32], "little") & (1 << 128) - 1).to_bytes(_MAC_BYTES, "little")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _block(key: tuple[int, ...], number: int, nonce: bytes) -> bytes:
    """64 bytes of the key stream (RFC 8439, 2.3)."""
    start = [*_CONSTANTS, *key, number, *struct.unpack("<3L", nonce)]
    state = list(start)
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            x, y, z, w = state[a], state[b], state[c], state[d]
            x = x + y & _MASK
            w ^= x
            w = (w << 16 | w >> 16) & _MASK
            z = z + w & _MASK
            y ^= z
            y = (y << 12 | y >> 20) & _MASK
            x = x + y & _MASK
            w ^= x
            w = (w << 8 | w >> 24) & _MASK
            z = z + w & _MASK
            y ^= z
            state[a], state[b], state[c], state[d] = x, (y << 7 | y >> 25) & _MASK, z, w
    return _WORDS.pack(*[start[at] + state[at] & _MASK for at in range(16)])


_QUARTERS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip
