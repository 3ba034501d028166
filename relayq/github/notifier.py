"""Tell GitHub how jobs ended: claim a notice, verify who wished it, post it, say how it went.

Any number of notifiers may run, in workers or alone. The hub gives each notice to one
of them for LEASE; whoever vanishes is succeeded after it, and the successor looks before
it posts. Nothing is posted past the lease, as far as this machine's clocks can tell, one
of which counts the time it slept.

The hub alone can make nobody post. A wish is carried out only when somebody whom the
fleet's roster lets submit has signed it, when `github.notify` names the repository, and,
as far as this machine may read that, when a worker has signed the end that the hub tells.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import NamedTuple

from relayq.errors import (
    GitHubDenied,
    GitHubError,
    GitHubInvalid,
    GitHubLimited,
    GitHubMissing,
    GitHubUnavailable,
    Refused,
    SpecError,
)
from relayq.github.api import GitHub
from relayq.github.notices import Ending, tell
from relayq.model.cron import slot_id
from relayq.model.notice import Notice, wants
from relayq.model.reading import read_json, read_list, read_map
from relayq.store.events import Events
from relayq.store.hub import connect
from relayq.store.notices import NoticeClaim, Notices
from relayq.store.reader import Reader
from relayq.store.records import JobRecord
from relayq.trust.bodies import part
from relayq.trust.envelope import Judge, batch_digest_of, is_of_run, open_job
from relayq.trust.keys import Keyring
from relayq.trust.slots import is_slot, read_schedule, schedule_of, slot_of

log = logging.getLogger("relayq.notifier")

LEASE = timedelta(minutes=3)
MARGIN_S = 60.0  # a post takes at most half of it
LOOK_MS = 20_000
BACKOFF_S, BACKOFF_MOST_S = 5.0, 600.0
TRIES_DENIED, TRIES_MOST = 6, 40


class Told(NamedTuple):
    """How a notice went: the hub's word, why, and for `later` when again."""

    word: str
    detail: str = ""
    delay_s: float = 0.0


class Eyes(NamedTuple):
    """What a notifier sees with: the keys that may submit, what judges tokens, what opens records for it.

    Workers sign how a job ended to the owner and the viewers of the fleet alone. Whoever is one of
    them (`is_reader`) holds the hub to it; to others its word must do.
    """

    submitters: Keyring
    judge: Judge
    reader: Reader
    is_reader: bool


class Notifier:
    """One notifier of a fleet; `repos` are OWNER/NAME or OWNER/*. `eyes` reads the roster and may block."""

    def __init__(
        self, github: GitHub, *, url: str, fleet: str, repos: tuple[str, ...], eyes: Callable[[], Eyes]
    ) -> None:
        self._github, self._url, self._fleet = github, url, fleet
        self._repos, self._eyes, self._said = repos, eyes, ""

    async def run(self, *, once: bool = False) -> None:
        """Tell what is to be told, for ever, or with `once` until nothing is left; raises HubError."""
        async with AsyncExitStack() as stack:
            hub = await connect(self._url, self._fleet)
            stack.push_async_callback(hub.close)
            waiting = hub.twin()
            stack.push_async_callback(waiting.close)
            notices, events = Notices(hub), Events(waiting)
            last_id = await events.last_id()
            while True:
                due_ms = await self.work(notices)
                if once:
                    return
                last_id = await _wait(events, last_id, min(LOOK_MS, LOOK_MS if due_ms is None else due_ms))

    async def work(self, notices: Notices) -> int | None:
        """Tell everything that is due; the ms until more is, None when nothing waits."""
        while True:
            try:
                eyes = await asyncio.to_thread(self._eyes)
            except Refused as error:
                self._warn(f"nothing is told from here: {error}")
                return None
            notices.hub.reader = eyes.reader
            began = _clocks()
            claim = await notices.claim(self._repos, LEASE)
            if not isinstance(claim, NoticeClaim):
                return claim
            told = await self._tell(notices, claim, eyes, began)
            log.info("notice", extra={"job": claim.job, "word": told.word, "why": told.detail})
            await notices.done(claim, told.word, told.detail, told.delay_s)

    async def _tell(
        self, notices: Notices, claim: NoticeClaim, eyes: Eyes, began: tuple[float, float]
    ) -> Told:
        try:
            notice = await self._wish(notices, claim, eyes)
        except (Refused, SpecError) as error:
            return _not_believed(error, claim)
        record = await notices.record(claim)
        if record is None:
            return Told("failed", "it is not told: the job runs again")
        if record.doubt and eyes.is_reader:
            return Told("failed", f"it is not told: {record.doubt}")
        if notice.kind == "dispatch" and claim.has_doubt:
            return Told("unsure", "a notifier vanished while it told this: it is not told twice")
        try:
            word = await tell(self._github, notice, _ending(record), lambda: _is_within_lease(began))
        except GitHubError as error:
            return _failed(error, notice, claim.tries)
        return Told("posted", notice.to_json() + (" (stood there already)" if word == "there" else ""))

    async def _wish(self, notices: Notices, claim: NoticeClaim, eyes: Eyes) -> Notice:
        """The wish as it was signed, held against what the hub says."""
        if is_slot(claim.envelope):
            fleet, job, wishes = _slot_wishes(claim.envelope, eyes.submitters)
        else:
            digest = batch_digest_of(claim.envelope)
            record = await notices.batch_record(digest) if digest else b""
            opened = await asyncio.to_thread(
                open_job, claim.envelope, eyes.submitters, lambda _: record, eyes.judge
            )
            fleet, job, wishes = _wishes(opened.body)
        if (fleet, job) != (self._fleet, claim.job):
            raise Refused("the wish was signed for another job or fleet")
        if not 0 <= claim.index < len(wishes):
            raise Refused("the signed job has no such wish")
        notice = wishes[claim.index]
        if not wants(self._repos, notice.repo):
            raise Refused(f"github.notify does not name {notice.repo}")
        return notice

    def _warn(self, sentence: str) -> None:
        """Once is enough."""
        if sentence != self._said:
            self._said = sentence
            log.warning("%s", sentence)


