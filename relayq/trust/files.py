"""Files on their way through the hub: sealed in chunks, each file under a key of its own.

The key of an input stands in the job's spec, that of an output in what its worker says of the
end: both are sealed already, so whoever may read the job may read its files, and nobody else.
The hub knows a file by a name that follows from its key, and learns how large it is.

A sealed file is its chunks of CHUNK_BYTES, the last one shorter, each with its tag
(ChaCha20-Poly1305). The nonce counts the chunks and marks the last: one that was changed, moved
or cut off is found out, and reading takes the memory of a chunk. Those who share a key could
still make a file up, so the SHA-256 of the content is signed beside it, and is looked at too.

The key of an input follows from its content and a secret of its submitter: the same file sent
again is the same in the hub and does not travel twice, and nobody else can tell what it is by
sealing a guess. One key never seals two contents.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import NamedTuple

from relayq.errors import Refused
from relayq.model.parts import stored_as
from relayq.trust.keys import KEY_BYTES, decode, encode
from relayq.trust.primitives import provider

CHUNK_BYTES = 64 << 10
TAG_BYTES = 16
_WHAT, _LABEL = b"relayq-file-1\n", b"relayq-file-key-1\n"

Read = Callable[[int], bytes]


class Left(NamedTuple):
    """A file that a job has left: what it is called, the SHA-256 of its content, bytes, and its key."""

    name: str
    sha256: str
    size: int
    key: str

    @property
    def stored(self) -> str:
        """What the hub calls it."""
        return stored_as(self.key)

    @property
    def stored_bytes(self) -> int:
        """How large it is there."""
        return sealed_bytes(self.size)


class SealedFile(NamedTuple):
    """A file as the hub gets it, and the SHA-256 and size of its content."""

    data: bytes
    sha256: str
    size: int


def new_key() -> str:
    """A key for a file, 43 letters."""
    return encode(os.urandom(KEY_BYTES))


def content_key(secret: bytes, fleet: str, sha256: str) -> str:
    """The key for this content, as sent to a fleet by whoever has the secret."""
    return encode(provider().derived(secret, bytes.fromhex(sha256), _LABEL + fleet.encode()))


def sealed_bytes(size: int) -> int:
    """How large a file of `size` bytes is once it is sealed."""
    return size + max(1, -(-size // CHUNK_BYTES)) * TAG_BYTES


def seal_file(read: Read, key: str, most: int) -> SealedFile:
    """Seal what `read` gives, once and for all for this key; a file above `most` bytes is cut behind them."""
    cipher, digest, size, out = provider().cipher(_raw(key)), hashlib.sha256(), 0, BytesIO()
    chunk = read(CHUNK_BYTES)
    for number in range(most // CHUNK_BYTES + 2):
        after = read(CHUNK_BYTES) if len(chunk) == CHUNK_BYTES else b""
        digest.update(chunk)
        size += len(chunk)
        out.write(cipher.encrypt(_nonce(number, is_last=not after), chunk, _WHAT))
        if not after:
            break
        chunk = after
    return SealedFile(out.getvalue(), digest.hexdigest(), size)


def open_file(data: bytes, key: str, sha256: str, size: int) -> Iterator[bytes]:
    """The content, chunk by chunk; Refused as soon as something of it is not what was sealed.

    Whoever writes it down keeps it only after the last chunk.
    """
    if len(data) != sealed_bytes(size):
        raise Refused("the sealed file is not as large as it was")
    cipher, digest = provider().cipher(_raw(key)), hashlib.sha256()
    whole, step = memoryview(data), CHUNK_BYTES + TAG_BYTES
    places = range(0, len(data), step)
    for number, at in enumerate(places):
        nonce = _nonce(number, is_last=at == places[-1])
        try:
            chunk = cipher.decrypt(nonce, bytes(whole[at : at + step]), _WHAT)
        except provider().forged:
            raise Refused("the sealed file was changed, moved or cut short") from None
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != sha256:
        raise Refused("the sealed file has other content than was signed")


def _nonce(number: int, *, is_last: bool) -> bytes:
    return bytes((is_last, 0, 0, 0)) + number.to_bytes(8, "big")


def _raw(key: str) -> bytes:
    raw = decode(key, KEY_BYTES)
    if raw is None:
        raise Refused("the key of the file is none")
    return raw
