"""The only state of the terminal UI: what the feed has said so far, ready to be drawn.

The feed applies updates, screens pull. `version` grows with each update; `drain`
gives what has changed since it was last called, so that a repaint touches dirty
rows only. There is no Textual in here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from relayq.model.lifecycle import State
from relayq_tui.able import Ability
from relayq_tui.columns import Columns
from relayq_tui.feed import (
    BudgetChanged,
    Connection,
    Counts,
    EventsSeen,
    JobsChanged,
    JobsGone,
    SchedulesChanged,
    Series,
    Snapshot,
    Update,
    WorkersChanged,
)
from relayq_tui.history import History
from relayq_tui.listed import Jobs, Newest
from relayq_tui.rows import BudgetView, EventRow, JobRow, ScheduleRow, WorkerRow
from relayq_tui.waiting import Waiting

EVENTS_KEPT = 2_000
MAX_JOBS = 100_000
DAY_MS = 86_400_000


@dataclass(slots=True)
class Changes:
    """What has changed since the last look: ids of jobs, and whatever else by name.

    `parts` names jobs, workers, counts, series, connection, events, schedules, budget.
    `moved`: jobs have come or gone, `gone`: some have gone; `all_jobs`: the list as a whole is another one.
    """

    jobs: set[str] = field(default_factory=set)
    parts: set[str] = field(default_factory=set)
    moved: bool = False
    gone: bool = False
    all_jobs: bool = False

    def __bool__(self) -> bool:
        return bool(self.parts)


class Store:
    """Jobs, workers, counts, connection and the rest, as last heard.

    `jobs` is one mapping for ever, `newest` the same jobs, the latest first; both change with every update
    and stand in columns: a row that is asked for is made, and stays as it was.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.version = 0
        self.jobs = Jobs()
        self.newest = Newest(self.jobs.columns)
        self.history = History()
        self.waiting = Waiting()
        self.workers: dict[str, WorkerRow] = {}
        self.counts = Counts(by_state={})
        self.series = Series()
        self.connection = Connection(state="connecting")
        self.events: deque[EventRow] = deque(maxlen=EVENTS_KEPT)
        self.schedules: Sequence[ScheduleRow] = ()
        self.has_scheduler = True
        self.budget: BudgetView | None = None
        self.data_ms = 0
        self._failure: JobRow | None = None
        self._ability = Ability()
        self._changes = Changes()

    def apply(self, update: Update) -> None:
        """Take an update from the feed."""
        self.version += 1
        match update:
            case Snapshot():
                self._snapshot(update)
            case JobsChanged(jobs):
                self._jobs_changed(jobs)
            case JobsGone(ids):
                self._jobs_gone(ids)
            case _:
                self._take(update)

    def drain(self) -> Changes:
        """What has changed since the last call."""
        changes, self._changes = self._changes, Changes()
        self.jobs.columns.release()
        return changes

    @property
    def has_changes(self) -> bool:
        """Is there anything new to draw?"""
        return bool(self._changes)

    def touch(self, part: str) -> None:
        """Let everything that draws `part` be drawn again."""
        self._changes.parts.add(part)

    def place(self, row: JobRow) -> tuple[int, int | None] | None:
        """Where a waiting job stands in its queue, and in how many ms it may start (Waiting.place)."""
        return self.waiting.place(row, self.now_ms(), self.counts.paused)

    def lacks_worker(self, row: JobRow) -> bool:
        """Does a job wait for a worker when none that is online could ever take it?"""
        return row.state is State.RUNNABLE and self._ability.lacks(row.needs, self.workers)

    def waiting_for_others(self) -> Iterator[JobRow]:
        """The jobs that depend on others, whatever their state."""
        columns = self.jobs.columns
        return map(columns.row, list(columns.waiting_for_others()))

    def latest_failure(self) -> JobRow | None:
        """The job that failed last, within a day."""
        return self._failure if self._failure and self._failure.ended_ms > self.now_ms() - DAY_MS else None

    def count(self, *states: State) -> int:
        """How many jobs are in these states, by the hub's own count."""
        return sum(self.counts.by_state.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        """How many jobs there are, by the hub's own count."""
        return max(len(self.jobs), sum(self.counts.by_state.values()))

    @property
    def is_full(self) -> bool:
        """May there be older jobs in the hub than are held here?"""
        return len(self.jobs) >= MAX_JOBS

    def _snapshot(self, update: Snapshot) -> None:
        if not update.is_whole:
            self._learn_older(update.jobs)
            return
        columns = self.jobs.columns = Columns()
        for row in update.jobs[:MAX_JOBS]:
            columns.put(row)
        self.newest = Newest(columns)
        self._failure = None
        self.history.clear()
        self.waiting.clear()
        for row in update.jobs:
            self._note(row)
            self.waiting.change(None, row)
        self._heard(update.at_ms)
        self._changes.all_jobs = True
        self.touch("jobs")

    def _learn_older(self, jobs: Sequence[JobRow]) -> None:
        """What events have told already is newer than this."""
        for row in jobs:
            if row.id not in self.jobs and len(self.jobs) < MAX_JOBS:
                self._put(row)
                self._note(row)
                self._changes.jobs.add(row.id)
        self.touch("jobs")

    def _jobs_changed(self, jobs: Sequence[JobRow]) -> None:
        for row in jobs:
            self._put(row)
            self._note(row)
            self._changes.jobs.add(row.id)
        if len(self.newest) > MAX_JOBS:
            self._jobs_gone(list(self.newest[MAX_JOBS:].ids))
        self._heard(self.now_ms())
        self.touch("jobs")

    def _put(self, row: JobRow) -> None:
        """In its place by age; a job's time of submission never changes."""
        old = self.jobs.get(row.id)
        self.waiting.change(old, row)
        if old is not None and old.submitted_ms != row.submitted_ms:  # a hub whose clock was put right
            self._forget(old)
            old = None
        slot = self.jobs.columns.put(row)
        if old is None:
            self.newest.add(slot)
            self._changes.moved = True

    def _note(self, row: JobRow) -> None:
        """Learn from a job that has ended."""
        known = self._failure
        if row.state is State.FAILED:
            if known is None or row.ended_ms > known.ended_ms:
                self._failure = row
        elif row.state is State.SUCCEEDED:
            self.history.note(row)
        if known is not None and row.id == known.id and row.state is not State.FAILED:
            self._failure = None

    def _jobs_gone(self, ids: Sequence[str]) -> None:
        for job in ids:
            row = self.jobs.get(job)
            if row is not None:
                self.waiting.change(row, None)
                self._forget(row)
        self.touch("jobs")

    def _forget(self, row: JobRow) -> None:
        columns = self.jobs.columns
        self.newest.remove(columns.find(row.id))
        columns.drop(row.id)
        self._changes.jobs.add(row.id)
        self._changes.moved = self._changes.gone = True

    def _take(self, update: Update) -> None:
        match update:
            case WorkersChanged(workers):
                self.workers = {row.name: row for row in workers}
                self.touch("workers")
            case Counts():
                self.counts = update
                self.touch("counts")
            case Series():
                self.series = update
                self.touch("series")
            case Connection():
                if update.state == "live":
                    self._heard(self.now_ms())
                if update != self.connection:
                    self.connection = update
                    self.touch("connection")
            case EventsSeen(events):
                self.events.extend(events)
                self.touch("events")
            case SchedulesChanged(schedules, has_scheduler):
                self.schedules, self.has_scheduler = schedules, has_scheduler
                self.touch("schedules")
            case BudgetChanged(budget):
                self.budget = budget
                self.touch("budget")

    def _heard(self, at_ms: int) -> None:
        self.data_ms = max(self.data_ms, at_ms)
