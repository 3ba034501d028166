"""What crosses the border between the hub and the rest of RelayQ, as frozen records.

Times are milliseconds of the hub's clock unless the name says otherwise. Job
ids may name an array element (`<id>:<index>`); attempts count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from relayq.model.lifecycle import State
from relayq.model.needs import Lane
from relayq.model.price import NO_WORK, Work
from relayq.trust.files import Left


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One job on its way into the hub: the signed envelope and what the hub must know.

    `waits` says to its sender what it will wait for, where the worker that let it in knows.
    """

    routing: dict[str, object]
    lane: Lane
    envelope: bytes
    waits: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to run one attempt, as the hub hands it to a session.

    `offered_ms` is the hub's time of the claim. `retry_op` is the signed op that
    allowed a finished job to run again, or empty. `array_size` is 0 for a plain job.
    """

    job: str
    attempt: int
    crashes: int
    lane: str
    envelope: bytes
    offered_ms: int
    retry_op: bytes = b""
    array_size: int = 0
    pushed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How an attempt ended, as its worker tells it.

    `outcome` is one of ok, failed, timeout, cancelled, refused, handback (not
    started or left by a stopping worker: no counter moves). `retry` says that the
    signed retry policy grants another attempt; the wait before it is drawn by the
    hub from [0, min(cap, backoff * 2^(failures-1))] ms. `result` is at most 16 KiB.
    `outputs` are files already in the hub. `reply` is the public
    box key that the submitter wants its output sealed to. On the way to the hub `result`
    is sealed (trust/outputs.py), `is_bare` when there is nothing in it but how it ended, and
    `note` are sealed words for people. `ended_at` is when it ended, in seconds of the worker's
    monotonic clock (0: unknown): the hub is told how long ago that was.
    """

    job: str
    attempt: int
    outcome: str
    exit_code: int = 0
    reason: str = ""
    retry: bool = False
    backoff_ms: int = 0
    backoff_cap_ms: int = 0
    run_ms: int = 0
    result: bytes = b""
    outputs: tuple[Left, ...] = ()
    reply: str = ""
    note: str = ""
    is_bare: bool = False
    ended_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Output of an attempt: `data` starts at byte `offset` of its stream (1 stdout, 2 stderr).

    The hub takes it when `offset` is where that stream ends in the hub, skips what
    it has already, and answers with its own offsets; a superseded attempt is fenced out.
    `jump` allows a gap before it: the worker left out the middle of too much output.
    `size` is how much output there is in `data` when that is sealed; it is taken whole or
    not at all then.
    """

    job: str
    attempt: int
    stream: int
    offset: int
    data: bytes
    jump: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncRequest:
    """One heartbeat: renew, report, reconcile and claim, in one round trip.

    `held` lists every attempt the worker holds (started, waiting to start or not yet
    reported) and matters when `full` is set, which a worker does on every timed
    heartbeat, after every failed sync and for adoption. `free` is what is left of the
    machine after `held` (keys as in `needs.cost`), `lanes` the lanes it can serve now
    with the cost of one job of each, plus the key "w" (ms) when the lane prefers labels
    this worker has not: younger heads are left to others. At most `want` jobs are claimed,
    `mail_id` is the last letter read. `idle` asks to
    be offered jobs as they arrive while the free resources last.
    `unserved` maps lane id -> reason, shown by `explain`. `facts` are shown by `workers`.
    """

    held: dict[str, int] = field(default_factory=dict)
    full: bool = False
    done: list[Report] = field(default_factory=list)
    logs: list[LogChunk] = field(default_factory=list)
    progress: list[tuple[str, float | None, str]] = field(default_factory=list)
    free: dict[str, int] = field(default_factory=dict)
    lanes: list[tuple[str, dict[str, int]]] = field(default_factory=list)
    empty_lanes: list[str] = field(default_factory=list)
    want: int = 0
    idle: bool = False
    unserved: dict[str, str] | None = None
    facts: dict[str, str] | None = None
    mail_id: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReply:
    """The hub's answer.

    `reports` has a word for each report: `ok`, `late` (accepted though the lease had gone), `dup`
    (accepted before) or `stale` (another attempt has started or the job is final: the report is
    dropped) or `files` (not accepted: the hub has lost the files it names, put them again).
    `cancels` are held jobs to end, in every reply until they are reported, and `kills` those to end
    at once. `gone` are held attempts (full syncs) that are no longer this session's: end them.
    `log_offsets` maps job -> (stdout, stderr) bytes the hub has. `watched` are held jobs whose log
    somebody follows: send it every 250 ms. `next_ms` is when the hub next wants a sync (durations
    from now, at most 20,000). `command` is "", "quiet", "stop" or "kill". `wide` is the (lane,
    score) of the best head among `empty_lanes` that out-ranks by two minutes everything that fits
    now, or None: the worker reserves itself for it. `session_known` False: register again.
    `inboxes` is how many submit-only users have sent something; -1: there are no such users.
    """

    now_ms: int
    claims: list[Claim] = field(default_factory=list)
    reports: dict[str, str] = field(default_factory=dict)
    cancels: list[str] = field(default_factory=list)
    kills: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    log_offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    watched: list[str] = field(default_factory=list)
    next_ms: int = 20_000
    lanes_version: int = 0
    roster_version: int = 0
    command: str = ""
    inboxes: int = -1
    wide: tuple[str, int] | None = None
    session_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What a session tells when it appears: who it is, what it offers, what it still holds.

    `instance` is a random word kept in the worker's state directory: the same
    instance may replace its own live session (a restart), another one with the
    same name is refused while the first lives.
    """

    name: str
    session: str
    instance: str
    offer: dict[str, object]
    facts: dict[str, str]
    held: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The hub's answer to a registration.

    `adopted` are the held attempts that are (again) this session's; `gone` those that
    are not: end them. `lanes` maps lane id -> Lane. `log_offsets` as in SyncReply.
    `mailbox_id` is the id from which to read the mailbox.
    """

    now_ms: int
    epoch: str
    lanes: dict[str, Lane]
    lanes_version: int
    adopted: list[str]
    gone: list[str]
    log_offsets: dict[str, tuple[int, int]]
    mailbox_id: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message of a session's mailbox.

    `kind` is `claim` (with `claim`), `cancel`, `end` (at once) or `watch` (with `job`), `wake` (sync
    after `delay_ms`), `pull` (pour the whole log of `job`, or of that `attempt` alone, for
    the reader with `ticket`), `quiet`, `stop`, `resume` or `kill`.
    """

    id: str
    kind: str
    claim: Claim | None = None
    job: str = ""
    delay_ms: int = 0
    ticket: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One attempt as shown to people."""

    number: int
    worker: str
    started_ms: int
    ended_ms: int | None
    exit_code: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayCounts:
    """How the elements of an array job stand."""

    size: int
    start: int
    waiting: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRecord:
    """What became of one notice of a job's end: `posted`, `failed`, `unsure` or `later`, since when, why."""

    index: int
    word: str
    at_ms: int
    detail: str


