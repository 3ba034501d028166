"""Every attempt this worker holds, from the claim to the acknowledged report.

A claim is judged, journaled, and started as soon as the room for it is free; what
was fetched ahead waits in line. An attempt that has ended is journaled before the
hub hears of it, in one commit with whatever else has ended by then, and held until
the hub has acknowledged its report. A claim that arrives twice, by letter and by
sync, is started once: the board knows it already.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from relayq.errors import WorkerError
from relayq.model.needs import capacity
from relayq.plugins import Outcome
from relayq.store.records import Claim, Report
from relayq.worker.admission import REMEMBERED, Admission, Admitted
from relayq.worker.attempt import Attempt
from relayq.worker.bell import Bell
from relayq.worker.ending import CANCELLED, GONE, STOPPED, never_ran, report_of
from relayq.worker.lanes import LaneBook
from relayq.worker.room import Room
from relayq.worker.runner import Runner
from relayq.worker.shipping import Shipping
from relayq.worker.spool import Ending, OpenAttempt, Spool

log = logging.getLogger("relayq.worker")

WAIT_MAX_S = 5.0
# Why a job type refuses may hold what was sealed: the hub carries it sealed.
TOLD_IN_CONFIDENCE = "refused by its job type"


class Board:
    """The held attempts by job id, and the reports that the hub has not acknowledged."""

    def __init__(
        self,
        *,
        admission: Admission,
        spool: Spool,
        lanes: LaneBook,
        runner: Runner,
        shipping: Shipping,
        bell: Bell,
    ) -> None:
        self._admission, self._spool, self._lanes = admission, spool, lanes
        self._runner, self._shipping, self._bell = runner, shipping, bell
        self._taking = asyncio.Lock()
        self._waiting: deque[Attempt] = deque()
        self._ended: list[tuple[Attempt, Report | None]] = []
        self._gone: list[Attempt] = []
        self._reports: dict[str, Report] = {}
        self.room = Room(capacity(lanes.offer))
        self.held = shipping.held
        self.on_full: Callable[[WorkerError], None] = lambda _: None

    # -- claims

    async def take(self, claims: list[Claim]) -> None:
        """Judge new claims, journal those let in, and start what fits; raises HubError."""
        async with self._taking:
            admitted: list[Admitted] = []
            for at in range(0, len(claims), REMEMBERED):  # what judging takes is remembered for so many
                some = claims[at : at + REMEMBERED]
                await self._admission.prepare(some)
                fresh = [claim for claim in some if self._is_news(claim)]
                admitted += [one for one in map(self._judged, fresh) if one]
            if admitted and await self._journaled(admitted):
                self._hold(admitted)
                self.start_waiting()

    def adopt(self, admitted: Admitted) -> Attempt:
        """Hold an attempt that was running before this worker started."""
        attempt = self._runner.make(admitted, self._lanes.cost(admitted.lane))
        attempt.is_adopted = True
        self.held[admitted.claim.job] = attempt
        self._set_running(attempt)
        return attempt

    def start_waiting(self) -> None:
        """Start what waits and fits now, first come, first served; smaller ones may pass a bigger one."""
        full: set[str] = set()  # the lanes for whose jobs there is no room any more
        for attempt in list(self._waiting):
            lane = attempt.admitted.lane.id
            if lane in full or not self.room.fits(attempt.cost):
                full.add(lane)
                continue
            self._waiting.remove(attempt)
            if self._admission.may_start(attempt.admitted):
                self._set_running(attempt)
            else:
                self._settle(attempt, never_ran(attempt.admitted, "handback"))

    def stale_in_s(self) -> float:
        """When the first of those that wait has waited too long."""
        return self._waiting[0].taken_at + WAIT_MAX_S - time.monotonic() if self._waiting else math.inf

    def hand_back_stale(self) -> None:
        """Give back what was fetched ahead and found no room for long: it is better off elsewhere."""
        if self._waiting:
            self.hand_back_waiting(WAIT_MAX_S)

    def hand_back_waiting(self, older_than_s: float = 0.0) -> None:
        """Give back what has not started."""
        limit = time.monotonic() - older_than_s
        for attempt in [waiting for waiting in self._waiting if waiting.taken_at <= limit]:
            self._waiting.remove(attempt)
            self._settle(attempt, never_ran(attempt.admitted, "handback"))

    # -- ends

    def ended(self, attempt: Attempt, outcome: Outcome) -> None:
        """A running attempt has ended, with everything it had to say."""
        self.room.give(attempt.cost)
        self._shipping.ended(attempt)
        run_ms = attempt.ran_ms()
        if not attempt.asked:
            self._lanes.ended(attempt.admitted.lane.id, run_ms)
        report = report_of(
            attempt.admitted,
            outcome,
            attempt.asked,
            int(run_ms),
            ended_at=attempt.ended_at or round(time.monotonic(), 3),
        )
        if report.outcome == "ok" and attempt.outputs:
            report = replace(report, outputs=attempt.outputs)
        if report.outcome == "refused":
            log.warning("job refused: %s", attempt.refusal, extra={"job": attempt.job})
            report = replace(report, reason=TOLD_IN_CONFIDENCE, note=attempt.refusal)
        self._settle(attempt, None if attempt.asked == GONE else report)
        if self._waiting:
            self.start_waiting()

    def end(self, job: str, why: str, *, at_once: bool = False) -> None:
        """End one attempt: CANCELLED, STOPPED or GONE; nothing happens to one that has ended."""
        attempt = self.held.get(job)
        if attempt is None or attempt.is_over:
            return
        if attempt in self._waiting:
            self._waiting.remove(attempt)
            words = {CANCELLED: "cancelled", STOPPED: "handback"}
            self._settle(attempt, never_ran(attempt.admitted, words[why]) if why in words else None)
        else:
            attempt.end(why, at_once=at_once)

    # -- the dialogue with the hub

    def attempts(self) -> dict[str, int]:
        """Every attempt held: started, waiting, or not yet acknowledged."""
        reported = {job: report.attempt for job, report in self._reports.items()}
        return reported | {job: attempt.attempt for job, attempt in self.held.items()}

    async def reports(self) -> list[Report]:
        """What the hub has to hear, journaled; an attempt's output goes before its report."""
        if self._ended:
            await self._journal()
        return [report for job, report in self._reports.items() if self._shipping.is_told(job)]

    def has_reports(self) -> bool:
        """Is there anything the hub must hear soon?"""
        return bool(self._reports or self._ended)

    def acknowledged(self, sent: list[Report], words: dict[str, str]) -> list[Attempt]:
        """The hub has these reports; returns the attempts that are over now."""
        over, self._gone = self._gone, []
        for report in sent:
            job, word = report.job, words.get(report.job)
            if word is None or self._reports.get(job) is not report:
                continue
            if word == "files":
                self._put_again(report)
                continue
            if word == "stale":
                log.info("report came too late", extra={"job": job, "attempt": report.attempt})
            del self._reports[job]
            self._spool.acknowledged([(job, report.attempt)])
            attempt = self.held.get(job)
            if attempt and attempt.admitted.claim.attempt == report.attempt:
                over.append(self.held.pop(job))
        return over

    def replay(self, report: Report) -> None:
        """Tell what was not acknowledged before."""
        self._reports[report.job] = report
        self._bell.ring()

    def unclaimed(self) -> dict[str, int]:
        """What is free when everything that waits is taken off."""
        free = self.room.left()
        for attempt in self._waiting:
            for key, amount in attempt.cost.items():
                free[key] = max(0, free.get(key, 0) - amount)
        return free

    def keys(self) -> set[str]:
        """The names of the held attempts at the keeper and on disk."""
        return {attempt.key for attempt in self.held.values()}

    @property
    def takes_new(self) -> bool:
        """Is anything new taken?"""
        return self._admission.is_open

    @property
    def running(self) -> list[Attempt]:
        """What runs now."""
        return [attempt for attempt in self.held.values() if attempt.is_running]

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiting)

    # -- inside

    def _is_news(self, claim: Claim) -> bool:
        held = self.held.get(claim.job)
        reported = self._reports.get(claim.job)
        known = max(held.admitted.claim.attempt if held else 0, reported.attempt if reported else 0)
        return claim.attempt > known

    def _judged(self, claim: Claim) -> Admitted | None:
        verdict = self._admission.judge(claim)
        if isinstance(verdict, Admitted):
            if self._admission.may_start(verdict) and verdict.lane.id in self._lanes.served:
                return verdict
            verdict = never_ran(verdict, "handback")
        elif verdict.outcome == "refused":
            log.warning("job refused: %s", verdict.reason, extra={"job": claim.job})
        self._reports[claim.job] = verdict
        self._bell.ring()
        return None

    async def _journaled(self, admitted: list[Admitted]) -> bool:
        """Write claims down; when that fails they go back to the hub."""
        try:
            await self._spool.claimed(map(_entry_of, admitted))
        except WorkerError as error:
            self.on_full(error)
            for one in admitted:
                self._reports[one.claim.job] = never_ran(one, "handback")
            self._bell.ring()
            return False
        return True

    def _put_again(self, report: Report) -> None:
        """The hub has lost what the attempt left. Of one that ended under an earlier worker, so have we."""
        attempt = self.held.get(report.job)
        if attempt and attempt.attempt == report.attempt:
            del self._reports[report.job]
            self._runner.keep_again(attempt, report, self.replay)
        else:
            log.warning("files are lost", extra={"job": report.job})
            self.replay(replace(report, outputs=()))

    def _hold(self, admitted: list[Admitted]) -> None:
        for one in admitted:
            attempt = self._runner.make(one, self._lanes.cost(one.lane))
            self.held[one.claim.job] = attempt
            self._waiting.append(attempt)

    def _set_running(self, attempt: Attempt) -> None:
        self.room.take(attempt.cost)
        attempt.begin()
        self._runner.start(attempt)

    def _settle(self, attempt: Attempt, report: Report | None) -> None:
        """An attempt is over: keep the report for the hub, or forget it when it is not ours any more."""
        attempt.is_over = True
        if report and report.outcome == "handback":
            self._reports[attempt.job] = report
        else:
            self._ended.append((attempt, report))
        self._bell.ring()

    async def _journal(self) -> None:
        ended, self._ended = self._ended, []
        self._spool.ended_elsewhere(_ending_of(attempt, report) for attempt, report in ended)
        try:
            if not all(attempt.is_spawned for attempt, _ in ended):
                await self._spool.flush()
        except WorkerError as error:
            log.warning("exits are reported without being journaled: %s", error)
        finally:
            for attempt, report in ended:
                if report:
                    self._reports[attempt.job] = report
                else:
                    self._let_go(attempt)

    def _let_go(self, attempt: Attempt) -> None:
        """It is not this worker's any more, and nobody waits for a word on it."""
        if self.held.get(attempt.job) is attempt:
            del self.held[attempt.job]
        self._gone.append(attempt)
        self._spool.acknowledged([(attempt.job, attempt.attempt)])


def _ending_of(attempt: Attempt, report: Report | None) -> Ending:
    done = report is not None and not report.retry and report.outcome != "lost"
    has_failed = report is not None and report.outcome in ("failed", "timeout")
    return Ending(
        job=attempt.job,
        attempt=attempt.attempt,
        exp_s=attempt.admitted.exp_s,
        done=done,
        report=report,
        failed=attempt.admitted.failures - (not has_failed),
    )


def _entry_of(one: Admitted) -> OpenAttempt:
    claim = one.claim
    return OpenAttempt(
        job=claim.job,
        attempt=claim.attempt,
        failures=one.failures,
        exp_s=one.exp_s,
        body=one.body,
        again_s=one.again_s,
        timeout_ms=one.terms.timeout_ms,
        keep_output_bytes=one.terms.keep_output_bytes,
    )
