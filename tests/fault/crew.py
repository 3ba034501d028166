"""The workers of a simulated world: they claim, hold, write, end and report, and lose messages.

A simulated worker keeps what the real one keeps: its journal (what it started, what
ended and was not acknowledged), its output, and it never starts a claim that may have
lapsed. Nothing runs: the world's random numbers say how attempts end.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import redis

from relayq.model.lifecycle import LEASE_MS
from relayq.store.records import Claim, LogChunk, Report, SyncReply, SyncRequest
from tests.model.driver import COST, Driver, FakeWorker
from tests.model.history import History
from tests.model.invariants import CODES, MAY_START

LEASE_MARGIN_MS = 10_000
SLOTS = 4
OUTCOMES = ("ok", "ok", "ok", "failed", "failed", "timeout", "cancelled", "handback", "lost", "refused")


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong, as chances from 0 to 1."""

    lose_request: float = 0.08
    lose_reply: float = 0.08
    send_twice: float = 0.08
    lose_letters: float = 0.1
    crash: float = 0.05
    freeze: float = 0.05
    roll_back: float = 0.0
    full: float = 0.0


CALM = Faults(0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(slots=True)
class Worker:
    """A simulated worker: a session in front, its disk behind."""

    fake: FakeWorker
    running: dict[str, int] = field(default_factory=dict)
    ended: dict[str, Report] = field(default_factory=dict)  # not acknowledged
    told: dict[tuple[str, int], Report] = field(default_factory=dict)  # acknowledged, kept in the ledger
    known: set[tuple[str, int]] = field(default_factory=set)  # attempts ever started here
    wrote: dict[tuple[str, int], int] = field(default_factory=dict)  # bytes of output on its disk
    shipped: dict[tuple[str, int], int] = field(default_factory=dict)  # of these the hub has
    has_failed: bool = True
    frozen_until: int = 0
    clock: int = 0  # the hub's time at the last sync
    clock_at: int = 0  # and when that was, by the world's clock
    registered: bool = False

    @property
    def held(self) -> dict[str, int]:
        """Every attempt held: running, or ended and not acknowledged."""
        return self.running | {job: report.attempt for job, report in self.ended.items()}


class Crew:
    """The half of a world that works. Time, faults and checks are the other (simulator.py)."""

    def __init__(self, driver: Driver, seed: int, faults: Faults, workers: int) -> None:
        self.driver, self.rng, self.faults = driver, random.Random(seed), faults
        self.client = redis.Redis(unix_socket_path=driver.hub.address.path)
        self.workers = [Worker(FakeWorker(driver, f"w{n}", nonce=self.new_id())) for n in range(workers)]
        self.gone: list[Worker] = []
        self.history = History()
        self.now = 0
        self.trace: list[str] = []

    def new_id(self) -> str:
        """An id that the seed decides."""
        return "".join(self.rng.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=16))

    def note(self, *words: Any) -> None:
        """One line of what happened, shown when something breaks."""
        self.trace.append(" ".join(str(word) for word in words))

    def chance(self, probability: float) -> bool:
        """Whether it goes wrong this time."""
        return self.rng.random() < probability

    async def work(self) -> None:
        """A worker reads its letters, ends an attempt, or syncs."""
        worker = self.rng.choice(self.workers)
        if worker.frozen_until > self.now:
            return
        if self.chance(0.3):
            await self.read(worker)
        for job in list(worker.running):
            if self.chance(0.4):
                self.end(worker, job, self.rng.choice(OUTCOMES))
        await self.sync(worker)

    async def read(self, worker: Worker) -> None:
        """Letters, unless they are lost."""
        if not worker.registered:
            return
        for letter in await worker.fake.mail():
            if letter.claim and not self.chance(self.faults.lose_letters):
                await self.take(worker, letter.claim)

    def end(self, worker: Worker, job: str, outcome: str) -> None:
        """An attempt is over."""
        attempt = worker.running.pop(job)
        retry = outcome in ("failed", "timeout")
        worker.ended[job] = Report(
            job=job,
            attempt=attempt,
            outcome=outcome,
            retry=retry,
            backoff_ms=2_000,
            backoff_cap_ms=8_000,
            result=b"r" if outcome == "ok" else b"",
        )

    async def sync(self, worker: Worker, *, idle: bool | None = None) -> None:
        """One heartbeat, or a registration when it is time for one."""
        if not worker.registered:
            await self.register(worker)
            return
        if self.chance(self.faults.lose_request):
            worker.has_failed = True
            return
        request = await self.compose(worker, idle)
        sent_at = self.now
        reply = await self.driver.workers.sync(worker.fake.session, request)
        self.note(
            worker.fake.session, "sync", dict(request.held), [c.job for c in reply.claims], reply.reports
        )
        self.judged(worker, request, reply)
        if self.chance(self.faults.send_twice):
            reply = await self.driver.workers.sync(worker.fake.session, request)
        if self.chance(self.faults.lose_reply):
            worker.has_failed = True
            return
        worker.clock, worker.clock_at = reply.now_ms, sent_at
        await self.absorb(worker, request, reply)

    async def compose(self, worker: Worker, idle: bool | None) -> SyncRequest:
        """What the worker has to say."""
        _, worker.fake.lanes = await self.driver.workers.lanes()
        full = worker.has_failed or self.chance(0.3)
        room = max(0, SLOTS - len(worker.running))
        return SyncRequest(
            logs=self.output(worker),
            held=worker.held if full else {},
            full=full,
            done=list(worker.ended.values()),
            free={"c": room * COST["c"]},
            lanes=worker.fake.offers() if room else [],
            want=room,
            idle=self.chance(0.5) if idle is None else idle,
            mail_id=worker.fake.mail_id,
        )

    def output(self, worker: Worker) -> list[LogChunk]:
        """What running attempts have written meanwhile, and what the hub has not of those that ended."""
        for key in worker.running.items():
            worker.wrote[key] = worker.wrote.get(key, 0) + self.rng.choice((0, 0, 3, 40))
        chunks = []
        for job, attempt in worker.held.items():
            start, end = worker.shipped.get((job, attempt), 0), worker.wrote.get((job, attempt), 0)
            if end > start:
                data = letters_of(attempt, start, end)
                chunks.append(LogChunk(job=job, attempt=attempt, stream=1, offset=start, data=data))
        return chunks

    def judged(self, worker: Worker, request: SyncRequest, reply: SyncReply) -> None:
        """The hub has decided, whether or not the worker hears of it."""
        for report in request.done:
            word = reply.reports.get(report.job, "")
            name = worker.fake.name
            self.history.reported(name, report.job, report.attempt, report.outcome, word)

    async def absorb(self, worker: Worker, request: SyncRequest, reply: SyncReply) -> None:
        """The worker hears the answer."""
        worker.has_failed = False
        if not reply.session_known:
            worker.registered = False
            return
        for chunk in request.logs:
            if chunk.job in reply.log_offsets:
                worker.shipped[(chunk.job, chunk.attempt)] = reply.log_offsets[chunk.job][0]
        for report in request.done:
            if report.job in reply.reports and worker.ended.get(report.job) is report:
                del worker.ended[report.job]
                worker.told[(report.job, report.attempt)] = report
        for job in reply.gone:
            worker.running.pop(job, None)
        for job in reply.cancels:
            if job in worker.running and self.chance(0.7):
                self.end(worker, job, "cancelled")
        for claim in reply.claims:
            await self.take(worker, claim)

    async def take(self, worker: Worker, claim: Claim) -> None:
        """Start a claim, once, unless its lease may have gone or it ended here before."""
        key = (claim.job, claim.attempt)
        held = worker.held.get(claim.job, 0)
        if claim.attempt <= held:
            return
        if key in worker.known:
            again = Report(job=claim.job, attempt=claim.attempt, outcome="refused", reason="started before")
            worker.ended[claim.job] = worker.told.get(key, again)
            return
        bound = worker.clock + self.now - worker.clock_at
        if bound > claim.offered_ms + LEASE_MS - LEASE_MARGIN_MS:
            worker.ended[claim.job] = Report(job=claim.job, attempt=claim.attempt, outcome="handback")
            return
        worker.known.add(key)
        worker.ended.pop(claim.job, None)
        worker.running[claim.job] = claim.attempt
        self.history.started(worker.fake.name, claim.job, claim.attempt, self.states_before(claim.job))

    def states_before(self, job: str) -> dict[str, str]:
        """The letters of the jobs, and of the elements, that a job waited for."""
        found = {other: self.letter_of(other) for other, _ in self.history.needed(job)}
        return {other: letter.decode() for other, letter in found.items() if letter}

    def letter_of(self, job: str) -> bytes | None:
        """How a job stands, or an element that has no record of its own, by its bits."""
        prefix = self.driver.hub.keys.prefix
        array, _, index = job.partition(":")
        if not index:
            return self.client.hget(f"{prefix}j:{job}", "s")
        first, rest, ready = self.client.hmget(f"{prefix}j:{array}", "n0", "rc", "ra")
        at = int(index) - int(first or 0)
        code = self.client.execute_command("BITFIELD_RO", f"{prefix}as:{array}", "GET", "u4", f"#{at}")[0]
        return {0: rest, MAY_START: ready}.get(code, CODES.get(code, "").encode())

    async def register(self, worker: Worker) -> None:
        """Appear with everything held."""
        if self.chance(self.faults.lose_request):
            return
        worker.fake.held = worker.held
        welcome = await worker.fake.register()
        self.note(worker.fake.session, "register", worker.held, "adopted", welcome.adopted)
        worker.clock, worker.clock_at = welcome.now_ms, self.now
        if self.chance(self.faults.lose_reply):
            return
        worker.registered, worker.has_failed = True, True
        for job in welcome.gone:
            worker.running.pop(job, None)


def letters_of(attempt: int, start: int, end: int) -> bytes:
    """The output of an attempt from one byte to another: no two places or attempts look alike for long."""
    return bytes(97 + (attempt * 7 + i * i) % 26 for i in range(start, end))
