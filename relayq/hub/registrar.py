"""What the owner of a fleet does about its members: invite, revoke, rotate, trust.

Two things make a member: an entry in the roster, which the owner signs and which alone
decides whose jobs run, and a user of the hub, which only lets somebody reach the mailbox.
Inviting writes the roster first: a user without an entry could do nothing. Revoking
removes the user first, which cuts its live connections at once.

Each edit of the roster is noted in a file beside it, so that the owner can see later who
was let in and when.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relayq.errors import HubDenied, HubError, HubUnreachable, NameTaken, UnknownName, UsageError
from relayq.hub.acl import OWNER, SUBMITTER, User, new_mark, rules
from relayq.hub.certificates import Pair, make_client, read_pem
from relayq.hub.choose import choose_url
from relayq.hub.info import parse_info
from relayq.store.desk import Desk
from relayq.store.hub import connect
from relayq.store.wire import Wire, WireError, WireReplyError, denial
from relayq.trust.book import Book
from relayq.trust.boxes import BoxKey
from relayq.trust.keys import SigningKey, owner_key
from relayq.trust.members import GithubRule, Member
from relayq.trust.roster import (
    Roster,
    add_github_rule,
    add_member,
    remove_github_rules,
    revoke,
    rotate,
)
from relayq.trust.ticket import SECRET_BYTES, SEED_BYTES, Ticket, check_name

if TYPE_CHECKING:
    from relayq.config import Config

ROLES_BY_LETTER = {"w": "worker", "s": "submit", "v": "viewer"}


class Registrar:
    """The owner's desk, at the hub that the configuration names. Use it as a context manager."""

    def __init__(self, config: Config) -> None:
        self._config = config
        url, _ = choose_url(config)
        self._wire = Wire(url)
        if self._wire.address.role not in ("", OWNER):
            raise UsageError(
                f"this machine has joined the fleet as {self._wire.address.role}: "
                "only where the owner's key is can this be done"
            )
        self.url = url
        self._key = owner_key(config.owner_key_path)
        book = Book(config.state_dir, config.fleet, config.trust_owner or self._key.public)
        self._desk = Desk(book, lambda command: self._ask(*command), self._key)

    def __enter__(self) -> Registrar:
        asyncio.run(_ensure_library(self.url, self._config.fleet))
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    # -- members

    def invite(
        self, user: User, *, until_s: int = 0, address: str = "", limits: dict[str, Any] | None = None
    ) -> Ticket:
        """Let somebody in until then (Unix seconds; 0: for good); the ticket to join with.

        `address` is where the hub is reached from there, if not as from here; `limits` are the
        `queues` and `types` that a submit-only user is held to. NameTaken for a name that somebody has.
        """
        authority = self._authority()
        check_name(user.name)
        key = SigningKey(seed := secrets.token_bytes(SEED_BYTES))
        member = Member(
            role=user.role,
            name=user.name,
            sign=key.public,
            box=BoxKey.of(key).public,
            exp=until_s,
            **(limits or {}),
        )

        def let_in(roster: Roster, pen: SigningKey) -> Roster:
            if any(one.name == user.name for one in roster.members):
                raise NameTaken(
                    f"{user.name} is in the fleet already: choose another name, "
                    f"or type `relayq revoke {user.name}` first"
                )
            return add_member(roster, pen, member, int(time.time()))

        self.edit(f"invited {user.role} {user.name} ({member.kid})", let_in)
        until = datetime.datetime.fromtimestamp(until_s, datetime.UTC) if until_s else None
        certificate = make_client(authority, user.login, until)
        if user.role == SUBMITTER:
            user = user._replace(mark=self._free_mark())
        ticket = Ticket(
            role=user.role,
            name=user.name,
            fleet=user.fleet,
            address=address or f"{_bracketed(self._wire.address.host)}:{self._wire.address.port}",
            secret=secrets.token_bytes(SECRET_BYTES),
            authority=authority.certificate,
            certificate=certificate.certificate,
            key=certificate.key,
            owner=self._key.public,
            seed=seed,
            mark=user.mark,
        )
        self._set_user(user, ticket.password)
        return ticket

    def revoke(self, name: str) -> None:
        """Shut out everybody of this name: the connection, the key, and what is sealed from now on."""
        logins = [f"{letter}-{name}" for letter in ROLES_BY_LETTER]
        gone = self._ask("ACL", "DELUSER", *logins) if self._has_users() else 0
        if gone:
            self._ask("ACL", "SAVE")
        prefix = f"{{rq:{self._config.fleet}}}:"
        self._ask("HDEL", prefix + "inn", name)
        self._ask("DEL", f"{prefix}in:{name}")
        try:
            self.edit(f"revoked {name}", lambda roster, pen: revoke(roster, pen, name, int(time.time())))
        except UnknownName:
            if not gone:
                raise UnknownName(f"nobody of fleet {self._config.fleet!r} is called {name[:80]!r}") from None

    def rotate(self) -> Roster:
        """Begin a new epoch, and renew the roster's date."""
        return self.edit("rotated", lambda roster, pen: rotate(roster, pen, int(time.time())))

    def trust_key(self, name: str, sign: str, box: str, role: str = "submit") -> Roster:
        """Let somebody's own key submit jobs, or run them; it needs a way into the hub besides."""
        member = Member(role=role, name=name, sign=sign, box=box)
        what = "key" if role == "submit" else role
        return self.edit(
            f"trusted {what} {member.kid} of {name}",
            lambda roster, pen: add_member(roster, pen, member, int(time.time())),
        )

    def trust_github(self, rule: GithubRule) -> Roster:
        """Let runs of a repository submit."""
        return self.edit(
            f"trusted {rule.repository} {rule.environment or rule.ref}",
            lambda roster, _: add_github_rule(roster, rule, int(time.time())),
        )

    def distrust_github(self, repository: str) -> Roster:
        """Let no run of a repository submit any more."""
        return self.edit(
            f"distrusted {repository}",
            lambda roster, _: remove_github_rules(roster, repository, int(time.time())),
        )

    # -- the hub itself

    def upgrade(self) -> int:
        """Give every user, the owner too, the commands that this RelayQ's roles need; how many members."""
        if not self._has_users():
            return 0
        version, marks = self._version(), self._marks()
        # A submit-only user whose mark is lost keeps what it has: without one it could read every job.
        users = [
            user._replace(mark=marks.get(user.name, ""))
            for user in self._users()
            if user.role != SUBMITTER or user.name in marks
        ]
        for user in (User(OWNER, OWNER, self._config.fleet), *users):
            words = [word for word in rules(user, "", version) if not word.startswith("#")]
            self._ask("ACL", "SETUSER", user.login, "resetkeys", "nocommands", *words)
        self._ask("ACL", "SAVE")
        return len(users)

    # -- the roster

    def edit(self, what: str, change: Callable[[Roster, SigningKey], Roster]) -> Roster:
        """Make the next version of the roster, have the hub carry it, and note what was done."""
        roster = self._desk.edit(change)
        line = json.dumps({"version": roster.version, "at": int(time.time()), "what": what})
        path = log_path(self._config)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.write(line + "\n")
        return roster

    # -- users of the hub

    def _authority(self) -> Pair:
        try:
            return read_pem((self._config.config_dir / "hub" / "authority.pem").read_text())
        except OSError:
            raise UsageError(
                "only the owner of an installed hub can invite: `relayq hub install` where the hub shall be, "
                "and `relayq join` here with the string that it prints"
            ) from None

    def _set_user(self, user: User, password: str) -> None:
        self._ask("ACL", "SETUSER", user.login, "reset", *rules(user, password, self._version()))
        self._ask("ACL", "SAVE")
        if user.role == SUBMITTER:
            self._ask("HSET", f"{{rq:{user.fleet}}}:inn", user.name, user.mark)

    def _users(self) -> list[User]:
        names = (name.decode().partition("-") for name in self._ask("ACL", "USERS"))
        return [
            User(ROLES_BY_LETTER[letter], name, self._config.fleet)
            for letter, dash, name in names
            if dash and letter in ROLES_BY_LETTER
        ]

    def _marks(self) -> dict[str, str]:
        flat = self._ask("HGETALL", f"{{rq:{self._config.fleet}}}:inn")
        return {flat[at].decode(): flat[at + 1].decode() for at in range(0, len(flat), 2)}

    def _free_mark(self) -> str:
        taken = set(self._marks().values())
        return next(mark for mark in iter(new_mark, "") if mark not in taken)

    def _has_users(self) -> bool:
        return self._wire.address.role == OWNER

    def _version(self) -> tuple[int, ...]:
        info = parse_info(self._ask("INFO", "server"))
        return tuple(
            int(part) for part in (info.get("valkey_version") or info["redis_version"]).split(".")[:2]
        )

    def _ask(self, *command: bytes | str | int) -> Any:
        try:
            return self._wire.call(*command)
        except WireError as error:
            raise HubUnreachable(f"{error}; try again when it answers") from error
        except WireReplyError as error:
            shown = self._wire.address.shown
            if error.code in ("NOAUTH", "WRONGPASS"):
                raise HubDenied(denial(self._wire.address, error.code)) from error
            if error.code == "NOPERM":
                raise HubDenied(f"hub {shown} does not let you do this: you are not its owner") from error
            raise HubError(f"hub {shown} answered: {error}") from error


def read_log(config: Config) -> Iterator[dict[str, Any]]:
    """What was done to the roster from this machine: version, at (Unix seconds), what; oldest first."""
    try:
        lines = log_path(config).read_text().splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        yield json.loads(line)


def log_path(config: Config) -> Path:
    """Where edits of the roster are noted."""
    return config.state_dir / "rosters" / f"{config.fleet}.log"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _ensure_library(url: str, fleet: str) -> None:
    try:
        hub = await connect(url, fleet)
    except HubUnreachable as error:
        raise HubUnreachable(f"{error}; try again when it answers") from error
    await hub.close()
