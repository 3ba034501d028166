"""The roster on this machine's disk: the highest version ever seen here, and no way back.

One file for each fleet and owner. It is the high-water mark: what the hub offers must be
signed by the same owner and be no older than what stands there. On the owner's own
machine it is also where an edit begins; a lock file makes edits wait for each other.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from relayq.errors import ConfigError, Refused
from relayq.places import ANOTHER, make_dir, put_durably
from relayq.trust.keys import PublicKey
from relayq.trust.roster import ROSTER_BYTES_MAX, Roster, open_roster, version_of

if TYPE_CHECKING:
    from pathlib import Path


class Book:
    """What this machine knows of one fleet's roster; `directory` is the state directory."""

    def __init__(self, directory: Path, fleet: str, owner: str) -> None:
        self.fleet, self.owner = fleet, owner
        safe = fleet.replace("/", "%")
        self._path = directory / "rosters" / f"{safe}.{PublicKey(owner).kid}"

    def load(self) -> Roster | None:
        """The latest roster seen here, or None; Refused when the file was changed."""
        data = self.data()
        return open_roster(data, self.owner, fleet=self.fleet) if data else None

    def data(self) -> bytes:
        """The file as it stands; empty without one."""
        try:
            with self._path.open("rb") as file:
                return file.read(ROSTER_BYTES_MAX + 256)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ConfigError(f"roster {self._path} cannot be read: {error.strerror}; {ANOTHER}") from None

    def accept(self, data: bytes) -> Roster:
        """Take what the hub offers, and keep it if it is newer; Refused for an older or a foreign one."""
        here = self.data()
        if here and data == here:
            return open_roster(here, self.owner, fleet=self.fleet)
        roster = open_roster(data, self.owner, version_of(here), self.fleet)
        if here and roster.version == version_of(here):
            raise Refused(
                f"there are two rosters of version {roster.version} for fleet {self.fleet!r}: "
                "the owner's key was used on two machines; `relayq rotate` on one of them settles it"
            )
        self._write(data)
        return roster

    @contextmanager
    def editing(self) -> Iterator[None]:
        """Let one process at a time make the next version."""
        make_dir(self._path.parent)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, data: bytes) -> None:
        """Put it there whole or not at all, durably: a high-water mark that is lost lets an old one in."""
        make_dir(self._path.parent)
        fresh = self._path.with_name(f".{self._path.name}.{os.urandom(4).hex()}")
        try:
            file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(file)
            put_durably(fresh, self._path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise ConfigError(f"roster {self._path} cannot be written: {error.strerror}") from None
