"""The states of a job and every legal transition, as one table.

The hub's Lua carries the transitions out; this table says which ones there are,
and documentation, colours and tests derive from it. A final state is left by an
explicit retry only, with one exception: a job that was given up as lost (FAILED
after its grace) still becomes SUCCEEDED when its worker comes back with the
success, because finished work is never thrown away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from enum import StrEnum
else:  # Python 3.9 has none
    from enum import Enum

    class StrEnum(str, Enum):
        __str__ = str.__str__


class State(StrEnum):
    """Where a job stands."""

    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    RUNNING = "RUNNING"
    UNREACHABLE = "UNREACHABLE"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    EXPIRED = "EXPIRED"


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED, State.EXPIRED})

MEANING = {
    State.PENDING: "waits for a dependency, a time or a release",
    State.RUNNABLE: "waits for a worker",
    State.RUNNING: "an attempt runs on a worker",
    State.UNREACHABLE: "its worker has lost the lease and is in grace",
    State.SUCCEEDED: "the command ended with exit code 0",
    State.FAILED: "exit, timeout, crash limit or refused, and no attempt is left",
    State.CANCELLED: "ended because somebody asked",
    State.SKIPPED: "never ran: a dependency did not do what was needed",
    State.EXPIRED: "never ran: no worker started it before its deadline",
}

# One letter a state, as the hub stores it.
CODE = {
    State.PENDING: "P",
    State.RUNNABLE: "R",
    State.RUNNING: "N",
    State.UNREACHABLE: "U",
    State.SUCCEEDED: "S",
    State.FAILED: "F",
    State.CANCELLED: "C",
    State.SKIPPED: "K",
    State.EXPIRED: "E",
}
_STATE_OF = {code: state for state, code in CODE.items()}

# (state before, event, state after); None is a job that the hub does not know yet.
TRANSITIONS: tuple[tuple[State | None, str, State], ...] = (
    (None, "submit", State.RUNNABLE),
    (None, "submit", State.PENDING),
    (None, "submit", State.SKIPPED),
    (State.PENDING, "due", State.RUNNABLE),
    (State.PENDING, "release", State.RUNNABLE),
    (State.PENDING, "dependencies_met", State.RUNNABLE),
    (State.PENDING, "dependency_failed", State.SKIPPED),
    (State.PENDING, "cancel", State.CANCELLED),
    (State.PENDING, "deadline", State.EXPIRED),
    (State.PENDING, "late_success", State.SUCCEEDED),
    (State.RUNNABLE, "hold", State.PENDING),
    (State.RUNNABLE, "claim", State.RUNNING),
    (State.RUNNABLE, "adopt", State.RUNNING),
    (State.RUNNABLE, "cancel", State.CANCELLED),
    (State.RUNNABLE, "deadline", State.EXPIRED),
    (State.RUNNABLE, "late_success", State.SUCCEEDED),
    (State.RUNNING, "ok", State.SUCCEEDED),
    (State.RUNNING, "failed", State.RUNNABLE),
    (State.RUNNING, "failed", State.PENDING),
    (State.RUNNING, "failed", State.FAILED),
    (State.RUNNING, "refused", State.FAILED),
    (State.RUNNING, "killed", State.CANCELLED),
    (State.RUNNING, "hand_back", State.RUNNABLE),
    (State.RUNNING, "hand_back", State.CANCELLED),
    (State.RUNNING, "lease_lost", State.UNREACHABLE),
    (State.UNREACHABLE, "sync", State.RUNNING),
    (State.UNREACHABLE, "ok", State.SUCCEEDED),
    (State.UNREACHABLE, "failed", State.RUNNABLE),
    (State.UNREACHABLE, "failed", State.PENDING),
    (State.UNREACHABLE, "failed", State.FAILED),
    (State.UNREACHABLE, "refused", State.FAILED),
    (State.UNREACHABLE, "killed", State.CANCELLED),
    (State.UNREACHABLE, "hand_back", State.RUNNABLE),
    (State.UNREACHABLE, "hand_back", State.CANCELLED),
    (State.UNREACHABLE, "grace_over", State.RUNNABLE),
    (State.UNREACHABLE, "grace_over", State.PENDING),
    (State.UNREACHABLE, "grace_over", State.FAILED),
    (State.UNREACHABLE, "grace_over", State.CANCELLED),
    (State.FAILED, "late_success", State.SUCCEEDED),
    (State.SUCCEEDED, "retry", State.RUNNABLE),
    (State.FAILED, "retry", State.RUNNABLE),
    (State.CANCELLED, "retry", State.RUNNABLE),
    (State.SKIPPED, "retry", State.RUNNABLE),
    (State.EXPIRED, "retry", State.RUNNABLE),
)

# A session's lease lasts three heartbeats: two may be lost.
HEARTBEAT_MS = 20_000
LEASE_MS = 60_000
# A worker that is half a heartbeat late is silent: it may be gone, and until its lease ends nobody knows.
SILENT_MS = 30_000

# Crashes are counted apart from failures: a job that kills its workers must not take the fleet down.
CRASH_LIMIT = 5

GRACE_MIN_MS = 60_000
GRACE_MAX_MS = 600_000

# What the hub keeps of a job's output unless its spec says otherwise.
KEEP_OUTPUT_BYTES = 1 << 20


def state_of(code: str) -> State:
    """The state behind the hub's letter."""
    return _STATE_OF[code]


def grace_ms(run_ms: int, wanted: int = 0) -> int:
    """How long a lost attempt that ran `run_ms` is left to its worker; `wanted` is the spec's, 0 if none."""
    return wanted or min(GRACE_MAX_MS, max(GRACE_MIN_MS, run_ms))
