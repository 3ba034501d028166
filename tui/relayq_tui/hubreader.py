"""One life of a connection to the hub: read everything once, then what events speak of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count

from relayq.errors import HubUnreachable
from relayq.model.cronruns import CronRuns
from relayq.model.lifecycle import State
from relayq.query import Query
from relayq.store.bulk import Bulk
from relayq.store.elements import ended_elements
from relayq.store.events import Event, Events
from relayq.store.hub import Hub
from relayq.store.jobs import Jobs, Queues
from relayq.store.logs import Logs
from relayq.store.reader import Reader as Eyes
from relayq.store.records import LogEntry
from relayq.store.schedules import Schedules
from relayq.store.workers import Workers
from relayq.workflows import Found
from relayq_tui.feed import (
    Connection,
    Counts,
    EventsSeen,
    JobDetail,
    JobsChanged,
    Post,
    SchedulesChanged,
    Snapshot,
    WorkersChanged,
)
from relayq_tui.hubbeyond import matching
from relayq_tui.hubclock import HubClock
from relayq_tui.hubintake import Intake
from relayq_tui.hubrows import event_row, job_detail, worker_row
from relayq_tui.hubschedules import here, schedule_rows
from relayq_tui.hubseries import SERIES_MIN, Waits
from relayq_tui.rows import JobRow, WorkerRow
from relayq_tui.store import EVENTS_KEPT

FIRST = 100
GATHER_S, GATHER_EACH_S, GATHER_MAX_S = 0.1, 0.004, 1.0
BEAT_S, SILENT_S = 5.0, 4.5
BUDGET_S = 60.0
LOOK_EVERY = 6  # beats after which it is seen whether schedulers have come or gone
BLOCK_MS = 20_000
NEWS_OF_SCHEDULES = frozenset({"schedule", "slot", "budget"})
NEWS_OF_WORKERS = frozenset({"worker", "worker-gone", "quiet", "stop", "resume", "kill", "start", "end"})


class Reader:
    """Reads a fleet and posts what it finds.

    `rows` is what has come of it so far, `known` the reader of the connection before, `eyes`
    what makes the keys of this machine ready to read with; that may take a while.
    `look_at_budget` is called once a minute, and when an event speaks of the budget.
    """

    def __init__(
        self,
        hub: Hub,
        post: Post,
        rows: Mapping[str, JobRow],
        *,
        name: str,
        eyes: Callable[[], Eyes],
        known: Reader | None = None,
    ) -> None:
        self._hub, self._eyes = hub, eyes
        self._waiting, self._aside = hub.twin(), hub.twin()
        self.is_open = False
        self._post = post
        self._name = name
        self._jobs, self._queues = Jobs(hub), Queues(hub)
        self._looks = Jobs(self._aside)
        self._workers, self._bulk = Workers(hub), Bulk(hub, self._jobs)
        self._events = Events(self._waiting)
        self._rows = rows
        self._schedules = Schedules(hub)
        self._scheduled: SchedulesChanged | None = known._scheduled if known else None
        self._crons: Found = known._crons if known else Found([], [])
        self._machines: dict[str, WorkerRow] = known._machines if known else {}
        self._has_posted: bool = bool(known and known._has_posted)
        self._dirty: set[str] = set()
        self._bell = asyncio.Event()
        self._news: set[str] = set()
        self._waits: Waits = known._waits if known else Waits()
        self.look_at_budget: Callable[[], Awaitable[None]] = _nothing
        self._clock: HubClock = known._clock if known else HubClock()
        self._intake = Intake(self._bulk, rows, post, now_ms=self.now_ms, note=self._note_wait)

    def now_ms(self) -> int:
        """The hub's clock, by the last time it was read."""
        return self._clock.now_ms()

    async def close(self) -> None:
        """Close every connection."""
        for hub in (self._waiting, self._aside, self._hub):
            await hub.close()

    async def live(self) -> None:
        """Read everything, then follow; ends with an error when the hub is lost.

        Three round trips before there are rows: to connect, to be known, to read; the
        line for events is opened meanwhile and tells what the events are that come after.
        """
        try:
            async with asyncio.TaskGroup() as group:
                opening = group.create_task(self._open())
                last_id = await self._beginning()
                await opening
                await self._first_rows()
                group.create_task(self._keep_beating())
                await self._first_look()
                group.create_task(self._follow(last_id))
                group.create_task(self._fetch())
                group.create_task(self._read_rest())
                group.create_task(self._keep_budget())
        finally:
            await self.close()

    async def detail(self, job: str) -> JobDetail | None:
        """Everything about one job. Whoever asks may look at another job before the answer is there."""
        told = await self._looks.explain(job)
        if told is None:
            self._intake.gone([job])
            return None
        row = self._intake.row(told.record)
        hub = self._aside
        waiting = await hub.link.call("LRANGE", hub.keys.of("dep", job), 0, 50)
        dependents = [entry.decode().partition(" ")[0] for entry in waiting]
        elements = await ended_elements(hub, job) if row.array is not None else []
        return job_detail(told, row, self.now_ms(), dependents, (element for _, element in elements))

    async def log(self, job: str, attempt: int | None) -> list[LogEntry]:
        """What the hub keeps of its output, or of one attempt's."""
        return await Logs(self._aside).read(job, attempt)

    async def matching(self, query: Query, tell: Callable[[int], None]) -> list[JobRow]:
        """The jobs beyond those that are held."""
        return await matching(self._bulk, self._rows, self.now_ms, query, tell)

    # -- the first look ------------------------------------------------------------

    async def _open(self) -> None:
        """Be known to the hub, and know whose word counts there."""
        _, eyes = await asyncio.gather(self._hub.open(), asyncio.to_thread(self._eyes))
        self._hub.reader = self._aside.reader = eyes
        self.is_open = True

    async def _beginning(self) -> str:
        """The id of the newest event, from which to follow, and the hub's clock in the same trip."""
        link = self._waiting.link
        newest = ("XREVRANGE", self._hub.keys.events, "+", "-", "COUNT", 1)
        reply, (seconds, micros) = await link.calls(newest, ("TIME",))
        self._clock.read(seconds, micros)
        return reply[0][0].decode() if reply else "0"

    async def _first_rows(self) -> None:
        records = await self._jobs.list_jobs(limit=FIRST)
        rows = self._intake.learn(records)
        self._post_live()
        if self._has_posted:
            self._post(JobsChanged(rows))
        else:
            self._post(Snapshot(jobs=rows, at_ms=self.now_ms()))
            self._has_posted = True

    async def _first_look(self) -> None:
        await self._beat()
        await self._look_at_workers()
        await self._look_at_counts()
        await self._look_at_schedules()
        recent = await Events(self._hub).recent(500)
        self._post(EventsSeen([event_row(event) for event in recent]))

    async def _read_rest(self) -> None:
        """The older jobs; then what is seldom looked at."""
        await self._intake.read_rest()
        self._crons = await asyncio.to_thread(here)
        if self._crons.crons:
            await self._look_at_schedules()

    # -- events ----------------------------------------------------------------------

    async def _follow(self, last_id: str) -> None:
        while True:
            events = await self._events.follow(last_id, BLOCK_MS)
            if not events:
                continue
            last_id = events[-1].id
            self._note(events)
            self._post(EventsSeen([event_row(event) for event in events[-EVENTS_KEPT:]]))
            await asyncio.sleep(GATHER_S)

    def _note(self, events: Iterable[Event]) -> None:
        for event in events:
            self._news.add(event.kind)
            if event.kind == "forgotten":
                self._intake.gone([event.subject])
            elif event.subject.partition(":")[0] in self._rows or event.kind == "submit":
                self._dirty.add(event.subject.partition(":")[0])
            if event.kind == "end" and self._is_of_schedule(event.subject):
                self._news.add("slot")
        self._bell.set()

    async def _fetch(self) -> None:
        """What events spoke of: the first at once, then gathered the longer the more there are."""
        while True:
            await self._bell.wait()
            self._bell.clear()
            dirty, self._dirty = self._dirty, set()
            news, self._news = self._news, set()
            await self._intake.fetch(dirty)
            if news & NEWS_OF_WORKERS:
                await self._look_at_workers()
            if "budget" in news:
                await self.look_at_budget()
            if news & NEWS_OF_SCHEDULES:
                await self._look_at_schedules()
            await self._look_at_counts()
            await asyncio.sleep(min(GATHER_MAX_S, GATHER_S + len(dirty) * GATHER_EACH_S))

    # -- the fleet -------------------------------------------------------------------

    async def _keep_beating(self) -> None:
        """A hub that falls silent is lost within two beats, whatever else is being asked of it."""
        for number in count(1):
            await asyncio.sleep(BEAT_S)
            try:
                async with asyncio.timeout(SILENT_S):
                    await self._beat()
            except TimeoutError:
                shown = self._hub.address.shown
                raise HubUnreachable(f"hub {shown} stopped answering: no reply in time") from None
            await self._look_at_workers()
            if self._is_past() or number % LOOK_EVERY == 0:
                await self._look_at_schedules()

    async def _keep_budget(self) -> None:
        while True:
            await self.look_at_budget()
            await asyncio.sleep(BUDGET_S)

    async def _beat(self) -> None:
        """Read the hub's clock: that it answers, how fast, and how far ours is off.

        Another question may hold the line: one that is held for two beats is dead.
        """
        try:
            async with asyncio.timeout(2 * BEAT_S):
                seconds, micros = await self._hub.link.call("TIME", timeout_s=BEAT_S)
        except TimeoutError:
            raise HubUnreachable(f"hub {self._hub.address.shown} stopped answering") from None
        took_s = self._hub.link.took_s
        self._clock.read(seconds, micros, took_s)
        self._clock.note(took_s)
        self._post_live()

    def _post_live(self) -> None:
        self._post(Connection(state="live", latency_ms=self._clock.latency_ms, hub=self._name))

    async def _look_at_workers(self) -> None:
        now_ms, before = self.now_ms(), self._machines
        found = [worker_row(one, before.get(one.name), now_ms) for one in await self._workers.list()]
        machines = {row.name: row for row in found}
        if machines != before:
            self._machines = machines
            self._post(WorkersChanged(found))

    async def _look_at_schedules(self) -> None:
        board = await self._schedules.board()
        runs = await self._cron_runs() if self._crons.crons else {}
        seen = SchedulesChanged(schedule_rows(board, self._crons, runs), bool(board.schedulers))
        if seen != self._scheduled:
            self._scheduled = seen
            self._post(seen)

    async def _cron_runs(self) -> dict[str, CronRuns]:
        from relayq.store.budget import Budget

        return (await Budget(self._hub).crons())[1]

    def _note_wait(self, row: JobRow) -> None:
        self._waits.note(row, self.now_ms())

    def _is_of_schedule(self, job: str) -> bool:
        """Is it the last job of a schedule?"""
        return self._scheduled is not None and any(row.last_job == job for row in self._scheduled.schedules)

    def _is_past(self) -> bool:
        """Has the next firing of one passed, fired or not?"""
        rows = self._scheduled.schedules if self._scheduled else ()
        return any(row.next_ms and row.next_ms[0] <= self.now_ms() for row in rows)

    async def _look_at_counts(self) -> None:
        stats = await self._queues.stats()
        settings, today = stats["settings"], stats["today"]
        self._post(
            Counts(
                by_state={State(name): count for name, count in stats["jobs"].items()},
                done_today=today.get("S", 0),
                failed_today=today.get("F", 0) + today.get("E", 0),
                paused=tuple(stats["paused"]),
                used_bytes=int(settings.get("used", 0)),
                max_bytes=int(settings.get("maxmemory", 0)),
            )
        )
        now_ms = self.now_ms()
        self._post(self._waits.series(await self._queues.minutes(now_ms, SERIES_MIN), now_ms))


async def _nothing() -> None:
    """Nobody wants to know."""
