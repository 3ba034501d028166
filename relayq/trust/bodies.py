"""Jobs on their way: what is signed, what is sealed, and to whom.

A signed body is the open half of a job (JSON), a newline, and the sealed hidden half.
The open half is the additional data of the seal, so the two cannot be parted: a sealed
part that somebody puts under another id, another signer or another reply key does not
open. It is sealed to the fleet's current epoch, to the viewers, and to its own submitter;
the values of `secrets` are sealed once more, to the epoch alone.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.errors import Refused, SpecError
from relayq.model.body import Submitted, halves, hidden_bytes, parse_hidden
from relayq.model.job import MAX_BODY_BYTES, JobSpec
from relayq.trust.audience import signer_of
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import sign_batch, sign_job, sign_schedule, sign_with_token
from relayq.trust.keys import SigningKey, decode_any, encode
from relayq.trust.roster import Roster
from relayq.trust.sealing import Opener, Sealer

if TYPE_CHECKING:
    from relayq.model.schedule import Schedule

_COMPRESS_ABOVE_BYTES = 512
_RAW, _PACKED = b"0", b"z"
JOB, SCHEDULE, _SECRETS = b"relayq-job-1\n", b"relayq-schedule-1\n", b"relayq-secrets-1\n"


class Parted(NamedTuple):
    """A body taken apart: the open half, and the hidden half as it was sealed."""

    head: bytes
    sealed: bytes


class Scribe:
    """Seals the jobs of one submitter, named `by`, who reads with the box key `reply` if it has one."""

    def __init__(self, roster: Roster, by: str, reply: str = "") -> None:
        own = (reply,) if reply else ()
        self._who = Submitted(fleet=roster.fleet, by=by, reply=reply)
        viewers = [one.box for one in roster.of_role("viewer")]
        self._sealer = Sealer([roster.epoch.public, *viewers, *own])
        self._workers, self._has_others = roster.epoch.public, bool(viewers or own)

    @cached_property
    def _inner(self) -> Sealer:
        """Seals to the workers alone, once there are secrets: in plain Python that costs 2 ms."""
        return Sealer([self._workers])

    def body(self, spec: JobSpec, job: str, now_s: int) -> bytes:
        """The bytes that are signed."""
        return self._sealed(*halves(spec, job, self._who, now_s), JOB)

    def _sealed(self, head: bytes, hidden: dict[str, Any], kind: bytes) -> bytes:
        if self._has_others and "secrets" in hidden:
            sealed = self._inner.seal(json.dumps(hidden["secrets"]).encode(), _SECRETS + head)
            hidden["secrets"] = encode(sealed)
        return head + b"\n" + self._sealer.seal(_pack(hidden_bytes(hidden)), kind + head)


class Author(Scribe):
    """Signs and seals the jobs of one key for the fleet of a roster."""

    def __init__(self, key: SigningKey, roster: Roster) -> None:
        # The owner reads what is sealed to the fleet, and output is sealed to the owner anyway.
        is_owner = key.public == roster.owner
        super().__init__(roster, key.kid, "" if is_owner else BoxKey.of(key).public)
        self.key = key

    def job(self, spec: JobSpec, job: str, now_s: int) -> bytes:
        """The envelope of one job."""
        return sign_job(self.key, self.body(spec, job, now_s))

    def batch(self, named: Sequence[tuple[JobSpec, str]], now_s: int) -> tuple[bytes, list[bytes]]:
        """The record and the envelopes of at most 500 jobs, under one signature."""
        return sign_batch(self.key, [self.body(spec, job, now_s) for spec, job in named])

    def schedule(self, schedule: Schedule, now_s: int) -> bytes:
        """The envelope of a schedule, which is all that its jobs need."""
        from relayq.model.schedule import schedule_halves

        return sign_schedule(self.key, self._sealed(*schedule_halves(schedule, self._who, now_s), SCHEDULE))


class RunAuthor(Scribe):
    """Seals the jobs of a GitHub Actions run; `ask` gets its token for an audience, which signs."""

    def __init__(self, roster: Roster, repository_id: str, reply: str, ask: Callable[[str], str]) -> None:
        super().__init__(roster, signer_of(repository_id), reply)
        self._ask = ask

    def job(self, spec: JobSpec, job: str, now_s: int) -> bytes:
        """The envelope of one job."""
        return sign_with_token(self.body(spec, job, now_s), self._ask)


def part(body: bytes) -> Parted:
    """Take a body apart; Refused when it has not two halves."""
    head, newline, sealed = body.partition(b"\n")
    if not newline or not sealed:
        raise Refused("the signed body has no sealed part")
    return Parted(head, sealed)


def open_hidden(parted: Parted, opener: Opener, kind: bytes = JOB) -> dict[str, Any]:
    """The hidden half of a job or SCHEDULE; Refused when it is sealed to others, or belongs to another.

    Secrets that only workers may read stay the text they are for everybody else.
    """
    data = _unpack(opener.open(parted.sealed, kind + parted.head).data)
    try:
        hidden = parse_hidden(data)
    except SpecError:
        raise Refused("the sealed part of the job is not one that this version writes") from None
    secrets = hidden.get("secrets")
    if isinstance(secrets, str):
        hidden["secrets"] = _open_secrets(secrets, parted.head, opener)
    return hidden


def _open_secrets(text: str, head: bytes, opener: Opener) -> dict[str, Any] | str:
    sealed = decode_any(text)
    if sealed is None:
        raise Refused("the secrets of the job are damaged")
    if not opener.can_open(sealed):
        return text
    try:
        secrets = json.loads(opener.open(sealed, _SECRETS + head).data)
    except ValueError:
        secrets = None
    if not isinstance(secrets, dict):
        raise Refused("the secrets of the job are damaged")
    return secrets


def _pack(data: bytes) -> bytes:
    if len(data) > _COMPRESS_ABOVE_BYTES:
        small = zlib.compress(data, 6)
        if len(small) < len(data):
            return _PACKED + small
    return _RAW + data


def _unpack(packed: bytes) -> bytes:
    """What was packed, at most 64 KiB of it."""
    if packed[:1] == _RAW:
        return packed[1:]
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(packed[1:], MAX_BODY_BYTES + 1) if packed[:1] == _PACKED else b""
    except zlib.error:
        data = b""
    if not data or len(data) > MAX_BODY_BYTES or not inflater.eof or inflater.unused_data:
        raise Refused("the sealed part of the job is damaged")
    return data
