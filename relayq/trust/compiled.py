"""The algorithms as `cryptography` has them: compiled, and in constant time (primitives.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

try:  # what the classes are made of, without 8 ms of modules that ask for an older OpenSSL and other ciphers
    from cryptography.hazmat.bindings._rust import openssl

    private_box, public_box = openssl.x25519.from_private_bytes, openssl.x25519.from_public_bytes
    ChaCha20Poly1305 = openssl.aead.ChaCha20Poly1305
except (ImportError, AttributeError):  # another version may keep it elsewhere
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    private_box, public_box = X25519PrivateKey.from_private_bytes, X25519PublicKey.from_public_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    from relayq.trust.primitives import Cipher, Half, Pen

KEY_BYTES = 32
forged = InvalidTag


def _raw(public: Ed25519PublicKey | X25519PublicKey) -> bytes:
    try:
        return public.public_bytes_raw()
    except AttributeError:  # cryptography before 40; the import costs 8 ms
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


class _Pen:
    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = _raw(self._key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


class _Half:
    __slots__ = ("_key", "public")

    def __init__(self, seed: bytes) -> None:
        self._key = private_box(seed)
        self.public = _raw(self._key.public_key())

    def shared(self, public: bytes) -> bytes:
        return self._key.exchange(public_box(public))


def pen(seed: bytes) -> Pen:
    """The Ed25519 key of a seed of 32 bytes."""
    return _Pen(seed)


def is_signature(public: bytes, signature: bytes, message: bytes) -> bool:
    """Is it this key's signature over exactly this message?"""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def half(seed: bytes) -> Half:
    """The X25519 key of a seed of 32 bytes."""
    return _Half(seed)


def cipher(key: bytes) -> Cipher:
    """ChaCha20-Poly1305 under a key of 32 bytes."""
    return ChaCha20Poly1305(key)


def derived(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    """HKDF-SHA256: 32 bytes."""
    return HKDF(SHA256(), KEY_BYTES, salt=salt, info=info).derive(secret)
