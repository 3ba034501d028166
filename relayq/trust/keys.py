"""Ed25519 keys: the one that signs, and the ring of those that are believed.

A public key is written as 43 characters of base64url, its `kid` is the first 8
hex digits of the SHA-256 of its 32 bytes: a name to look it up by, never a proof.

A private key is a file of one line, readable by its owner alone. It is written
under another name and linked into place, so that a reader never sees half a key
and of two processes that make one at the same time both end up with the same.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from relayq.errors import ConfigError, Refused
from relayq.trust.primitives import provider

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KEY_BYTES = 32
SIGNATURE_BYTES = 64
_FILE_WORD = "relayq-ed25519-private"
_FILE_BYTES_MAX = 256


class SigningKey:
    """A private key. `sign` is all it is for; `save` and `load` are its only way to disk."""

    __slots__ = ("_pen", "_seed", "kid", "public")

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._pen = provider().pen(seed)
        self.kid = kid_of(self._pen.public)
        self.public = encode(self._pen.public)

    @classmethod
    def generate(cls) -> SigningKey:
        """Make a new key from the system's randomness."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key file; FileNotFoundError without one, ConfigError for one that cannot be trusted."""
        words = _read_private(path).split()
        seed = decode(words[1], KEY_BYTES) if len(words) == 2 and words[0] == _FILE_WORD else None
        if seed is None:
            raise ConfigError(
                f"key file {path} is damaged: restore it from a backup, or remove it to make a new key"
            )
        return cls(seed)

    def save(self, path: Path) -> bool:
        """Write the key to `path` (0600) unless a file is there already; say whether it was written."""
        line = f"{_FILE_WORD} {encode(self._seed)}\n"
        return _create_private(path, line.encode())

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the signature over exactly `message`."""
        return self._pen.sign(message)

    def derive(self, label: bytes) -> bytes:
        """Return 32 secret bytes that belong to this key and this label alone (HKDF-SHA256)."""
        return provider().derived(self._seed, None, label)

    def __repr__(self) -> str:
        return f"SigningKey(kid={self.kid!r})"


class PublicKey:
    """A key that is believed."""

    __slots__ = ("kid", "public", "raw")

    def __init__(self, public: str) -> None:
        raw = decode(public, KEY_BYTES)
        if raw is None:
            raise ConfigError(
                f"{public[:60]!r} is not a public key: 43 letters as `relayq keys` prints them (trust.keys)"
            )
        self.raw = raw
        self.public = public
        self.kid = kid_of(raw)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise Refused unless `signature` is this key's over exactly `message`."""
        if not provider().is_signature(self.raw, signature, message):
            raise Refused(
                f"the signature is not one of key {self.kid}: the content was changed or signed by another"
            )

    def __repr__(self) -> str:
        return f"PublicKey({self.public!r})"


class Keyring:
    """The keys that are believed, by kid."""

    __slots__ = ("_keys",)

    def __init__(self, publics: Iterable[str]) -> None:
        self._keys: dict[str, PublicKey] = {}
        for key in map(PublicKey, publics):
            twin = self._keys.setdefault(key.kid, key)
            if twin.public != key.public:
                raise ConfigError(f"two keys share the id {key.kid}: remove one of them (trust.keys)")

    def get(self, kid: str) -> PublicKey:
        """Return the key; raise Refused for one that is not on the ring."""
        key = self._keys.get(kid)
        if key is None:
            raise Refused(
                f"key {kid} is not trusted here: add its public key to trust.keys in this worker's config"
            )
        return key

    def __iter__(self) -> Iterator[str]:
        """The public keys."""
        return (key.public for key in self._keys.values())

    def __contains__(self, kid: object) -> bool:
        return kid in self._keys

    def __len__(self) -> int:
        return len(self._keys)


def owner_key(path: Path) -> SigningKey:
    """Load the owner's key, making it on first use."""
    with suppress(FileNotFoundError):
        return SigningKey.load(path)
    SigningKey.generate().save(path)
    try:
        return SigningKey.load(path)
    except FileNotFoundError:
        raise ConfigError(
            f"key file {path} is a link to a file that does not exist: remove the link"
        ) from None


def fingerprint(public: str) -> str:
    """Return what two people compare by eye: four groups of four hex digits."""
    digest = hashlib.sha256(PublicKey(public).raw).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 16, 4))


def kid_of(raw: bytes) -> str:
    """Return the 8 hex digits a key is looked up by."""
    return hashlib.sha256(raw).hexdigest()[:8]


def encode(raw: bytes) -> str:
    """Return base64url without padding."""
    return binascii.b2a_base64(raw, newline=False).decode().translate(_TO_URL).rstrip("=")


def decode(text: str, size: int) -> bytes | None:
    """Return the `size` bytes that `encode` writes as `text`, or None: every value has one spelling."""
    try:
        raw = binascii.a2b_base64(text.translate(_FROM_URL) + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if len(raw) == size and encode(raw) == text else None


def decode_any(text: str) -> bytes | None:
    """Return the bytes that `encode` writes as `text`, however many, or None."""
    return decode(text, len(text) * 3 // 4)


_TO_URL = str.maketrans("+/", "-_")
_FROM_URL = str.maketrans("-_", "+/")


def _read_private(path: Path) -> str:
    """Read a file that nobody else can read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigError(f"key file {path} cannot be read: {error.strerror}") from None
    try:
        _check_private(path, os.fstat(descriptor))
        return os.read(descriptor, _FILE_BYTES_MAX).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def _check_private(path: Path, facts: os.stat_result) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise ConfigError(f"key file {path} is not a file")
    if facts.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"key file {path} belongs to another user: type  chown {os.geteuid()} {path}")
    if stat.S_IMODE(facts.st_mode) & 0o077:
        raise ConfigError(f"key file {path} is open to other users: type  chmod 600 {path}")


def _create_private(path: Path, content: bytes) -> bool:
    """Let `path` appear whole, durable and 0600, or leave the file that is there."""
    from relayq.places import make_dir

    make_dir(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        _write_durably(draft, content)
        return _link_durably(draft, path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise ConfigError(f"key file {path} cannot be written: {error.strerror}") from None


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _link_durably(draft: Path, path: Path) -> bool:
    """Give the draft its name; False when the name is taken."""
    from relayq.places import sync_dir

    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    sync_dir(path.parent)
    return True