class Steered(NamedTuple):
    """What orders made of a job: the mark that holds it (lua/prelude.lua), and the orders as signed."""

    held: str = ""
    hold: bytes = b""
    priority: bytes = b""


NOT_STEERED = Steered()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """One job as the hub has it; what a `Reader` opened of it is in the clear.

    `is_sealed` says that our keys do not open all of its spec, `doubt` why its result is
    not believed, `held_by` who holds it, `alarm` what nobody who may has signed of where it stands.
    `due_ms` is when one that is delayed becomes ready, 0 for any other.
    """

    id: str
    state: State
    reason: str
    lane: Lane
    priority: int
    attempt: int
    crashes: int
    worker: str
    session: str
    submitted_ms: int
    ready_ms: int
    started_ms: int
    ended_ms: int
    exit_code: int | None
    array: ArrayCounts | None
    progress: float | None
    message: str
    cancel_asked: bool
    attempts: list[AttemptRecord]
    envelope: bytes
    result: bytes
    outputs: dict[str, Left] = field(default_factory=dict)
    took: Work = NO_WORK
    notices: tuple[NoticeRecord, ...] = ()
    is_sealed: bool = False
    doubt: str = ""
    steered: Steered = NOT_STEERED
    held_by: str = ""
    alarm: str = ""
    cancel_why: str = ""
    due_ms: int = 0

    @property
    def likeness(self) -> str:
        """What tells this envelope, as it is shown, from any other: its SHA-256 in hex."""
        return sha256(self.envelope).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """One worker as the hub has it. `seen_ms` is the hub's time of its last sync."""

    name: str
    session: str
    online: bool
    seen_ms: int
    started_ms: int
    offer: dict[str, object]
    facts: dict[str, str]
    unserved: dict[str, str]
    running: dict[str, int]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """One queue: jobs that may start now, all that are not final, paused or not, its weight.

    `paused_by` is who has paused it, `alarm` what nobody who may has signed.
    """

    name: str
    runnable: int
    living: int
    paused: bool
    weight: float
    paused_by: str = ""
    alarm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a job stands where it stands: the facts, before any wording.

    `blockers` are (kind, detail) pairs: dependencies <number>, held, delay <ms>,
    paused <queue>, limit <name n/m>, rate <name ms>, ahead <jobs before it in its lane>.
    `queue` is its queue, when that is paused; `uses` the lanes of the jobs that keep workers
    busy, by id; `array` the explanation of its array, for an element that waits in there.
    """

    record: JobRecord
    blockers: list[tuple[str, str]]
    workers: list[WorkerRecord]
    queue: QueueInfo | None = None
    uses: dict[str, Lane] = field(default_factory=dict)
    array: Explanation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """A piece of output: attempt, position in the merged log, stream (1 or 2), bytes.

    `offset` is where it begins in its own stream. `doubt` says why it is not shown.
    """

    id: str
    attempt: int
    position: int
    stream: int
    data: bytes
    offset: int = 0
    doubt: str = ""

    @property
    def at_ms(self) -> int:
        """The hub's time when this piece came; 0 when the id does not say."""
        return int(self.id.partition("-")[2] or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The last entry of a watched job's log: how it ended. `doubt` says why that is not believed.

    `position` is how much its attempt had written, as far as that is known.
    """

    id: str
    state: State
    exit_code: int | None
    reason: str
    result: bytes
    attempt: int = 0
    position: int = 0
    doubt: str = ""
