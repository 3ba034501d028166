"""Nothing runs here that its owner did not allow: the judgement of a claim.

The hub is a mailbox, never an authority. Before anything starts the worker verifies
the envelope against the roster, opens the sealed part with its own keys, and compares
what was signed with what the hub says: the fleet, the id, the array index, the expiry,
the number of attempts, the lane. A submitter's key is held to its queues and types.
The replay ledger has the last word: what has ended here does not run again unless
a signed op says so, and its stored report is told once more instead.

The records of batches and the openings of arrays are remembered, so that the members
of a batch and the elements of an array cost one verification (150 us) together.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from relayq.errors import Refused, SpecError
from relayq.model.body import hidden_bytes, parse_halves, parse_hidden
from relayq.model.duration import MAX_MOMENT_MS
from relayq.model.ids import is_id, short
from relayq.model.job import JobSpec, routing
from relayq.model.needs import Lane, lane_of
from relayq.model.reading import check_int, check_line, check_name, read_json, read_map
from relayq.model.signer import GITHUB, MEMBER, THE_OWNER, Signer
from relayq.store.records import Claim, Report, Submission
from relayq.trust.bodies import Parted, open_hidden, part
from relayq.trust.envelope import (
    approval_of,
    batch_digest_of,
    is_of_run,
    open_job,
    open_order,
    payload_of,
)
from relayq.trust.oidc import Claims, check_moment
from relayq.trust.slots import is_slot, open_slot, slot_envelope
from relayq.worker.again import Retries
from relayq.worker.credentials import Credentials
from relayq.worker.gate import Gate
from relayq.worker.isolation import FREE, Terms
from relayq.worker.judge import Judge
from relayq.worker.session import Session
from relayq.worker.spool import OpenAttempt, Past, Spool
from relayq.worker.wishes import Wishes

_K = TypeVar("_K")
_V = TypeVar("_V")

REMEMBERED = 64
REASON_CHARS_MAX = 200


class TurnedAway(Refused):
    """A job that came through an inbox and may not run: `job` is its id, empty where it is nobody's."""

    def __init__(self, job: str, why: str) -> None:
        super().__init__(why)
        self.job = job


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A claim whose spec was signed by somebody whom the roster lets submit.

    `body` is the verified body in the clear, for this machine's disk. `reply` is the box key
    that output is sealed to, beside the readers of the roster, `kid` the key that signed.
    `failures` counts this attempt among those that the signed retry policy allows; `terms`
    are the conditions under which it runs, `again_s` is when the retry was signed that let it run
    again (0 for a first run).
    """

    claim: Claim
    body: bytes
    spec: JobSpec
    lane: Lane
    exp_s: int
    failures: int
    reply: str = ""
    kid: str = ""
    terms: Terms = FREE
    again_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    body: bytes
    kid: str
    reply: str
    id: str
    fleet: str
    iat_s: int
    exp_s: int
    spec: JobSpec
    lane: Lane
    repository: str = ""
    needs_approval: bool = False


class Admission:
    """Judges claims by the keys, the ledger, the lease, the policy, and whether anything new is taken.

    `wishes` judges what inboxes want of jobs that are in the hub.
    """

    def __init__(
        self,
        *,
        credentials: Credentials,
        fleet: str,
        spool: Spool,
        session: Session,
        gate: Gate,
        judge: Judge,
    ) -> None:
        self._credentials = credentials
        self._fleet, self._spool = fleet, spool
        self._session, self._gate = session, gate
        self._judge = judge
        self.wishes = Wishes(credentials, fleet, spool)
        self._retries = Retries(credentials, fleet, spool)
        self._records: OrderedDict[str, bytes] = OrderedDict()
        self._approvals: OrderedDict[str, bytes] = OrderedDict()
        self._arrays: OrderedDict[tuple[int, bytes], _Opened] = OrderedDict()

    async def prepare(self, claims: Iterable[Claim]) -> None:
        """Have at hand what judging takes: batch records, and the verdict on tokens; raises HubError."""
        for claim in claims:
            if is_of_run(claim.envelope):
                await asyncio.to_thread(self.judge_runs, [claim.envelope])
                job = claim.job.partition(":")[0]
                _remember(self._approvals, job, await self._session.approval(job))
            digest = batch_digest_of(claim.envelope)
            if digest and digest not in self._records:
                _remember(self._records, digest, await self._session.batch_record(digest))

    async def learn(self, version_there: int) -> None:
        """Take the hub's roster if it is another one: who comes now is judged by the newest."""
        await self._session.follow(self._credentials, version_there)

    @property
    def is_open(self) -> bool:
        """Is anything new taken?"""
        return self._gate.is_open

    def may_start(self, admitted: Admitted) -> bool:
        """Is its lease good for sure, and is anything new taken?"""
        return self._gate.is_open and self._session.may_start(admitted.claim)

    def judge(self, claim: Claim) -> Admitted | Report:
        """Let a claim in, or say what to report instead of running it."""
        try:
            past = self._spool.past(claim.job)
            if past and (report := self._replayed(claim, past)):
                return report
            return self._admit(claim, self._failed_here(claim, past) if past else 0)
        except (Refused, SpecError) as error:
            return _refusal(claim, str(error))

    def inbox_job(self, envelope: bytes, mark: str) -> Submission:
        """What the hub must know of a job that came through an inbox; raises Refused, SpecError."""
        try:
            opened = self._read(envelope)
        except Refused as error:
            raise TurnedAway(_told_id(envelope, mark), error.why) from None
        _require(opened.id.startswith(mark), f"job {opened.id} does not carry the mark of its sender")
        try:
            self._check_sender(opened)
        except Refused as error:
            raise TurnedAway(opened.id, error.why) from None
        waits = (
            f"its owner has to let it run: relayq approve {short(opened.id)}" if opened.needs_approval else ""
        )
        known = routing(opened.spec, opened.id)
        return Submission(routing=known, lane=opened.lane, envelope=envelope, waits=waits)

    def inbox_fire(self, data: bytes, schedules: Mapping[str, bytes]) -> dict[str, Any]:
        """The slot that an inbox wants fired, if a schedule of the hub has it; raises Refused, SpecError."""
        given = read_map(read_json(data, "the firing"), "firing", 4)
        name, slot_ms = check_name(given.get("schedule"), "schedule"), given.get("slot")
        slot_ms = check_int(slot_ms, "slot", 1, MAX_MOMENT_MS)
        _require(name in schedules, f"there is no schedule {name} to fire")
        opened = self._read(slot_envelope(schedules[name], slot_ms))
        self._check_sender(opened)
        who = check_line(given.get("who"), "who", 64)
        rule = check_line(given.get("rule"), "rule", 300)
        return {"name": name, "rule": rule, "who": who, "runs": [(slot_ms, opened.id)]}

    def _admit(self, claim: Claim, failed: int) -> Admitted | Report:
        opened = self._open(claim)
        self._check_sender(opened)
        _require(opened.lane.id == claim.lane, "the hub offers it in another lane than the signed spec's")
        if opened.needs_approval and not self._is_approved(opened.id, claim.envelope):
            return Report(job=claim.job, attempt=claim.attempt, outcome="unapproved")
        failures = max(failed + 1, claim.attempt - claim.crashes)
        allowed = opened.spec.retry.attempts
        _require(failures <= allowed, f"attempt {claim.attempt} is beyond the {allowed} that were signed")
        try:
            terms = self._judge.terms(opened.spec, self._signer(opened))
        except Refused as error:
            return replace(_refusal(claim, error.told), note=str(error), reply=opened.reply)
        return _admitted(claim, opened, failures, terms, self._retries.given_s(claim))

    def _check_sender(self, opened: _Opened) -> None:
        """Whoever it was signed by may send it here, and now."""
        now_s = self._spool.high_water_s(int(time.time()))
        _require(opened.fleet == self._fleet, f"the job was signed for fleet {opened.fleet!r}")
        _require(opened.exp_s >= now_s, "the signed job spec has expired: submit it again")
        self._require_allowed(opened, now_s)

    def _open(self, claim: Claim) -> _Opened:
        """Verify the envelope and compare the id; the elements of an array share one opening."""
        known = (self._credentials.version, claim.envelope)
        opened = self._arrays.get(known)
        if opened is None:
            opened = self._read(claim.envelope)
            if opened.spec.array:
                _remember(self._arrays, known, opened)
        _check_id(claim.job, opened)
        return opened

    def _read(self, envelope: bytes) -> _Opened:
        known, claims = self._credentials, None
        if is_slot(envelope):
            now_s = self._spool.high_water_s(int(time.time()))
            kid, head, hidden = open_slot(envelope, known.ring, known.opener, now_s)
        else:
            kid, signed, claims = open_job(envelope, known.ring, self._record, known.judge)
            head, sealed = part(signed)
            hidden = open_hidden(Parted(head, sealed), known.opener)
        try:
            opened = _parsed(head, hidden)
        except SpecError:  # whose words may hold what was sealed, and the hub carries them
            raise Refused("the signed job spec is not one that this version of RelayQ understands") from None
        _require(opened.kid == kid, "the sealed part was made for another signer")
        if claims:
            _require_run_allowed(opened, claims)
            rule = claims.rule
            return replace(opened, repository=rule.repository, needs_approval=rule.approve)
        return opened

    def _is_approved(self, job: str, envelope: bytes) -> bool:
        """Has the owner signed that this very envelope may run?"""
        try:
            kid, op = open_order(self._approvals.get(job, b""), self._credentials.ring)
        except Refused:
            return False
        is_meant = (op.op, op.id, op.fleet) == (approval_of(envelope), job, self._fleet)
        return is_meant and self._credentials.may_command(kid)

    def judge_runs(self, envelopes: Iterable[bytes]) -> None:
        """Have the issuer's keys fetched, if need be, away from the loop. The verdict is taken later."""
        for envelope in filter(is_of_run, envelopes):
            with suppress(Refused):
                open_job(envelope, self._credentials.ring, judge=self._credentials.judge)

    def _require_allowed(self, opened: _Opened, now_s: int) -> None:
        """What the roster says of the key that signed."""
        member = self._credentials.member_of(opened.kid)
        if member is None:
            return
        spec, key = opened.spec, f"key {member.kid} ({member.name})"
        _require(member.is_current(now_s), f"the time of {key} has run out")
        _require(not member.queues or spec.queue in member.queues, f"{key} may not use queue {spec.queue}")
        _require(not member.types or spec.type in member.types, f"{key} may not use job type {spec.type}")

    def _signer(self, opened: _Opened) -> Signer:
        """Whose job this is, for the policy."""
        if opened.repository:
            return Signer(GITHUB, opened.repository)
        member = self._credentials.member_of(opened.kid)
        return THE_OWNER if member is None else Signer(MEMBER, member.name)

    def _record(self, digest: str) -> bytes:
        return self._records.get(digest, b"")

    def _replayed(self, claim: Claim, past: Past) -> Report | None:
        """The report to tell again for what has ended here, or None when it may run."""
        is_old = past.done or claim.attempt <= past.attempt
        if not is_old or self._retries.allow(claim, past):
            return None
        if past.report is None:
            return _refusal(claim, f"attempt {claim.attempt} was started here before")
        return replace(past.report, attempt=claim.attempt)

    def _failed_here(self, claim: Claim, past: Past) -> int:
        """How many attempts have failed by this worker's own count: the hub may have forgotten some."""
        with suppress(Refused):
            if self._retries.allow(claim, past):
                return 0
        return past.failed


