"""The algorithms that trust stands on, and whose they are.

Whatever is installed has those of `cryptography` (compiled.py). A step of GitHub Actions
runs out of a checked-out repository and installs nothing: it says `use(plain)` before
anything else and has the same in the standard library alone (plain.py). The two give the
same bytes, so all that is built on them exists once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Protocol

    class Pen(Protocol):
        """A private Ed25519 key: the 32 bytes of its public half, and signatures of 64."""

        @property
        def public(self) -> bytes: ...

        def sign(self, message: bytes) -> bytes: ...

    class Half(Protocol):
        """A private X25519 key: the 32 bytes of its public half, and the secret with another one's.

        `shared` raises ValueError for a point that makes no secret.
        """

        @property
        def public(self) -> bytes: ...

        def shared(self, public: bytes) -> bytes: ...

    class Cipher(Protocol):
        """ChaCha20-Poly1305 under one key; `decrypt` raises what the provider calls `forged`."""

        def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

        def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...

    class Provider(Protocol):
        """Where the algorithms come from: a module with these names."""

        @property
        def forged(self) -> type[Exception]: ...

        def pen(self, seed: bytes) -> Pen: ...

        def is_signature(self, public: bytes, signature: bytes, message: bytes) -> bool: ...

        def half(self, seed: bytes) -> Half: ...

        def cipher(self, key: bytes) -> Cipher: ...

        def derived(self, secret: bytes, salt: bytes | None, info: bytes) -> bytes: ...


_chosen: list[Provider] = []


def use(provider: Provider) -> None:
    """Take the algorithms from there, from now on."""
    _chosen[:] = [provider]


def provider() -> Provider:
    """Where they come from: `cryptography`, unless something else was chosen. Costs 12 ms, once."""
    if not _chosen:
        from relayq.trust import compiled

        use(compiled)
    return _chosen[0]
