"""The roster: everybody the owner let into the fleet, signed by the owner, carried by the hub.

A roster is the whole truth at one version. Whoever reads one checks the owner's
signature, the fleet, and that the version is no lower than the highest it has ever
seen (`book.py` keeps that on disk), so the hub can neither invent a member nor bring
back a revoked one. Each edit makes the next version; nothing is ever changed in place.

**Epochs.** Jobs are sealed to the fleet, not to one worker: to the X25519 key of the
current epoch, whose private half is sealed to every worker and to the owner. Whoever
revokes a worker begins a new epoch, and that worker reads nothing that comes after.
The private halves of earlier epochs stay for jobs that still wait and for schedules, which are
sealed once: the last EPOCHS_MAX.

    roster <version> ed25519 <kid> <signature>\\n<JSON>

The version stands in the head as well, so that a reader, or the hub, can tell which one
is newer without understanding it; inside the JSON it is signed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from relayq.errors import Refused, UnknownName
from relayq.model.record import Record
from relayq.trust.boxes import BoxKey
from relayq.trust.keys import KEY_BYTES, SIGNATURE_BYTES, Keyring, PublicKey, decode, decode_any, encode
from relayq.trust.members import (
    GithubRule,
    Member,
    check_box,
    check_keys,
    read_fields,
    read_int,
    read_items,
    read_text,
)
from relayq.trust.sealing import READERS_MAX, Opener, Sealer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from relayq.trust.keys import SigningKey

MEMBERS_MAX = 500
RULES_MAX = 64
EPOCHS_MAX = 36  # three years, where the owner rotates once a month
REVOKED_MAX = 2000
ROSTER_BYTES_MAX = 1 << 20
OLD_AFTER_S = 30 * 86_400
_HEADER = re.compile(rb"roster ([1-9][0-9]{0,15}) ed25519 ([0-9a-f]{8}) ([A-Za-z0-9_-]{86})\n")
_STATEMENT = b"relayq-roster-1\n"
_FIELDS = (
    "version",
    "fleet",
    "iat",
    "owner",
    "owner_box",
    "members",
    "github",
    "epochs",
    "revoked",
)


class Epoch(Record):
    """A key pair of the fleet: `public` is what jobs are sealed to, `sealed` its private half."""

    number: int
    public: str
    sealed: bytes


class Roster(Record):
    """One version of the truth about a fleet. `iat` is when it was made, in Unix seconds."""

    version: int
    fleet: str
    iat: int
    owner: str
    owner_box: str
    members: tuple[Member, ...] = ()
    github: tuple[GithubRule, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    revoked: tuple[str, ...] = ()

    @property
    def epoch(self) -> Epoch:
        """The current epoch."""
        return self.epochs[-1]

    def of_role(self, role: str) -> tuple[Member, ...]:
        """The members with this role that are not revoked."""
        return tuple(one for one in self.members if one.role == role and one.kid not in self.revoked)

    def member(self, role: str, public: str) -> Member | None:
        """The member with this role and public signing key, unless it is revoked."""
        return next((one for one in self.of_role(role) if one.sign == public), None)

    def submitters(self) -> Keyring:
        """The keys whose jobs may run: the owner's and those of the submitters."""
        return Keyring([self.owner, *(one.sign for one in self.of_role("submit"))])

    def readers(self) -> tuple[str, ...]:
        """The public box keys that output is sealed to, beside its submitter's: the owner and the viewers."""
        return (self.owner_box, *(one.box for one in self.of_role("viewer")))

    def is_worker(self, public: str) -> bool:
        """Is this the signing key of a worker of the fleet, as of this version?"""
        return self.member("worker", public) is not None

    def warning(self, now_s: int) -> str:
        """A sentence when the roster has not been renewed for 30 days; else nothing."""
        days = (now_s - self.iat) // 86_400
        if now_s - self.iat <= OLD_AFTER_S:
            return ""
        return (
            f"the roster of fleet {self.fleet!r} is {days} days old: the hub may be keeping a newer one "
            "back; the owner renews it with `relayq rotate`"
        )


# -- what the owner does to it: each returns the next version, unsigned


def new_roster(owner: SigningKey, fleet: str, now_s: int) -> Roster:
    """The first roster of a fleet: the owner alone, and the first epoch."""
    box = BoxKey.of(owner)
    first = Roster(version=1, fleet=fleet, iat=now_s, owner=owner.public, owner_box=box.public)
    return first.but(epochs=(_epoch(first, 1, BoxKey.generate()),))