def _wishes(body: bytes) -> tuple[object, object, list[Notice]]:
    """The fleet, the id and the wishes in the open half of a signed job."""
    head = read_map(read_json(part(body).head, "the signed body"), "body")
    wishes = read_list(read_map(head.get("spec"), "spec").get("notify", []), "notify")
    return head.get("fleet"), head.get("id"), [Notice.from_json(wish) for wish in wishes]


def _slot_wishes(envelope: bytes, submitters: Keyring) -> tuple[object, object, list[Notice]]:
    """The same of a job that follows from a signed schedule."""
    signed = read_schedule(schedule_of(envelope), submitters)
    job = slot_id(signed.fleet, signed.schedule.name, slot_of(envelope))
    return signed.fleet, job, list(signed.schedule.spec.notify)


def _ending(job: JobRecord) -> Ending:
    return Ending(
        id=job.id,
        name="" if job.is_sealed else _name(job.envelope),
        state=job.state,
        reason=job.reason,
        exit_code=job.exit_code,
        worker=job.worker if job.array is None else "",
        took_ms=max(0, job.ended_ms - job.started_ms) if job.started_ms else 0,
        ended_ms=job.ended_ms,
    )


def _name(envelope: bytes) -> str:
    """The name in an envelope that a reader has opened."""
    try:
        return str(json.loads(envelope.partition(b"\n")[2])["spec"].get("name", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _not_believed(error: Refused | SpecError, claim: NoticeClaim) -> Told:
    """A wish that nobody of the fleet has signed; about a run's token its issuer may only be silent."""
    why = f"it is not told: {error}"
    if is_of_run(claim.envelope) and claim.tries < TRIES_DENIED:
        return Told("later", why, _backoff_s(claim.tries))
    return Told("failed", why)


def _failed(error: GitHubError, notice: Notice, tries: int) -> Told:
    """What becomes of a notice that could not be told."""
    why = str(error)
    wait_s = _backoff_s(tries)
    match error:
        case GitHubLimited():
            return Told("later", why, error.wait_s)
        case GitHubUnavailable(is_unsure=True) if notice.kind == "dispatch":
            return Told("unsure", why)
        case GitHubDenied() if tries < TRIES_DENIED:
            return Told("later", why, wait_s)
        case GitHubDenied() | GitHubMissing() | GitHubInvalid():
            return Told("failed", why)
    return Told("later", why, wait_s) if tries < TRIES_MOST else Told("failed", why)


def _backoff_s(tries: int) -> float:
    return min(BACKOFF_MOST_S, BACKOFF_S * float(1 << min(tries - 1, 10)))


async def _wait(events: Events, last_id: str, most_ms: int) -> str:
    """Until an event speaks of a notice, or the time is over; the id to go on from."""
    until_s = time.monotonic() + most_ms / 1000
    while (left_ms := round((until_s - time.monotonic()) * 1000)) > 0:
        found = await events.follow(last_id, left_ms)
        if found:
            last_id = found[-1].id
            if any(event.kind == "notice" for event in found):
                break
    return last_id


def _clocks() -> tuple[float, float]:
    """One clock that nobody sets, one that runs while the machine sleeps."""
    return time.monotonic(), time.time()


def _is_within_lease(began: tuple[float, float]) -> bool:
    passed_s = max(now - then for now, then in zip(_clocks(), began, strict=True))
    return passed_s < LEASE.total_seconds() - MARGIN_S
