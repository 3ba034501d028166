"""The roster as one machine sees it, on its disk and in the hub; and where the owner writes.

Whoever has the owner's key makes the first roster on first use, puts the latest one into a
hub that has lost it, and edits: the next version is made from the latest, and should
somebody else have been faster, from theirs. Everybody else takes what the hub has, if the
owner signed it and it is no older than what was seen here before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from relayq.errors import Refused
from relayq.trust.book import Book
from relayq.trust.keys import PublicKey
from relayq.trust.roster import Roster, new_roster, sign_roster, version_of

if TYPE_CHECKING:
    from relayq.trust.keys import SigningKey

    Command = Sequence[bytes | str | int]

TRIES = 20
HEAD_BYTES = 31


class Foreign(Refused):
    """The fleet belongs to another owner."""

    def __init__(self, fleet: str, kid: str) -> None:
        super().__init__(
            f"fleet {fleet!r} in this hub belongs to another owner (key {kid}): have its owner let you in, "
            "name the owner's key (trust.owner), or take another fleet name"
        )


def no_roster(fleet: str) -> str:
    """The sentence for a hub without a roster, for everybody but the owner."""
    return f"fleet {fleet!r} has no roster in this hub yet: its owner's first job or worker makes it"


class Desk:
    """`ask` sends one command to the hub; `pen` is the owner's key where it is on this machine."""

    def __init__(self, book: Book, ask: Callable[[Command], Any], pen: SigningKey | None) -> None:
        self._book, self._ask, self._pen = book, ask, pen
        prefix = f"{{rq:{book.fleet}}}:"
        self._key, self._anchor = prefix + "roster", prefix + "cfg"

    def seen(self) -> Roster | None:
        """The latest roster, without writing anything into the hub; None when there is none."""
        there, here = self._ask(("GET", self._key)) or b"", self._book.data()
        if there and version_of(there) >= version_of(here):
            try:
                return self._accepted(there)
            except Refused:
                if version_of(self._book.data()) <= version_of(there):
                    raise
                # somebody else on this machine has heard of a later one meanwhile
        return self._book.load()

    def current(self) -> Roster | None:
        """The latest roster, here and in the hub; None when there is none yet and we are not its owner.

        One in the hub that is older than what was seen here counts for nothing. Refused for one
        that another owner signed.
        """
        with self._book.editing():
            return self._current()

    def edit(self, change: Callable[[Roster, SigningKey], Roster]) -> Roster:
        """Make the next version and publish it; Refused without the owner's key."""
        if self._pen is None:
            raise Refused(f"only the owner of fleet {self._book.fleet!r} may change who is in it")
        with self._book.editing():
            for _ in range(TRIES):
                before = self._current()
                assert before  # the owner makes one
                after = change(before, self._pen)
                if after == before or self._publish(sign_roster(self._pen, after)):
                    return after
        raise Refused(f"the roster of fleet {self._book.fleet!r} is being changed all the time: try again")

    def question(self) -> Command:
        """The command whose reply `is_news` understands: it may travel with another one."""
        return ("GETRANGE", self._key, 0, HEAD_BYTES)

    def is_news(self, reply: bytes, roster: Roster) -> bool:
        """Has the hub another version than this?"""
        return version_of(reply) != roster.version

    def _current(self) -> Roster | None:
        for _ in range(TRIES):
            there, here = self._ask(("GET", self._key)) or b"", self._book.data()
            if there and version_of(there) >= version_of(here):
                return self._accepted(there)
            if self._pen is None:
                return self._book.load()
            data = here or sign_roster(self._pen, new_roster(self._pen, self._book.fleet, int(time.time())))
            if self._publish(data):
                return self._book.load()
        raise Refused(f"the roster of fleet {self._book.fleet!r} is being changed all the time: try again")

    def _publish(self, data: bytes) -> bool:
        """Put a version into the hub and keep it here; False when the hub has one that is as new."""
        reply = self._ask(("FCALL", "rq1_roster", 1, self._anchor, "{}", data))
        if reply != b"taken":
            return False
        self._book.accept(data)
        return True

    def _accepted(self, data: bytes) -> Roster:
        signer = data.split(b" ", 4)[3:4]
        if signer and signer[0].decode("ascii", "replace") != PublicKey(self._book.owner).kid:
            raise Foreign(self._book.fleet, signer[0][:8].decode("ascii", "replace"))
        return self._book.accept(data)
