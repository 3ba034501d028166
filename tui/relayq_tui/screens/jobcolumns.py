"""The columns of the job list: at most what fits, the name always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.style import Style

from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq.store.records import ArrayCounts
from relayq_tui.glyphs import Glyphs, age, clock, state_mark
from relayq_tui.rows import JobRow
from relayq_tui.theme import Palette
from relayq_tui.widgets.jobtable import Cell, Column

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

DAY_MS = 86_400_000
WIDE = 80
NARROW = 56


def columns(app: RelayQApp, width: int) -> list[Column[JobRow]]:
    """The columns for a list this wide."""
    cells = _Cells(app)
    if width >= WIDE:
        return cells.wide()
    return cells.narrow() if width >= NARROW else cells.tiny()


class _Cells:
    """What stands in each cell."""

    def __init__(self, app: RelayQApp) -> None:
        self._app = app
        self._now_ms = app.store.now_ms
        self._palette: Palette = app.palette
        self._glyphs: Glyphs = app.glyphs

    def wide(self) -> list[Column[JobRow]]:
        return [
            Column("ST", 7, self._state),
            Column("ID", 7, self._id),
            Column("NAME / COMMAND", 0, self._name, tail=self._tail),
            Column("QUEUE", 7, lambda row: (row.queue, None)),
            Column("WORKER", 9, self._worker),
            Column("PRI", 3, lambda row: (str(row.priority), self._palette.dim), right=True),
            Column("CAME", 6, self._age, right=True)
            if self._app.absolute_times
            else Column("AGE", 4, self._age, right=True),
            Column("DUR", 6, self._duration, right=True),
        ]

    def narrow(self) -> list[Column[JobRow]]:
        return [
            Column("", 1, self._glyph),
            Column("ID", 6, self._id),
            Column("NAME", 0, self._name, tail=self._tail),
            Column("WORKER", 9, self._worker),
            Column("DUR", 6, self._duration, right=True),
            Column("", 6 if self._app.absolute_times else 5, self._last, right=True),
        ]

    def tiny(self) -> list[Column[JobRow]]:
        return [
            Column("", 1, self._glyph),
            Column("ID", 6, self._id),
            Column("NAME", 0, self._name),
            Column("DUR", 6, self._duration, right=True),
        ]

    def _state(self, row: JobRow) -> Cell:
        return " ".join(state_mark(row, self._glyphs)), self._colour(row)

    def _glyph(self, row: JobRow) -> Cell:
        return state_mark(row, self._glyphs)[0], self._colour(row)

    def _colour(self, row: JobRow) -> Style:
        """That of its state; what waits for a person stands out."""
        return self._palette.warn if row.reason == "approval" else self._palette.of(row.state)

    def _id(self, row: JobRow) -> Cell:
        return row.short_id, self._palette.head

    def _name(self, row: JobRow) -> Cell:
        return row.title, None

    def _tail(self, row: JobRow) -> str:
        """What there is to say of a job besides its name: how far it is, what it waits for."""
        if row.array is not None:
            return self._array(row.array)
        if row.state is State.PENDING and row.reason == "delay":
            left_ms = row.ready_ms - self._now_ms()
            return f"in {format_duration(left_ms)}" if left_ms > 0 else ""
        if row.state is State.PENDING and len(row.after) > 1:
            done = sum(self._is_done(job) for job in row.after)
            return f"{done} of {len(row.after)}"
        if row.state is State.RUNNING and row.progress is not None:
            return f"{row.progress:.0f}%"
        return self._place(row)

    def _place(self, row: JobRow) -> str:
        """`#4 ≈6m`: how many of its queue start before it does, and in how long it may; `no worker`."""
        if self._app.store.lacks_worker(row):
            return "no worker"
        place = self._app.store.place(row)
        if place is None:
            return ""
        number, start_ms = place
        return f"#{number}" if start_ms is None else f"#{number} {self._glyphs.about}{age(start_ms)}"

    def _array(self, counts: ArrayCounts) -> str:
        """`12/40` while it runs, `38✓ 2✗` when it has ended."""
        ended = counts.succeeded + counts.failed + counts.cancelled + counts.skipped
        if ended < counts.size:
            return f"{ended}/{counts.size}"
        glyphs = self._glyphs.states
        bad = counts.size - counts.succeeded
        good = f"{counts.succeeded}{glyphs[State.SUCCEEDED]}"
        return f"{good} {bad}{glyphs[State.FAILED]}" if bad else good

    def _is_done(self, job: str) -> bool:
        row = self._app.store.jobs.get(job)
        return row is not None and row.is_final

    def _worker(self, row: JobRow) -> Cell:
        return row.worker or self._glyphs.dash, None

    def _age(self, row: JobRow) -> Cell:
        if self._app.absolute_times:
            is_old = self._now_ms() - row.submitted_ms >= DAY_MS
            return clock(row.submitted_ms, "%d %b" if is_old else "%H:%M"), self._palette.dim
        return age(self._now_ms() - row.submitted_ms), self._palette.dim

    def _duration(self, row: JobRow) -> Cell:
        run_ms = row.run_ms(self._now_ms())
        return (self._glyphs.dash if run_ms is None else format_duration(run_ms)), None

    def _last(self, row: JobRow) -> Cell:
        if row.state is State.FAILED and row.exit_code is not None:
            return f"e{row.exit_code}", self._palette.bad
        return self._age(row)