def readmit(one: OpenAttempt) -> Admitted:
    """What was let in, verified and journaled before this worker's last end; raises SpecError."""
    head, _, hidden = one.body.partition(b"\n")
    opened = _parsed(head, parse_hidden(hidden))
    claim = Claim(
        job=one.job, attempt=one.attempt, crashes=0, lane=opened.lane.id, envelope=b"", offered_ms=0
    )
    terms = Terms(timeout_ms=one.timeout_ms, keep_output_bytes=one.keep_output_bytes)
    return _admitted(claim, opened, one.failures, terms, one.again_s)


def _admitted(claim: Claim, opened: _Opened, failures: int, terms: Terms, again_s: int) -> Admitted:
    return Admitted(
        claim=claim,
        body=opened.body,
        reply=opened.reply,
        kid=opened.kid,
        spec=opened.spec,
        lane=opened.lane,
        exp_s=opened.exp_s,
        failures=failures,
        terms=terms,
        again_s=again_s,
    )


def _parsed(head: bytes, hidden: dict[str, Any]) -> _Opened:
    """Read both halves of a body in the clear."""
    body = parse_halves(head, hidden)
    return _Opened(
        body=head + b"\n" + hidden_bytes(hidden),
        kid=body.by,
        reply=body.reply,
        id=body.id,
        fleet=body.fleet,
        iat_s=body.iat,
        exp_s=body.exp,
        spec=body.spec,
        lane=lane_of(body.spec),
    )


