"""Where the screens' data comes from: the updates a feed posts and what may be asked of it.

A feed runs for ever: it posts what it learns, says when it has lost the hub, finds
it again by itself and never raises for that. The store takes the updates; nothing
else talks to a hub. There are two: `HubFeed`, and `DemoFeed`, which needs no hub and
serves `--demo`, tests and screenshots alike.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from relayq.client.steering import Order, Told
from relayq.model.lifecycle import State
from relayq.query import Query
from relayq.store.records import End, LogEntry
from relayq_tui.rows import AttemptRow, BudgetView, EventRow, JobRow, ScheduleRow, WorkerRow

Link = Literal["connecting", "live", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The jobs as they are now. With `is_whole`, what is not among them is gone; else they are older ones."""

    jobs: Sequence[JobRow]
    at_ms: int
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """These jobs are new or different."""

    jobs: Sequence[JobRow]


@dataclass(frozen=True, slots=True)
class JobsGone:
    """These jobs are forgotten."""

    ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class WorkersChanged:
    """Every worker the hub remembers, by name."""

    workers: Sequence[WorkerRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many jobs are in each state, and how many ended well in the last day."""

    by_state: Mapping[State, int]
    done_today: int = 0
    failed_today: int = 0
    paused: tuple[str, ...] = ()
    used_bytes: int = 0
    max_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One value a minute, oldest first: jobs submitted, ended, failed; p95 of the wait in seconds."""

    submitted: Sequence[float] = ()
    ended: Sequence[float] = ()
    failed: Sequence[float] = ()
    p95_wait_s: Sequence[float] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How the link to the hub is; `message` says why it is lost, `retry_ms` when it is tried again."""

    state: Link
    latency_ms: int | None = None
    message: str = ""
    hub: str = ""


@dataclass(frozen=True, slots=True)
class EventsSeen:
    """What has happened, oldest first."""

    events: Sequence[EventRow]


@dataclass(frozen=True, slots=True)
class SchedulesChanged:
    """Every schedule, and whether any scheduler is there to fire them."""

    schedules: Sequence[ScheduleRow]
    has_scheduler: bool = True


@dataclass(frozen=True, slots=True)
class BudgetChanged:
    """The budget, None when nothing measures it."""

    budget: BudgetView | None


Update = (
    Snapshot
    | JobsChanged
    | JobsGone
    | WorkersChanged
    | Counts
    | Series
    | Connection
    | EventsSeen
    | SchedulesChanged
    | BudgetChanged
)
Post = Callable[[Update], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail:
    """What is worth a round trip of its own: the whole of one job.

    `spec` is the JSON of the spec with secrets masked, `explain` the sentences of
    `relayq explain`, `dependents` the jobs that wait for this one, `result` its text;
    `elements` are those of an array that ended, the failed first, with the index as number.
    `asker` is who asked for it, where the spec's signature tells, `likeness` what an approval is bound to.
    """

    row: JobRow
    spec: Mapping[str, object] = field(default_factory=dict)
    attempts: Sequence[AttemptRow] = ()
    explain: Sequence[str] = ()
    dependents: Sequence[str] = ()
    result: str = ""
    elements: Sequence[AttemptRow] = ()
    asker: str = ""
    likeness: str = ""


class Feed(Protocol):
    """A source of updates and details. All of it is asyncio; nothing blocks."""

    @property
    def name(self) -> str:
        """What to call it in the header: `home@host`, `demo`."""

    def now_ms(self) -> int:
        """The hub's clock."""

    async def run(self, post: Post, jobs: Mapping[str, JobRow]) -> None:
        """Post updates for ever; a lost hub is an update, not an error. `jobs` is what has come of them."""

    async def close(self) -> None:
        """Let go of everything; the program ends."""

    async def detail(self, job: str) -> JobDetail | None:
        """Everything about one job, None when it is forgotten."""

    async def log(self, job: str, from_id: str = "0", attempt: int | None = None) -> list[LogEntry | End]:
        """What the hub keeps of its output after `from_id`, or of one attempt."""

    def follow(self, job: str, from_id: str = "0") -> AsyncGenerator[LogEntry | End, None]:
        """Its output after `from_id` as it comes, ending with its End."""

    async def act(self, order: Order) -> Told:
        """Carry out an order; one sentence about what became of it, and for whom it was done."""

    async def matching(self, query: Query, tell: Callable[[int], None]) -> list[JobRow]:
        """The jobs that match and are not among those posted, for these are only the newest; all states.

        `tell` hears how many have been looked at.
        """

    async def submit(self, spec: Mapping[str, object], like: str = "") -> str:
        """Submit the JSON of a spec, laid over that of the job `like`, whose secrets it keeps; its id."""
