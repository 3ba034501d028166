"""X25519 keys: what is sealed to somebody is read with these.

Everybody needs one secret only: the key that opens is derived from the seed of the
key that signs (HKDF-SHA256 with a label of its own), so a key file, a backup and a
join string hold 32 bytes and no more. A public box key is written as 43 characters
of base64url, like a public signing key, and does not follow from it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from relayq.errors import ConfigError, Refused
from relayq.trust.keys import KEY_BYTES, decode, encode
from relayq.trust.primitives import provider

if TYPE_CHECKING:
    from relayq.trust.keys import SigningKey

_LABEL = b"relayq-box-1"


class BoxKey:
    """A private X25519 key. `shared` is all it is for; `seed` is its way into a roster's epoch."""

    __slots__ = ("_half", "public", "raw", "seed")

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._half = provider().half(seed)
        self.raw = self._half.public
        self.public = encode(self.raw)

    @classmethod
    def generate(cls) -> BoxKey:
        """Make a new key from the system's randomness."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def of(cls, key: SigningKey) -> BoxKey:
        """The box key that belongs to a signing key: derived from the same seed."""
        return cls(key.derive(_LABEL))

    def shared(self, public: bytes) -> bytes:
        """The secret between this key and that one; Refused for a point that makes none."""
        try:
            return self._half.shared(public)
        except ValueError:
            raise Refused("what is sealed names a key that nobody can have") from None

    def __repr__(self) -> str:
        return f"BoxKey(public={self.public!r})"


def raw_box(public: str) -> bytes:
    """The 32 bytes of a public box key; ConfigError for one that is none."""
    raw = decode(public, KEY_BYTES)
    if raw is None:
        raise ConfigError(f"{public[:60]!r} is not a public key: 43 letters as `relayq keys` prints them")
    return raw