def _told_id(envelope: bytes, mark: str) -> str:
    """The id that an envelope in the inbox of `mark` gives itself, for telling its sender; else empty."""
    try:
        job = json.loads(part(payload_of(envelope)[1]).head)["id"]
    except (Refused, ValueError, LookupError, TypeError, RecursionError):
        return ""
    return job if isinstance(job, str) and is_id(job) and job.startswith(mark) and ":" not in job else ""


def _check_id(job: str, opened: _Opened) -> None:
    base, colon, index = job.partition(":")
    _require(base == opened.id, "the envelope was signed for another job")
    array = opened.spec.array
    _require(bool(colon) == (array is not None), "the array index does not fit the signed spec")
    if array:
        is_element = index.isdecimal() and str(int(index)) == index
        _require(
            is_element and array.start <= int(index) < array.start + array.size,
            f"the signed array has no index {index!r}",
        )


def _require_run_allowed(opened: _Opened, claims: Claims) -> None:
    """What the rule says that let a run of GitHub Actions in."""
    rule, spec = claims.rule, opened.spec
    check_moment(claims, opened.iat_s)
    _require(not rule.queues or spec.queue in rule.queues, f"the run may not use queue {spec.queue}")
    _require(not rule.types or spec.type in rule.types, f"the run may not use job type {spec.type}")


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise Refused(why)


def _refusal(claim: Claim, why: str) -> Report:
    return Report(job=claim.job, attempt=claim.attempt, outcome="refused", reason=why[:REASON_CHARS_MAX])


def _remember(cache: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    cache[key] = value
    if len(cache) > REMEMBERED:
        cache.popitem(last=False)
