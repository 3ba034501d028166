"""Seal bytes to a few readers, so that the hub that carries them learns their length alone.

A `Sealer` stands for one writer and one set of readers. It makes a random key and
wraps it once to each reader: X25519 with a key pair of the moment, HKDF-SHA256,
ChaCha20-Poly1305. Whatever it seals carries the same head, then a number that counts
up, then the ciphertext, so each piece can be opened alone, when it arrives, and a
reader that knows the head pays a microsecond for it (an exchange costs 32).

    1 byte    version and flags: 1, or 0x81 when a writer has signed the head
    32 bytes  the public key of the moment
    1 byte    how many readers
    52 bytes  for each: the first 4 of SHA-256 of its public key, the wrapped key
    96 bytes  signed heads only: the writer's Ed25519 key, its signature over the head
    8 bytes   the number of this piece, which makes the nonce
    the rest  ciphertext and tag

The additional data of a piece says what it is: the same bytes in another place do
not open. A signed head says who wrote: nobody but its readers knows the key, so what
opens under it came from that writer, or from somebody who could read it anyway.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterable
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import Refused
from relayq.trust.boxes import BoxKey, raw_box
from relayq.trust.keys import KEY_BYTES, SIGNATURE_BYTES, PublicKey, decode, encode
from relayq.trust.primitives import provider

if TYPE_CHECKING:
    from relayq.trust.keys import SigningKey
    from relayq.trust.primitives import Cipher

READERS_MAX = 128
HEADS_KNOWN = 1024
_PLAIN, _SIGNED = 1, 0x81
_TAG_BYTES, _WRAP_BYTES, _NUMBER_BYTES, _MAC_BYTES = 4, 48, 8, 16
_NO_NONCE = bytes(12)
_HEAD_STATEMENT = b"relayq-head-1\n"


class Opened(NamedTuple):
    """What was sealed, and the public key of the writer that signed the head, or nothing."""

    data: bytes
    writer: str


class _Head(NamedTuple):
    raw: bytes
    moment: bytes
    wraps: bytes
    writer: str


class Sealer:
    """Seals for these readers (public box keys) in the name of `writer`, if one is given."""

    def __init__(self, readers: Iterable[str], writer: SigningKey | None = None) -> None:
        self._readers, self._writer = sorted(set(readers)), writer
        self._begin()

    def _begin(self) -> None:
        key = os.urandom(KEY_BYTES)
        self._head = _head_of(key, self._readers, self._writer)
        self._cipher = _cipher(key)
        self._numbers = count()
        self._pid = os.getpid()

    def seal(self, data: bytes, what: bytes) -> bytes:
        """Return `data` sealed; it opens as `what` and as nothing else."""
        if self._pid != os.getpid():  # the child of a fork would count from the same number
            self._begin()
        number = next(self._numbers).to_bytes(_NUMBER_BYTES, "big")
        return self._head + number + self._cipher.encrypt(_nonce(number), data, what)


class Opener:
    """Opens what is sealed to any of these keys. Heads that were met are remembered."""

    def __init__(self, keys: Iterable[BoxKey]) -> None:
        self._keys = {_tag(key.raw): key for key in keys}
        self._known: OrderedDict[bytes, tuple[Cipher, str]] = OrderedDict()

    def open(self, sealed: bytes, what: bytes) -> Opened:
        """Return what was sealed as `what`; Refused when it is another's, changed or out of place."""
        end = head_bytes(sealed)
        cipher, writer = self._known.get(sealed[:end]) or self._learn(_parsed(sealed[:end]))
        number, rest = sealed[end : end + _NUMBER_BYTES], sealed[end + _NUMBER_BYTES :]
        if len(rest) < _MAC_BYTES:
            raise Refused("what is sealed is cut short")
        try:
            return Opened(cipher.decrypt(_nonce(number), rest, what), writer)
        except provider().forged:
            raise Refused("what is sealed was changed, or belongs elsewhere") from None

    def can_open(self, sealed: bytes) -> bool:
        """Is one of the keys among the readers?"""
        try:
            return self._key_for(_parsed(sealed[: head_bytes(sealed)])) is not None
        except Refused:
            return False

    def _learn(self, head: _Head) -> tuple[Cipher, str]:
        found = self._key_for(head)
        if found is None:
            raise Refused("it is sealed to others: the keys of this machine do not open it")
        if head.writer:
            _verify_head(head)
        key, wrapped = found
        known = (_cipher(_unwrapped(key, head.moment, wrapped)), head.writer)
        self._known[head.raw] = known
        if len(self._known) > HEADS_KNOWN:
            self._known.popitem(last=False)
        return known

    def _key_for(self, head: _Head) -> tuple[BoxKey, bytes] | None:
        step = _TAG_BYTES + _WRAP_BYTES
        for at in range(0, len(head.wraps), step):
            if key := self._keys.get(head.wraps[at : at + _TAG_BYTES]):
                return key, head.wraps[at + _TAG_BYTES : at + step]
        return None


