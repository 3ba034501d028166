"""The columns of a job's attempts, or of an array's elements: how each ended, where it ran, how long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq_tui.glyphs import clock, meter
from relayq_tui.hints import SIGNALS
from relayq_tui.rows import AttemptRow
from relayq_tui.widgets.jobtable import Cell, Column

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

WIDE, NARROW = 80, 56
BAR = 24


class AttemptLine(NamedTuple):
    """An attempt, how long it has run, and what share of the longest one's time that is."""

    id: str
    attempt: AttemptRow
    run_ms: int
    share: float


def attempt_lines(attempts: Sequence[AttemptRow], now_ms: int) -> list[AttemptLine]:
    """The attempts, in their order."""
    runs = [max(0, (one.ended_ms or now_ms) - (one.started_ms or one.ended_ms or now_ms)) for one in attempts]
    longest = max(runs, default=0) or 1
    return [
        AttemptLine(str(one.number), one, run, run / longest) for one, run in zip(attempts, runs, strict=True)
    ]


def attempt_columns(app: RelayQApp, width: int, *, of_array: bool = False) -> list[Column[AttemptLine]]:
    """The columns for a list this wide; the elements of an array are numbered by their index."""
    glyphs, palette = app.glyphs, app.palette

    def state(line: AttemptLine) -> Cell:
        found = state_of(line.attempt)
        return glyphs.states[found], palette.of(found)

    def how(line: AttemptLine) -> Cell:
        found = state_of(line.attempt)
        return ending(line.attempt), palette.of(found) if found is State.FAILED else None

    def bar(line: AttemptLine) -> Cell:
        return meter(line.share, BAR, glyphs), palette.accent

    shown: list[Column[AttemptLine]] = [
        Column(
            "INDEX" if of_array else "#",
            8 if of_array else 3,
            lambda line: (str(line.attempt.number), palette.head),
            right=True,
        ),
        Column("", 1, state),
        Column("HOW IT ENDED", 0, how),
        Column("WORKER", 12, lambda line: (line.attempt.worker or glyphs.dash, None)),
        Column("BEGAN", 8, lambda line: (_began(line.attempt), palette.dim)),
        Column("RUN", 7, lambda line: (format_duration(line.run_ms), None), right=True),
    ]
    if width < NARROW:
        return [column for column in shown if column.title not in ("WORKER", "BEGAN")]
    return [*shown, Column("", BAR, bar)] if width >= WIDE else shown


def _began(attempt: AttemptRow) -> str:
    return clock(attempt.started_ms, "%H:%M:%S") if attempt.started_ms else ""


def state_of(attempt: AttemptRow) -> State:
    """How the attempt ended, as a state."""
    if attempt.ended_ms is None:
        return State.RUNNING
    if attempt.reason in ("handback", "cancelled"):
        return State.CANCELLED
    if attempt.reason == "dependency":
        return State.SKIPPED
    return State.SUCCEEDED if attempt.exit_code == 0 else State.FAILED


def ending(attempt: AttemptRow) -> str:
    """`exit 137 (KILL)`, `timeout`, `runs`."""
    if attempt.ended_ms is None:
        return "runs"
    if attempt.exit_code is None:
        return attempt.reason or "ended"
    signal = SIGNALS.get(attempt.exit_code - 128, "")
    reason = attempt.reason if attempt.reason not in ("", "exit") else ""
    parts = (f"exit {attempt.exit_code}", f"({signal})" if signal else "", reason)
    return " ".join(part for part in parts if part)
