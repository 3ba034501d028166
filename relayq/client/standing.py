"""Who submits here: the key, the fleet's roster as this machine knows it, and what both allow.

A submit must not ask the hub first. It seals to the epoch of the roster on disk, and the
question whether the hub has a newer one travels with it; what the answer changes counts
from the next submit on. Only the very first one makes a roster, or fetches one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from relayq.errors import NotFound, Refused
from relayq.store.desk import Desk, Foreign, no_roster
from relayq.trust.bodies import Author
from relayq.trust.book import Book
from relayq.trust.keys import SigningKey, owner_key

if TYPE_CHECKING:
    from relayq.config import Config
    from relayq.store.desk import Command
    from relayq.store.reader import Reader
    from relayq.trust.oidc import RunJudge
    from relayq.trust.roster import Roster

VOICELESS = ("worker", "viewer")  # the roles whose keys are in the roster for other things than submitting


class Standing:
    """The keys and the roster of one user in one fleet; `ask` sends commands to the hub."""

    def __init__(self, config: Config, ask: Callable[..., list[Any]]) -> None:
        self._config = config
        self._ask = ask
        self._author: Author | None = None
        self._roster: Roster | None = None
        self._is_asked = False

    @cached_property
    def key(self) -> SigningKey:
        """The key that signs here: the one this machine joined with, or the owner's own."""
        path = self._config.identity_path
        return SigningKey.load(path) if path.exists() else owner_key(self._config.owner_key_path)

    @cached_property
    def desk(self) -> Desk:
        """Where the roster is read and, by its owner, changed."""
        owner = self._owner
        pen = self.key if self.key.public == owner else self._pen(owner)
        return Desk(self._book, lambda command: self._ask(command)[0], pen)

    @cached_property
    def _book(self) -> Book:
        return Book(self._config.state_dir, self._config.fleet, self._owner)

    @property
    def _owner(self) -> str:
        """The public key of the fleet's owner: our own unless another is named."""
        return self._config.trust_owner or self.key.public

    @cached_property
    def runs(self) -> RunJudge:
        """Judges the tokens of runs of GitHub Actions, as this machine's configuration says."""
        from relayq.trust.oidc import RunJudge

        return RunJudge(self._config.state_dir, self._config.oidc_issuer)

    def _pen(self, owner: str) -> SigningKey | None:
        """The owner's key, should it be here beside the one that this machine joined with."""
        path = self._config.owner_key_path
        key = SigningKey.load(path) if path.exists() else None
        return key if key and key.public == owner else None

    def author(self) -> Author:
        """Whoever signs and seals what is submitted now."""
        if self._author is None:
            self._roster = self._book.load() or self._fetched()
            self._author = Author(self.key, self._roster)
        return self._author

    def require_voice(self, role: str) -> None:
        """Refused where no worker would run what is signed here: on a worker's or viewer's machine.

        `role` is what this machine has joined as. Another key may be named (`paths.identity`) and
        be let in; only who seems not to be waits for the hub's latest roster.
        """
        if role not in VOICELESS or self.key.public in (self._owner, *self._config.trust_keys):
            return
        if any(roster and roster.member("submit", self.key.public) for roster in self._rosters()):
            return
        raise Refused(
            f"this machine has joined as a {role}, and workers run nothing that it signs: ask its owner "
            "for a string of `relayq hub invite submit NAME`, and join with it where you submit from "
            "(or, here, `relayq submit --wire` with it in RELAYQ_JOIN)"
        )

    def questions(self) -> list[Command]:
        """What travels with the first submit of a process."""
        return [] if self._is_asked else [self.desk.question()]

    def heard(self, replies: list[Any]) -> None:
        """The hub's answer to `questions`: another roster counts from now on."""
        if self._is_asked or not replies:
            return
        self._is_asked = True
        if self._roster and self.desk.is_news(replies[0] or b"", self._roster):
            self._roster = self._fetched()
            self._author = Author(self.key, self._roster)

    def reader(self) -> Reader:
        """What opens specs, output and results for us: nothing at all in a stranger's fleet."""
        from relayq.store.reader import Reader

        roster = None
        with suppress(Foreign):
            roster = self.desk.seen()
        return Reader(self.key, self._config.fleet, roster, self._book.accept, self.runs)

    def _rosters(self) -> Iterator[Roster | None]:
        """The one on disk, then the hub's."""
        yield self._book.load()
        yield self.desk.current()

    def _fetched(self) -> Roster:
        roster = self.desk.current()
        if roster is None:
            raise NotFound(no_roster(self._config.fleet))
        return roster
