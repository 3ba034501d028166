"""How late GitHub's clock was: the runs that it made, held against the slots of a workflow's cron lines.

GitHub tells when it made a run, and neither the line nor the slot that it made it for. A
run is counted to the line of its file whose slot is the latest before it; what comes more
than a period late therefore seems less late than it was, and a slot that was dropped shows
in the number of those that are missed alone. Runs from before a line was written say
nothing about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from relayq.model.cron import Cron
from relayq.model.lifecycle import State

MOST_RUNS = 100  # GitHub lists no more on one page
MAY_COME_MS = 3_600_000  # so late GitHub's clock is now and then: a younger slot is not missed yet
LOOK_BACK_MS = 30 * 86_400_000  # slots are missed in this span: GitHub forgets old runs
EVERY_MIN_S = 300  # GitHub's shortest interval (docs.github.com, "schedule", read 2026-11)
_STATES = {
    "success": State.SUCCEEDED,
    "failure": State.FAILED,
    "timed_out": State.FAILED,
    "startup_failure": State.FAILED,
    "cancelled": State.CANCELLED,
    "skipped": State.SKIPPED,
    "in_progress": State.RUNNING,
    "queued": State.PENDING,
    "pending": State.PENDING,
}


class CronRun(NamedTuple):
    """A run that GitHub's clock made: its workflow's file, when, and its conclusion, else its status."""

    file: str
    made_ms: int
    word: str

    @property
    def state(self) -> State | None:
        """The same as a state of ours, where there is one like it."""
        return _STATES.get(self.word)


class CronRuns(NamedTuple):
    """What is known of a repository: when it was read, its newest runs, and whether these are all."""

    read_ms: int
    runs: tuple[CronRun, ...]
    is_whole: bool

    def to_json(self) -> dict[str, Any]:
        """As JSON; `from_json` reads it back."""
        return {"read_ms": self.read_ms, "runs": [list(run) for run in self.runs], "whole": self.is_whole}

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> CronRuns:
        """Read it; ValueError, TypeError or KeyError for what is none."""
        runs = tuple(CronRun(str(file), int(made), str(word)) for file, made, word in given["runs"])
        return cls(int(given["read_ms"]), runs, bool(given["whole"]))

    @classmethod
    def of(cls, runs: Sequence[CronRun], read_ms: int, *, is_whole: bool) -> CronRuns:
        """The newest of these runs."""
        newest = sorted(runs, key=lambda run: -run.made_ms)
        return cls(read_ms, tuple(newest[:MOST_RUNS]), is_whole and len(runs) <= MOST_RUNS)


class Seen(NamedTuple):
    """What GitHub's clock did with one line: its last run with its slot, and how many slots have no run.

    `last` is None where it never made one; `missed` is None where that cannot be known.
    """

    last: CronRun | None
    slot_ms: int
    missed: int | None

    @property
    def late_ms(self) -> int | None:
        """How long after its slot the last run was made."""
        return None if self.last is None else self.last.made_ms - self.slot_ms


def seen(lines: Sequence[Cron], at: int, file: str, since_ms: int, known: CronRuns) -> Seen | None:
    """What is known of the line at `lines[at]` of a file that says so since then; None for nothing at all."""
    mine = [run for run in known.runs if run.file == file and run.made_ms >= since_ms]
    ours: list[tuple[CronRun, int]] = []
    for run in mine:
        slots = [line.latest(run.made_ms // 1000) or 0 for line in lines]
        if slots[at] == max(slots) and slots[at] * 1000 >= since_ms:
            ours.append((run, slots[at] * 1000))
    oldest_ms = 0 if known.is_whole or not known.runs else known.runs[-1].made_ms
    from_ms = max(since_ms, oldest_ms, known.read_ms - LOOK_BACK_MS)
    missed = _missed(lines[at], from_ms, known.read_ms - MAY_COME_MS, [slot_ms for _, slot_ms in ours])
    if ours:
        return Seen(*ours[0], missed)
    return Seen(None, 0, missed) if known.is_whole else None


def _missed(line: Cron, from_ms: int, until_ms: int, slots: Sequence[int]) -> int | None:
    """How many slots of a span have no run of their own; None for a line that fires too often for GitHub."""
    due = 0
    last_s = None
    for at_s in line.after(from_ms // 1000):
        if at_s * 1000 > until_ms:
            break
        if last_s is not None and at_s - last_s < EVERY_MIN_S:
            return None
        last_s = at_s
        due += 1
    return max(0, due - sum(from_ms <= slot_ms <= until_ms for slot_ms in slots))