def add_member(roster: Roster, owner: SigningKey, member: Member, now_s: int) -> Roster:
    """Let somebody in. Who had that name in that role before is revoked; a worker may open every epoch."""
    member.check()
    before = [one for one in roster.of_role(member.role) if one.name == member.name]
    if before == [member]:
        return _next(roster, now_s)
    others = tuple(one for one in roster.members if (one.role, one.name) != (member.role, member.name))
    if member.kid in roster.revoked or any(one.kid == member.kid for one in others):
        raise Refused(f"key {member.kid} is in the roster already, or was revoked: make a new key")
    if member.role != "submit" and len([one for one in others if one.role != "submit"]) >= READERS_MAX - 2:
        raise Refused(f"the fleet has {READERS_MAX - 2} workers and viewers already")
    gone = tuple(one.kid for one in before if one.sign != member.sign)
    edited = _next(roster, now_s).but(members=(*others, member), revoked=(*roster.revoked, *gone))
    return _resealed(edited, owner, begin=bool(gone) and member.role == "worker")


def revoke(roster: Roster, owner: SigningKey, who: str, now_s: int) -> Roster:
    """Shut out everybody of this name or kid, and begin a new epoch for those that remain."""
    gone = tuple(one.kid for one in roster.members if who in (one.name, one.kid))
    if not gone:
        raise UnknownName(f"nobody in the roster of fleet {roster.fleet!r} has the name or key {who[:70]!r}")
    members = tuple(one for one in roster.members if one.kid not in gone)
    edited = _next(roster, now_s).but(members=members, revoked=(*roster.revoked, *gone))
    return _resealed(edited, owner, begin=True)


def rotate(roster: Roster, owner: SigningKey, now_s: int) -> Roster:
    """Begin a new epoch; the same members."""
    return _resealed(_next(roster, now_s), owner, begin=True)


def add_github_rule(roster: Roster, rule: GithubRule, now_s: int) -> Roster:
    """Let runs of a repository submit; a rule for the same repository and branch is replaced."""
    rule.check()

    def place(one: GithubRule) -> tuple[str, str, str]:
        return one.repository_id, one.ref, one.environment

    others = tuple(one for one in roster.github if place(one) != place(rule))
    return _next(roster, now_s).but(github=(*others, rule))


def remove_github_rules(roster: Roster, repository: str, now_s: int) -> Roster:
    """Let no run of this repository submit any more."""
    left = tuple(one for one in roster.github if one.repository.lower() != repository.lower())
    if len(left) == len(roster.github):
        raise UnknownName(f"the roster of fleet {roster.fleet!r} has no rule for {repository[:80]!r}")
    return _next(roster, now_s).but(github=left)


# -- how it travels


def sign_roster(owner: SigningKey, roster: Roster) -> bytes:
    """The bytes that the hub carries."""
    if owner.public != roster.owner:
        raise Refused(f"the roster of fleet {roster.fleet!r} belongs to another owner's key")
    payload = json.dumps(_to_json(roster), separators=(",", ":")).encode()
    if len(payload) > ROSTER_BYTES_MAX:
        raise Refused(f"the roster is {len(payload)} bytes: at most {ROSTER_BYTES_MAX}; remove members")
    signature = encode(owner.sign(_STATEMENT + payload))
    return f"roster {roster.version} ed25519 {owner.kid} {signature}\n".encode() + payload


def open_roster(data: bytes, owner_public: str, at_least_version: int = 0, fleet: str = "") -> Roster:
    """Read a roster; Refused unless this owner signed it, for this fleet, at this version or later."""
    header = _HEADER.match(data)
    if not header or len(data) > ROSTER_BYTES_MAX + 256:
        raise Refused("the roster is damaged, or from a newer RelayQ")
    owner = PublicKey(owner_public)
    if header[2].decode() != owner.kid:
        raise Refused(f"the roster is signed by key {header[2].decode()}, not by the owner's {owner.kid}")
    signature = decode(header[3].decode(), SIGNATURE_BYTES)
    if signature is None:
        raise Refused("the signature of the roster is malformed")
    payload = data[header.end() :]
    owner.verify(signature, _STATEMENT + payload)
    roster = _from_json(payload)
    if roster.version != int(header[1]) or roster.owner != owner_public:
        raise Refused("the head of the roster does not fit what was signed")
    if fleet and roster.fleet != fleet:
        raise Refused(f"the roster is that of fleet {roster.fleet!r}, not of {fleet!r}")
    if roster.version < at_least_version:
        raise Refused(
            f"the roster is version {roster.version}, but version {at_least_version} was seen before: "
            "the hub brings back an old one"
        )
    return roster


def version_of(data: bytes) -> int:
    """Which version the head names, unverified: enough to see whether there is anything new. 0 for none."""
    header = re.match(rb"roster ([1-9][0-9]{0,15}) ", data)
    return int(header[1]) if header else 0


