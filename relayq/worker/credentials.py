"""Who this worker is, whom it believes, and what it can open.

A worker has a key of its own. On the owner's machine it lets itself into the roster; on
every other the owner has let it in. The roster it works by is the latest it has ever
seen: an older one is refused, and one that shuts this worker out ends it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.errors import HubDenied, HubError, HubUnreachable, Refused, WorkerError
from relayq.store.desk import Desk, no_roster
from relayq.store.wire import Wire, WireError, WireReplyError, denial
from relayq.trust.book import Book
from relayq.trust.boxes import BoxKey
from relayq.trust.keys import Keyring, PublicKey, SigningKey, owner_key
from relayq.trust.members import Member
from relayq.trust.oidc import RunJudge
from relayq.trust.outputs import Voice
from relayq.trust.roster import Roster, add_member, epoch_keys
from relayq.trust.sealing import Opener

if TYPE_CHECKING:
    from collections.abc import Callable

    from relayq.config import Config
    from relayq.store.desk import Command
    from relayq.trust.oidc import Claims

log = logging.getLogger("relayq.worker")

ASK_S = 10.0


class Credentials:
    """The worker's own key, the roster, and what follows from both. `version` changes with the roster."""

    def __init__(self, config: Config, trusted: Iterable[str], directory: Path) -> None:
        self._config, self._trusted = config, tuple(sorted({*config.trust_keys, *trusted}))
        shared = config.identity_path
        self.key = owner_key(shared if shared.exists() else directory / "identity.key")
        self._box = BoxKey.of(self.key)
        self._pen = self._owners_key()
        self.version = self.version_there = 0
        self.ring = Keyring(())
        self.opener = Opener([self._box])
        self._voice: Voice | None = None
        self._roster: Roster | None = None
        self._warned = ""
        self._runs = RunJudge(config.state_dir, config.oidc_issuer)

    def _owners_key(self) -> SigningKey | None:
        """The owner's key, made where nobody else's is named."""
        path = self._config.owner_key_path
        is_ours = not self._config.trust_owner and not self._trusted
        return owner_key(path) if is_ours or path.exists() else None

    @property
    def box(self) -> str:
        """The public key to which this worker seals what only it shall read."""
        return self._box.public

    @property
    def voice(self) -> Voice:
        """Seals what this worker says; there from the first meeting with the hub on."""
        assert self._voice, "a worker says nothing before it has a roster"
        return self._voice

    def member_of(self, kid: str) -> Member | None:
        """The submitter with this key, whose restrictions hold; None for the owner."""
        submitters = self._roster.of_role("submit") if self._roster else ()
        return next((one for one in submitters if one.kid == kid), None)

    def judge(self, token: str, digest: str) -> Claims:
        """Judge an identity token by the roster's rules; Refused. May ask the issuer, so not on the loop."""
        return self._runs.by(self._roster.github if self._roster else ())(token, digest)

    def may_command(self, kid: str) -> bool:
        """Is this the owner's key, or one that this worker's own configuration trusts?"""
        owner = self._roster.owner if self._roster else ""
        return any(PublicKey(public).kid == kid for public in (*self._trusted, owner) if public)

    async def meet(self, url: str) -> None:
        """Take the roster as it stands in the hub, letting ourselves in where we may.

        An older one than was seen here before is not taken. HubError when the hub cannot be asked,
        WorkerError when it has no place for us, Refused for a roster that is not the owner's.
        """
        try:
            roster = await asyncio.to_thread(self._meet, url)
        except Refused as refusal:
            if self._roster is None:
                raise
            log.warning("the hub's roster is refused, the known one holds: %s", refusal)
            return
        self._learn(roster)

    def is_news(self, version_there: int) -> bool:
        """Has the hub another version than when it was last asked? It says so once."""
        is_news, self.version_there = version_there != self.version_there, version_there
        if is_news and version_there < self.version:
            log.warning(
                "the hub brings back an old roster, which is refused",
                extra={"version": version_there, "known": self.version},
            )
        return is_news and version_there != self.version

    def _meet(self, url: str) -> Roster:
        wire = Wire(url, ASK_S)
        try:
            ask = _asker(wire)
            owner = self._owner(ask)
            pen = self._pen if self._pen and self._pen.public == owner else None
            desk = Desk(Book(self._config.state_dir, self._config.fleet, owner), ask, pen)
            roster = desk.current()
            if pen and roster and not roster.is_worker(self.key.public):
                roster = desk.edit(self._enrol)
        finally:
            wire.close()
        if roster is None:
            raise WorkerError(no_roster(self._config.fleet))
        if not roster.is_worker(self.key.public):
            raise WorkerError(self._stranger(roster, wire.address.role))
        return roster

    def _owner(self, ask: Callable[[Command], object]) -> str:
        """Whose roster this worker follows: as configured, or of those it trusts the one that the hub has."""
        if self._config.trust_owner:
            return str(self._config.trust_owner)
        known: list[str] = [*([self._pen.public] if self._pen else ()), *self._trusted]
        head = ask(("GETRANGE", f"{{rq:{self._config.fleet}}}:roster", 0, 63))
        words = head.split(b" ") if isinstance(head, bytes) else []
        signer = words[3].decode("ascii", "replace") if len(words) > 3 else ""
        return next((public for public in known if PublicKey(public).kid == signer), known[0])

    def _enrol(self, roster: Roster, pen: SigningKey) -> Roster:
        if roster.is_worker(self.key.public):
            return roster
        name = self._config.worker.name
        member = Member(
            role="worker", name=self._name(roster, name), sign=self.key.public, box=self._box.public
        )
        return add_member(roster, pen, member, int(time.time()))

    def _name(self, roster: Roster, name: str) -> str:
        """The worker's name, told apart from another one's that is enrolled under it."""
        taken = {one.name for one in roster.of_role("worker")}
        return f"{name[:50]}.{self.key.kid}" if name in taken else name

    def _stranger(self, roster: Roster, role: str) -> str:
        is_revoked = self.key.kid in roster.revoked
        why = "was shut out of" if is_revoked else "is not enrolled in"
        who = f"this worker's key {self.key.kid} {why} fleet {roster.fleet!r}"
        if role:
            return (
                f"{who}: ask its owner for a string of `relayq hub invite worker NAME`, "
                "and `relayq join` with it"
            )
        if is_revoked:
            return f"{who}, and a key that was revoked comes in no more"
        from relayq.trust.words import four_words

        return (
            f"{who}: let it in where the owner's key is, by `relayq trust worker {self._config.worker.name} "
            f"{self.key.public} {self.box}`; its four words are {four_words(self.key.public)}"
        )

    def _learn(self, roster: Roster) -> None:
        if self._roster == roster:
            return
        self._roster = roster
        self.ring = Keyring({*roster.submitters(), *self._trusted})
        self.opener = Opener([self._box, *epoch_keys(roster, self._box)])
        self._voice = Voice(self.key, roster.fleet, roster.readers())
        self.version = roster.version
        if (warning := roster.warning(int(time.time()))) and warning != self._warned:
            self._warned = warning
            log.warning("%s", warning)


def _asker(wire: Wire) -> Callable[[Command], object]:
    def ask(command: Command) -> object:
        try:
            return wire.call(*command)
        except WireError as error:
            raise HubUnreachable(str(error)) from error
        except WireReplyError as reply:
            if denied := denial(wire.address, reply.code, str(reply).partition(" ")[2]):
                raise HubDenied(denied) from reply
            raise HubError(f"hub {wire.address.shown} answered: {reply}") from reply

    return ask
