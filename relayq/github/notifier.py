"""Tell GitHub how jobs ended: claim a notice, verify who wished it, post it, say how it went.

Any number of notifiers may run, in workers or alone. The hub gives each notice to one
of them for LEASE; whoever vanishes is succeeded after it, and the successor looks before
it posts. Nothing is posted past the lease, as far as this machine's clocks can tell, one
of which counts the time it slept. A wish is carried out only when a key trusted here
signed it and `github.notify` names the repository: the hub alone can make nobody post.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
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
from relayq.model.job import Body, parse_body
from relayq.model.notice import Notice, wants
from relayq.store.events import Events
from relayq.store.hub import connect
from relayq.store.notices import NoticeClaim, Notices
from relayq.trust.envelope import batch_digest_of, open_job
from relayq.trust.keys import Keyring

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


class Notifier:
    """One notifier of a fleet. `repos` are OWNER/NAME or OWNER/*; `publics` the keys that are believed."""

    def __init__(
        self, github: GitHub, *, url: str, fleet: str, repos: tuple[str, ...], publics: Iterable[str]
    ) -> None:
        self._github, self._url, self._fleet = github, url, fleet
        self._repos, self._ring = repos, Keyring(publics)

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
            began = _clocks()
            claim = await notices.claim(self._repos, LEASE)
            if not isinstance(claim, NoticeClaim):
                return claim
            told = await self._tell(notices, claim, began)
            log.info("notice", extra={"job": claim.job.id, "word": told.word, "why": told.detail})
            await notices.done(claim, told.word, told.detail, told.delay_s)

    async def _tell(self, notices: Notices, claim: NoticeClaim, began: tuple[float, float]) -> Told:
        try:
            body, notice = await self._opened(notices, claim)
        except (Refused, SpecError) as error:
            return Told("failed", f"it is not told: {error}")
        if notice.kind == "dispatch" and claim.has_doubt:
            return Told("unsure", "a notifier vanished while it told this: it is not told twice")
        ending = _ending(claim, body)
        try:
            word = await tell(self._github, notice, ending, lambda: _is_within_lease(began))
        except GitHubError as error:
            return _failed(error, notice, claim.tries)
        return Told("posted", notice.to_json() + (" (stood there already)" if word == "there" else ""))

    async def _opened(self, notices: Notices, claim: NoticeClaim) -> tuple[Body, Notice]:
        """The wish as it was signed, held against what the hub says."""
        envelope = claim.job.envelope
        digest = batch_digest_of(envelope)
        record = await notices.batch_record(digest) if digest else b""
        body = parse_body(open_job(envelope, self._ring, lambda _: record).body)
        if (body.fleet, body.id) != (self._fleet, claim.job.id):
            raise Refused("the wish was signed for another job or fleet")
        if not 0 <= claim.index < len(body.spec.notify):
            raise Refused("the signed job has no such wish")
        notice = body.spec.notify[claim.index]
        if not wants(self._repos, notice.repo):
            raise Refused(f"github.notify does not name {notice.repo}")
        return body, notice


def _ending(claim: NoticeClaim, body: Body) -> Ending:
    job = claim.job
    return Ending(
        id=job.id,
        name=body.spec.name,
        state=job.state,
        reason=job.reason,
        exit_code=job.exit_code,
        worker=job.worker if job.array is None else "",
        took_ms=max(0, job.ended_ms - job.started_ms) if job.started_ms else 0,
        ended_ms=claim.ended_ms,
    )


def _failed(error: GitHubError, notice: Notice, tries: int) -> Told:
    """What becomes of a notice that could not be told."""
    why = str(error)
    wait_s = min(BACKOFF_MOST_S, BACKOFF_S * 2 ** min(tries - 1, 10))
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