def epoch_keys(roster: Roster, box: BoxKey) -> list[BoxKey]:
    """The private keys of the epochs that this key (a worker's, or the owner's) may open."""
    opener = Opener([box])
    return [_epoch_key(roster, epoch, opener) for epoch in roster.epochs if opener.can_open(epoch.sealed)]


# -- inside


def _next(roster: Roster, now_s: int) -> Roster:
    return roster.but(version=roster.version + 1, iat=max(now_s, roster.iat))


def _resealed(roster: Roster, owner: SigningKey, *, begin: bool) -> Roster:
    """The epochs, sealed to the workers of this version; with a new one if it is to begin."""
    keys = dict(zip(roster.epochs, epoch_keys(roster, BoxKey.of(owner)), strict=True))
    epochs = [_epoch(roster, epoch.number, key) for epoch, key in keys.items()]
    if begin:
        epochs.append(_epoch(roster, roster.epoch.number + 1, BoxKey.generate()))
    return roster.but(
        epochs=tuple(epochs[-EPOCHS_MAX:]),
        members=roster.members[-MEMBERS_MAX:],
        revoked=roster.revoked[-REVOKED_MAX:],
    )


def _epoch(roster: Roster, number: int, key: BoxKey) -> Epoch:
    readers = [roster.owner_box, *(one.box for one in roster.of_role("worker"))]
    sealed = Sealer(readers).seal(key.seed, _epoch_name(roster.fleet, number))
    return Epoch(number=number, public=key.public, sealed=sealed)


def _epoch_key(roster: Roster, epoch: Epoch, opener: Opener) -> BoxKey:
    seed = opener.open(epoch.sealed, _epoch_name(roster.fleet, epoch.number)).data
    key = BoxKey(seed) if len(seed) == KEY_BYTES else None
    if key is None or key.public != epoch.public:
        raise Refused(f"the key of epoch {epoch.number} does not fit what was sealed")
    return key


def _epoch_name(fleet: str, number: int) -> bytes:
    return f"relayq-epoch-1\n{fleet}\n{number}".encode()


def _to_json(roster: Roster) -> dict[str, Any]:
    return {
        "version": roster.version,
        "fleet": roster.fleet,
        "iat": roster.iat,
        "owner": roster.owner,
        "owner_box": roster.owner_box,
        "members": [one.to_json() for one in roster.members],
        "github": [one.to_json() for one in roster.github],
        "epochs": [[one.number, one.public, encode(one.sealed)] for one in roster.epochs],
        "revoked": list(roster.revoked),
    }


def _from_json(payload: bytes) -> Roster:
    try:
        fields = json.loads(payload, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("the roster is not JSON") from None
    fields = read_fields(fields, _FIELDS, (), "the JSON")
    roster = Roster(
        version=read_int(fields["version"], "version", 1),
        fleet=read_text(fields["fleet"], "fleet"),
        iat=read_int(fields["iat"], "iat"),
        owner=read_text(fields["owner"], "owner"),
        owner_box=read_text(fields["owner_box"], "owner_box"),
        members=tuple(map(Member.from_json, read_items(fields["members"], "members", MEMBERS_MAX))),
        github=tuple(map(GithubRule.from_json, read_items(fields["github"], "github", RULES_MAX))),
        epochs=tuple(map(_read_epoch, read_items(fields["epochs"], "epochs", EPOCHS_MAX))),
        revoked=tuple(
            read_text(one, "revoked") for one in read_items(fields["revoked"], "revoked", REVOKED_MAX)
        ),
    )
    _check(roster)
    return roster


def _check(roster: Roster) -> None:
    check_keys(roster.owner, roster.owner_box)
    _check_epochs(roster.epochs)
    kids = [one.kid for one in roster.members] + [PublicKey(roster.owner).kid]
    if len(kids) != len(set(kids)):
        raise Refused("two keys of the roster share an id")


def _check_epochs(epochs: Sequence[Epoch]) -> None:
    numbers = [one.number for one in epochs]
    if not numbers or numbers != sorted(set(numbers)):
        raise Refused("the epochs of the roster do not count up")


def _read_epoch(value: object) -> Epoch:
    items = read_items(value, "an epoch", 3)
    if len(items) != 3:
        raise Refused("an epoch of the roster is not number, key and sealed key")
    number, public, sealed = items
    raw = decode_any(sealed) if isinstance(sealed, str) else None
    if raw is None:
        raise Refused("an epoch of the roster holds no key")
    key = read_text(public, "the key of an epoch")
    check_box(key)
    return Epoch(number=read_int(number, "the number of an epoch", 1), public=key, sealed=raw)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is given twice")
    return fields


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not a number")
