"""What screens draw: one small record for each job, worker, event and schedule.

Every text in a row has been made safe for a terminal when the row was built, so
whoever draws one need not think of it. Rows are replaced, never changed: a row that
a screen holds stays what it was. They are not frozen only because a hundred
thousand of them are built while somebody waits, and frozen ones take three times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relayq import query
from relayq.model.ids import short
from relayq.model.lifecycle import FINAL, State
from relayq.store.records import ArrayCounts

NO_LABELS: Mapping[str, str] = {}


@dataclass(slots=True, kw_only=True)
class JobRow:
    """One job. Times are milliseconds of the hub's clock, 0 is never."""

    id: str
    name: str
    command: str
    state: State
    reason: str = ""
    queue: str = "default"
    worker: str = ""
    priority: int = 0
    attempt: int = 0
    max_attempts: int = 1
    exit_code: int | None = None
    submitted_ms: int = 0
    ready_ms: int = 0
    started_ms: int = 0
    ended_ms: int = 0
    labels: Mapping[str, str] = field(default_factory=lambda: NO_LABELS)
    needs: str = ""
    array: ArrayCounts | None = None
    progress: float | None = None
    message: str = ""
    after: tuple[str, ...] = ()
    by: str = ""
    unique: str = ""
    cancel_asked: bool = False

    @property
    def short_id(self) -> str:
        """The id as people see it."""
        return short(self.id)

    @property
    def title(self) -> str:
        """What to call it in one line."""
        return self.name or self.command

    @property
    def is_final(self) -> bool:
        """Has it ended?"""
        return self.state in FINAL

    def run_ms(self, now_ms: int) -> int | None:
        """How long the last attempt has run, None when none has begun."""
        return query.run_ms(self, now_ms)

    def wait_ms(self, now_ms: int) -> int:
        """How long it has waited for a worker since it was ready."""
        return query.wait_ms(self, now_ms)


@dataclass(slots=True, frozen=True)
class Sample:
    """How a worker's machine fared at one time; None is unknown. `cpu` and `memory` are 0 to 1."""

    at_ms: int
    cpu: float | None = None
    memory: float | None = None
    celsius: float | None = None


@dataclass(slots=True, kw_only=True)
class WorkerRow:
    """One worker. `running` maps job -> attempt, `offer` is what it told.

    `silent_ms` is for how long it had not been heard of when it was looked at, 0 while it is in time.
    """

    name: str
    session: str = ""
    online: bool = True
    seen_ms: int = 0
    since_ms: int = 0
    offer: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    running: Mapping[str, int] = field(default_factory=dict)
    command: str = ""
    history: tuple[Sample, ...] = ()
    silent_ms: int = 0

    @property
    def id(self) -> str:
        """What the cursor stands on."""
        return self.name


@dataclass(slots=True, frozen=True)
class EventRow:
    """One thing that happened: `kind` (submit, start, end, retry...) to `subject`."""

    id: str
    kind: str
    subject: str
    detail: str = ""

    @property
    def at_ms(self) -> int:
        """The hub's time of the event."""
        return int(self.id.split("-", 1)[0])


@dataclass(slots=True, kw_only=True)
class ScheduleRow:
    """One schedule. `next_ms` are its next firings, soonest first; `last_by` fired the last one.

    `origin` is local (the hub keeps it), github (a workflow file does) or both. `minutes` is
    what GitHub bills for it in 30 days.
    """

    name: str
    origin: str
    rule: str
    next_ms: tuple[int, ...] = ()
    last_ms: int = 0
    last_state: State | None = None
    last_job: str = ""
    last_by: str = ""
    drift_ms: int = 0
    missed: int = 0
    is_paused: bool = False
    command: str = ""
    zone: str = ""
    minutes: int = 0

    @property
    def id(self) -> str:
        """What the cursor stands on."""
        return f"{self.origin} {self.name}"


@dataclass(slots=True, kw_only=True)
class BudgetView:
    """What it costs: hosted minutes of the month, AI money, the hub's memory.

    `days` is minutes used by the end of each day of the month so far; `resets_ms` is when
    a new month begins. `source` says who counted them, and is empty where nobody has.
    `prices` is what ran here would have cost elsewhere: (where, how much); `months` are the
    minutes of months before, the latest first. Money is in dollars, `None` limits are none.
    `limit` is the guard as people write it: `90%`, `1500`, `off`.
    """

    included_min: int
    used_min: int
    resets_ms: int
    read_ms: int
    days: tuple[float, ...] = ()
    days_in_month: int = 30
    saved_min: int = 0
    spenders: tuple[tuple[str, int], ...] = ()
    ai_spent: float = 0.0
    ai_limit: float | None = None
    ai_spenders: tuple[tuple[str, float], ...] = ()
    hub_bytes: int = 0
    hub_max_bytes: int = 0
    guard_percent: int = 90
    guard_on: bool = False
    limit: str = ""
    warnings: tuple[str, ...] = ()
    source: str = "counted from runs"
    prices: tuple[tuple[str, str], ...] = ()
    months: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True, frozen=True, kw_only=True)
class AttemptRow:
    """One attempt of a job; `ended_ms` None while it runs."""

    number: int
    worker: str
    started_ms: int
    ended_ms: int | None
    exit_code: int | None
    reason: str