def head_bytes(sealed: bytes) -> int:
    """How long the head is; Refused when there is none."""
    if len(sealed) < 2 + KEY_BYTES or sealed[0] not in (_PLAIN, _SIGNED):
        raise Refused("what is sealed is not in a form that this version writes")
    readers = sealed[1 + KEY_BYTES]
    signed = KEY_BYTES + SIGNATURE_BYTES if sealed[0] == _SIGNED else 0
    size = 2 + KEY_BYTES + readers * (_TAG_BYTES + _WRAP_BYTES) + signed
    if not 1 <= readers <= READERS_MAX or len(sealed) < size:
        raise Refused("what is sealed is cut short")
    return size


def _parsed(raw: bytes) -> _Head:
    end = 2 + KEY_BYTES + raw[1 + KEY_BYTES] * (_TAG_BYTES + _WRAP_BYTES)
    writer = encode(raw[end : end + KEY_BYTES]) if raw[0] == _SIGNED else ""
    return _Head(raw, raw[1 : 1 + KEY_BYTES], raw[2 + KEY_BYTES : end], writer)


def _verify_head(head: _Head) -> None:
    signature = head.raw[-SIGNATURE_BYTES:]
    PublicKey(head.writer).verify(signature, _HEAD_STATEMENT + head.raw[:-SIGNATURE_BYTES])


def _head_of(key: bytes, readers: list[str], writer: SigningKey | None) -> bytes:
    moment = BoxKey.generate()
    wraps = b"".join(_wrapped(moment, raw_box(reader), key) for reader in readers)
    kind = _SIGNED if writer else _PLAIN
    head = bytes((kind,)) + moment.raw + bytes((len(readers),)) + wraps
    if writer is None:
        return head
    head += decode(writer.public, KEY_BYTES) or b""
    return head + writer.sign(_HEAD_STATEMENT + head)


def _wrapped(moment: BoxKey, reader: bytes, key: bytes) -> bytes:
    wrap = _cipher(_wrapping_key(moment.shared(reader), moment.raw, reader))
    return _tag(reader) + wrap.encrypt(_NO_NONCE, key, None)


def _unwrapped(own: BoxKey, moment: bytes, wrapped: bytes) -> bytes:
    try:
        return _cipher(_wrapping_key(own.shared(moment), moment, own.raw)).decrypt(_NO_NONCE, wrapped, None)
    except provider().forged:
        raise Refused("what is sealed was changed, or is sealed to another key") from None


def _wrapping_key(shared: bytes, moment: bytes, reader: bytes) -> bytes:
    return provider().derived(shared, moment + reader, b"relayq-wrap-1")


def _cipher(key: bytes) -> Cipher:
    return provider().cipher(key)


def _nonce(number: bytes) -> bytes:
    return b"\0\0\0\0" + number


def _tag(public: bytes) -> bytes:
    return hashlib.sha256(public).digest()[:_TAG_BYTES]
