"""A feed that needs no hub: the home of demo_home.py, standing still or alive.

The same feed serves `relayq tui --demo`, the tests and the screenshots. Standing
still (`is_live=False`) its clock is frozen, so that every picture of it is the same;
alive, jobs are submitted, run, print, end and fail by the dice, faster than at home.
Orders are carried out on the rows, as a hub would.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace

from relayq.client.explain import REASONS
from relayq.client.steering import VERBS, Order, Told, told
from relayq.errors import NotFound
from relayq.model.budget import limit_minutes, read_limit
from relayq.model.ids import short
from relayq.model.lifecycle import FINAL, State
from relayq.query import Query
from relayq.store.records import End, LogEntry
from relayq_tui import demo_logs
from relayq_tui.demo_home import DAY, KINDS, MACHINES, Home, home, many, new_id, samples
from relayq_tui.feed import (
    BudgetChanged,
    Connection,
    Counts,
    EventsSeen,
    JobDetail,
    JobsChanged,
    JobsGone,
    Post,
    SchedulesChanged,
    Series,
    Snapshot,
    WorkersChanged,
)
from relayq_tui.glyphs import counted
from relayq_tui.rows import AttemptRow, EventRow, JobRow, WorkerRow

FROZEN_MS = 1_787_436_847_000  # 2026-08-22 22:14:07 UTC
BEAT_S = 0.5


class DemoFeed:
    """The demo as a feed. `jobs` adds that many older ones."""

    def __init__(
        self, *, seed: int = 7, is_live: bool = False, jobs: int = 0, beat_s: float = BEAT_S
    ) -> None:
        self._dice = random.Random(seed)
        self._is_live = is_live
        self._beat_s = beat_s
        self._began_s = time.monotonic()
        self._from_ms = int(time.time() * 1000) if is_live else FROZEN_MS
        self.home: Home = home(self._from_ms, seed=seed)
        self.home.jobs |= {row.id: row for row in many(self._from_ms, jobs)}
        self._done_today = 4211 - 138
        self._paused: set[str] = set()
        self._post: Post = lambda _: None
        self._numbers = 0

    @property
    def name(self) -> str:
        """As the sketch calls it."""
        return "home@oracle-vm"

    def now_ms(self) -> int:
        """The clock: frozen, or running from when the demo began."""
        if not self._is_live:
            return self._from_ms
        return self._from_ms + int((time.monotonic() - self._began_s) * 1000)

    async def run(self, post: Post, jobs: Mapping[str, JobRow]) -> None:
        """Post the home, then live if it is to live."""
        self._post = post
        post(Connection(state="live", latency_ms=38, hub="oracle-vm"))
        newest = sorted(self.home.jobs.values(), key=lambda row: row.submitted_ms, reverse=True)
        post(Snapshot(jobs=newest, at_ms=self.now_ms()))
        post(WorkersChanged(list(self.home.workers.values())))
        post(SchedulesChanged(self.home.schedules))
        post(BudgetChanged(self.home.budget))
        post(EventsSeen(self.home.events))
        post(self._counts())
        post(self._series())
        if not self._is_live:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(self._beat_s)
            self.beat()

    async def close(self) -> None:
        """There is nothing to let go of."""

    def beat(self) -> None:
        """Let a moment pass: one or two things happen."""
        running = [row for row in self.home.jobs.values() if row.state is State.RUNNING]
        waiting = [row for row in self.home.jobs.values() if row.state is State.RUNNABLE]
        for row in running:
            self._advance(row)
        if waiting and len(running) < 6:
            self._start(waiting[0])
        if len(waiting) < 12 and self._dice.random() < 0.5:
            self._submit(self._dice.choice(KINDS)._asdict())
        self._refresh_workers()
        self._post(self._counts())

    # -- what may be asked -----------------------------------------------------

    async def detail(self, job: str) -> JobDetail | None:
        """Everything about one job."""
        row = self.home.jobs.get(job)
        if row is None:
            return None
        dependents = [other.id for other in self.home.jobs.values() if job in other.after]
        return JobDetail(
            row=row,
            spec=_spec(row),
            attempts=_attempts(row),
            explain=self._explain(row),
            dependents=dependents,
            result="" if row.state is not State.SUCCEEDED else '{"ok": true}',
            elements=_elements(row),
        )

    async def log(self, job: str, from_id: str = "0", attempt: int | None = None) -> list[LogEntry | End]:
        """Its output so far; of an element that of its array."""
        row = self._row(job.partition(":")[0])
        entries: list[LogEntry | End] = list(demo_logs.entries(row, self.now_ms(), attempt))
        if row.is_final and attempt is None:
            entries.append(
                End(id="end", state=row.state, exit_code=row.exit_code, reason=row.reason, result=b"")
            )
        return [entry for entry in entries if demo_logs.order(entry.id) > demo_logs.order(from_id)]

    async def follow(self, job: str, from_id: str = "0") -> AsyncGenerator[LogEntry | End, None]:
        """Its output as it comes."""
        last_id = from_id
        while True:
            for entry in await self.log(job, last_id):
                yield entry
                if isinstance(entry, End):
                    return
                last_id = entry.id
            if not self._is_live:
                return
            await asyncio.sleep(self._beat_s)

    async def act(self, order: Order) -> Told:
        """Carry it out on the rows."""
        if order.verb in ("quiet", "unquiet", "stop"):
            self._command(order)
        elif order.verb in ("pause", "resume"):
            self._steer_queue(order)
        elif order.verb == "limit":
            self._limit(order)
        elif order.verb.startswith("schedule-"):
            self._schedule(order)
        elif order.verb != "ask":
            answers = [self._one(order, job) for job in order.ids]
            self._post(self._counts())
            return told(order, answers)
        return Told(order.sentence, order.ids)

    async def matching(self, query: Query, tell: Callable[[int], None]) -> list[JobRow]:
        """All of the home is held."""
        return []

    async def submit(self, spec: Mapping[str, object], like: str = "") -> str:
        """A new job."""
        before = _spec(self._row(like)) if like else {}
        return self._submit({name: value for name, value in {**before, **spec}.items() if value is not None})

    def _steer_queue(self, order: Order) -> None:
        held = self._paused - set(order.ids)
        self._paused = held.union(order.ids) if order.verb == "pause" else held
        self._post(self._counts())

    def _limit(self, order: Order) -> None:
        limit, budget = read_limit(order.value), self.home.budget
        percent = limit_minutes(limit, budget.included_min) * 100 / budget.included_min
        self.home.budget = replace(
            budget,
            guard_percent=round(percent),
            guard_on=bool(limit),
            limit=order.value,
        )
        self._post(BudgetChanged(self.home.budget))

    # -- how it lives ------------------------------------------------------------

    def _one(self, order: Order, job: str) -> str:
        row = self.home.jobs.get(job)
        if row is None:
            return "unknown"
        if order.verb in ("retry", "forget"):
            return self._again(order, row) if row.is_final else "not-ended"
        if row.is_final:
            return f"ended:{row.state.value}"
        if order.verb in ("cancel", "kill"):
            fresh = replace(row, state=State.CANCELLED, reason="tui", ended_ms=self.now_ms())
            self._put(fresh, "end", "C  tui")
            return "cancelled"
        return "running" if row.state is State.RUNNING else self._steer(order, row)

    def _again(self, order: Order, row: JobRow) -> str:
        if order.verb == "forget":
            del self.home.jobs[row.id]
            self._post(JobsGone([row.id]))
            return "forgotten"
        fresh = replace(row, state=State.RUNNABLE, reason="", exit_code=None, worker="")
        self._put(replace(fresh, ready_ms=self.now_ms(), started_ms=0, ended_ms=0), "again")
        return "retried"

    def _steer(self, order: Order, row: JobRow) -> str:
        match order.verb:
            case "hold":
                self._put(replace(row, state=State.PENDING, reason="held"), "wait", "held")
            case "release" | "approve":
                self._put(replace(row, state=State.RUNNABLE, reason="", ready_ms=self.now_ms()))
            case "reprioritise":
                self._put(replace(row, priority=int(order.value)), "priority", order.value)
            case "move":
                self._put(replace(row, needs=f"host={order.value}"))
        return VERBS[order.verb].done[0]

    def _command(self, order: Order) -> None:
        for name in order.ids:
            worker = self.home.workers[name]
            word = "" if order.verb == "unquiet" else order.verb
            self.home.workers[name] = replace(worker, command=word)
        self._post(WorkersChanged(list(self.home.workers.values())))

    def _schedule(self, order: Order) -> None:
        kept = {row.name: row for row in self.home.schedules}
        row = kept[order.ids[0]]
        match order.verb:
            case "schedule-pause":
                kept[row.name] = replace(row, is_paused=True, next_ms=())
            case "schedule-resume":
                kept[row.name] = replace(row, is_paused=False)
            case "schedule-edit":
                kept[row.name] = replace(row, rule=order.value)
            case "schedule-remove":
                del kept[row.name]
            case "schedule-run":
                self._submit({"name": row.name, "command": row.command})
        self.home.schedules[:] = kept.values()
        self._post(SchedulesChanged(list(kept.values())))

    def _row(self, job: str) -> JobRow:
        if job not in self.home.jobs:
            raise NotFound(f"job {short(job)} is not in the hub (any more)")
        return self.home.jobs[job]

    def _put(self, row: JobRow, kind: str = "wait", detail: str = "") -> None:
        self.home.jobs[row.id] = row
        self._numbers += 1
        self._post(JobsChanged([row]))
        self._post(EventsSeen([EventRow(f"{self.now_ms()}-{self._numbers}", kind, row.id, detail)]))

    def _submit(self, spec: Mapping[str, object]) -> str:
        now_ms = self.now_ms()
        row = JobRow(
            id=new_id(self._dice), name=str(spec.get("name", "")), command=str(spec.get("command", "")),
            state=State.RUNNABLE, queue=str(spec.get("queue", "default")),
            submitted_ms=now_ms, ready_ms=now_ms, priority=int(str(spec.get("priority", 0))), by="you@laptop",
        )  # fmt: skip
        self._put(row, "submit")
        return row.id

    def _start(self, row: JobRow) -> None:
        kind = next((kind for kind in KINDS if kind.command == row.command), KINDS[0])
        worker = self._dice.choice(kind.workers)
        now_ms = self.now_ms()
        fresh = replace(row, state=State.RUNNING, worker=worker, started_ms=now_ms, attempt=row.attempt + 1,
                        progress=0.0)  # fmt: skip
        self._put(fresh, "start", f"{fresh.attempt} {worker}#1")

    def _advance(self, row: JobRow) -> None:
        """Fifty times as fast as at home."""
        kind = next((kind for kind in KINDS if kind.command == row.command), KINDS[-1])
        done = (row.progress or 0.0) + 100 * self._beat_s * min(50.0, kind.usual_s / 4 + 1) / kind.usual_s
        if done < 100:
            self._put(
                replace(row, progress=round(done, 1), message=f"step {int(done * 30)}"), "progress", str(done)
            )
            return
        failed = self._dice.random() < kind.fails
        state = State.FAILED if failed else State.SUCCEEDED
        self._done_today += not failed
        self._put(
            replace(row, state=state, ended_ms=self.now_ms(), progress=None, exit_code=int(failed),
                    reason="exit" if failed else ""),
            "end", f"{state.value[0]} {int(failed)} ",
        )  # fmt: skip

    def _refresh_workers(self) -> None:
        now_ms = self.now_ms()
        for machine in MACHINES:
            worker = self.home.workers[machine.name]
            if not worker.online:
                continue
            running = {r.id: r.attempt for r in self.home.jobs.values()
                       if r.worker == machine.name and r.state is State.RUNNING}  # fmt: skip
            [sample] = samples(machine, now_ms + 60_000, self._dice, 1)
            self.home.workers[machine.name] = replace(
                worker, seen_ms=now_ms - 400, running=running, history=(*worker.history[-59:], sample)
            )
        self._post(WorkersChanged(list(self.home.workers.values())))

    def _counts(self) -> Counts:
        by_state = dict.fromkeys(State, 0)
        for row in self.home.jobs.values():
            by_state[row.state] += 1
        day = self.now_ms() - DAY
        failed = sum(row.state is State.FAILED and row.ended_ms > day for row in self.home.jobs.values())
        return Counts(
            by_state=by_state, done_today=self._done_today, failed_today=failed,
            paused=tuple(sorted(self._paused)), used_bytes=61 << 20, max_bytes=256 << 20,
        )  # fmt: skip

    def _series(self) -> Series:
        dice = random.Random(3)
        wave = [30 + 14 * dice.random() + 12 * (index % 9 in (2, 3)) for index in range(59)]
        return Series(
            submitted=[*wave, 41], ended=[value - 1 for value in wave] + [41], failed=[0.0] * 60,
            p95_wait_s=[4 + 9 * dice.random() for _ in range(59)] + [12],
        )  # fmt: skip

    def _explain(self, row: JobRow) -> list[str]:
        if row.is_final:
            why = REASONS.get(row.reason, row.reason)
            return [f"it has ended: {row.state.value}" + (f"; {why}" if why else "")]
        if row.state is State.PENDING and row.reason == "dependency":
            open_ones = [job for job in row.after if self._is_open(job)]
            return [f"it waits for job {short(job)}" for job in open_ones]
        if row.state is State.PENDING:
            return [REASONS.get(row.reason, row.reason)]
        if row.state is State.RUNNABLE:
            return ["3 jobs of its kind stand before it", *(_stance(w) for w in self.home.workers.values())]
        return [f"attempt {row.attempt} runs on worker {row.worker}"]

    def _is_open(self, job: str) -> bool:
        row = self.home.jobs.get(job)
        return row is not None and row.state is not State.SUCCEEDED


def _stance(worker: WorkerRow) -> str:
    if not worker.online:
        return f"worker {worker.name} is offline"
    if worker.running:
        return f"worker {worker.name} could run it; it has {counted(len(worker.running), 'job')} running"
    return f"worker {worker.name} has no tool python3"


def _spec(row: JobRow) -> dict[str, object]:
    fields: dict[str, object] = {
        "command": row.command, "name": row.name, "queue": row.queue, "priority": row.priority,
        "needs": row.needs.split(",") if row.needs else [], "labels": dict(row.labels),
        "attempts": row.max_attempts, "after": list(row.after),
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value}


def _attempts(row: JobRow) -> list[AttemptRow]:
    """The earlier ones were as long as the last, and failed as it did."""
    if not row.started_ms:
        return []
    run_ms = (row.ended_ms or row.started_ms + 60_000) - row.started_ms
    found = []
    for number in range(1, row.attempt):
        begun = row.started_ms - (row.attempt - number) * (run_ms + 9_000)
        found.append(AttemptRow(number=number, worker=row.worker, started_ms=begun, ended_ms=begun + run_ms,
                                exit_code=row.exit_code, reason="exit"))  # fmt: skip
    last = AttemptRow(
        number=row.attempt, worker=row.worker, started_ms=row.started_ms,
        ended_ms=row.ended_ms if row.state in FINAL else None, exit_code=row.exit_code, reason=row.reason,
    )  # fmt: skip
    return [*found, last]


def _elements(row: JobRow) -> list[AttemptRow]:
    """The elements of an array, the failed ones first."""
    if row.array is None:
        return []
    run_ms = (row.ended_ms - row.started_ms) // max(1, row.array.size)
    indices = range(row.array.start, row.array.start + row.array.failed + row.array.succeeded)
    return [
        AttemptRow(
            number=index, worker=("mac-mini", "pi4-attic", "pi3-shed")[index % 3],
            started_ms=row.started_ms + place * run_ms, ended_ms=row.started_ms + (place + 1) * run_ms,
            exit_code=int(place < row.array.failed), reason="exit" if place < row.array.failed else "",
        )
        for place, index in enumerate(indices)
    ]  # fmt: skip
