"""The fourth screen: what runs at times, local rules and GitHub's cron side by side, and when next.

Under the list, a day from now on: every firing of every schedule on one line of time,
and of the schedule under the cursor the next firings in words. A fleet without
schedules is told so, and what can be done meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult

from relayq.model.duration import format_duration
from relayq_tui.glyphs import WORDS, age, clock
from relayq_tui.rows import ScheduleRow
from relayq_tui.screens.prose import prose
from relayq_tui.screens.scheduleactions import ScheduleActions
from relayq_tui.sieve import named
from relayq_tui.store import Changes
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.jobtable import Cell, Column, JobTable
from relayq_tui.widgets.line import Line, fit

WIDE, NARROW = 100, 56
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
LATE_MS = 60_000  # a firing that comes later than this is worth a look
NAMES = 16
FIRES_MAX = 5
DAY_MIN = 4  # lines that the day ahead needs to tell anything
TALL = 24
EMPTY = """
No schedules yet.

A schedule submits a job at times: every hour, every night, on weekdays at six. Two kinds stand here
side by side: rules that this fleet keeps itself, and the cron lines of the GitHub workflows in the
repository you stand in; each with its next firings, how the last one ended, how late it was, what it
missed and what it costs.

Add the first one at a prompt, and let something fire it:

   relayq schedule add backup --cron '30 2 * * *' -- restic backup ~
   relayq scheduler
"""
NOBODY = "no scheduler runs, so nothing fires: relayq scheduler, or relayq worker --scheduler"


class Ahead(Framed):
    """The time to come: a line each, then the firings of the one under the cursor."""

    DEFAULT_CSS = "Ahead { height: 1fr; }"

    def lines(self) -> list[Line]:
        """As many as there is room for."""
        screen = cast("SchedulesScreen", self.screen)
        rows = self.store.schedules
        if not rows:
            return [Line(), *prose(EMPTY, self.size.width, self.palette)]
        current = screen.table.current
        told = self._told(current) if current else []
        room = self.size.height - len(told)
        return [*(self._day(rows, current)[:room] if room >= DAY_MIN else []), *told]

    def _day(self, rows: Sequence[ScheduleRow], here: ScheduleRow | None) -> list[Line]:
        """One line of time for each schedule, the coming day from left to right."""
        p, g = self.palette, self.rq.glyphs
        width = self.size.width - NAMES - 3
        now_ms = self.store.now_ms()
        lines = [
            Line().add(g.line * self.size.width, p.dim),
            Line().add(f" {fit('next 24 hours', NAMES)} ", p.strong).add(_hours(now_ms, width), p.head),
        ]
        for row in sorted(rows, key=_soonest):
            style = p.strong if here and row.id == here.id else p.text
            line = Line().add(f" {fit(row.name, NAMES)} ", style)
            marks = _marks(row, now_ms, width, g.later, g.dot)
            for character, run in groupby(marks):
                line.add("".join(run), p.dim if character == g.dot or row.is_paused else p.run)
            lines.append(line)
        return lines

    def _told(self, row: ScheduleRow) -> list[Line]:
        """The schedule under the cursor, in words."""
        p, g, now_ms = self.palette, self.rq.glyphs, self.store.now_ms()
        name = (
            Line()
            .add(f" {row.name}", p.strong)
            .add(f"  {row.rule}", p.accent)
            .add(f"  {row.command}", p.text)
        )
        lines = [Line().add(g.line * self.size.width, p.dim), name]
        if row.is_paused:
            return [*lines, Line().add(f" {g.held} paused: it does not fire until it is resumed", p.warn)]
        fires = self._fires(row, now_ms)
        return [*lines, *self._nobody(row), *self._last(row, now_ms), *fires]

    def _nobody(self, row: ScheduleRow) -> list[Line]:
        """A word of warning where nothing is there to fire it."""
        if self.store.has_scheduler or row.origin == "github":
            return []
        return [Line().add(f" {fit(NOBODY, self.size.width - 2)}", self.palette.warn)]

    def _fires(self, row: ScheduleRow, now_ms: int) -> list[Line]:
        """The next firings, under each other where there is room."""
        p = self.palette
        told = [
            (f"{_day_of(ms, now_ms)}{clock(ms)}", _ahead(ms, now_ms))
            for ms in _coming(row, now_ms)[:FIRES_MAX]
        ]
        if self.size.height < TALL:
            line = Line().add(" fires  ", p.head)
            for number, (when, ahead) in enumerate(told):
                if line.width + len(when) + (0 if number else len(ahead) + 1) < self.size.width:
                    line.add(when, p.text).add(f" {ahead}  " if not number else "  ", p.dim)
            return [line]
        heads = ("fires ", *[""] * FIRES_MAX)
        return [
            Line().add(f" {head:<6} ", p.head).add(f"{when:<10}", p.text).add(ahead, p.dim)
            for head, (when, ahead) in zip(heads, told, strict=False)
        ]

    def _last(self, row: ScheduleRow, now_ms: int) -> list[Line]:
        p, g = self.palette, self.rq.glyphs
        if not row.last_ms:
            unknown = "GitHub knows" if row.origin == "github" else "it has not fired yet"
            return [Line().add(f" last   {unknown}", p.head)]
        line = Line().add(" last   ", p.head).add(f"{age(now_ms - row.last_ms)} ago  ", p.text)
        if row.last_state is not None:
            line.add(f"{g.states[row.last_state]} {WORDS[row.last_state]}", p.of(row.last_state))
        parts = (
            (f"{row.missed} missed" if row.missed else "", p.warn),
            (_lateness(row), p.warn if row.drift_ms >= LATE_MS else p.head),
            (f"fired by {row.last_by}" if row.last_by else "", p.head),
            (f"{row.minutes} GitHub minutes a month" if row.minutes else "", p.head),
        )
        for text, style in parts:
            if text and line.fits(f"   {text}", self.size.width):
                line.add(f"   {text}", style)
        return [line]


class SchedulesScreen(ScheduleActions):
    """The list, and below it the time to come."""

    contexts: ClassVar[tuple[str, ...]] = ("schedules",)
    label = "Schedules"
    AUTO_FOCUS = "JobTable"

    def body(self) -> ComposeResult:
        """List and time."""
        yield JobTable[ScheduleRow](follows=False, id="schedules")
        yield Ahead()

    @property
    def table(self) -> JobTable[ScheduleRow]:
        """The list."""
        return self.query_one("#schedules", JobTable)

    def schedule(self) -> ScheduleRow | None:
        """The one under the cursor."""
        return self.table.current

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        if "schedules" in changes.parts:
            self._show_rows()
        elif "clock" in changes.parts:
            self.table.refresh_stale()
        if changes.parts & {"schedules", "clock"}:
            self.query_one(Ahead).update()

    def on_resize(self) -> None:
        """Other columns fit now."""
        if self.is_mounted:
            self.call_after_refresh(self._show_rows)

    def action_open(self) -> None:
        """The job that it made last."""
        row = self.table.current
        job = self._last_job(row) if row is not None else ""
        if job:
            self.rq.action_push("job", job, "log")
        elif row is not None:
            self.rq.say(f"the last job of {row.name} is not in the hub (any more)")

    def _last_job(self, row: ScheduleRow) -> str:
        """The job that the schedule names, or the newest that is called like it."""
        if row.last_job:
            return row.last_job if row.last_job in self.store.jobs else ""
        return next(iter(named(self.store.newest, row.name).ids), "")

    def _show_rows(self) -> None:
        rows, table = self.store.schedules, self.table
        table.display = bool(rows)
        table.styles.height = min(len(rows) + 1, max(3, self.query_one("#body").size.height // 2))
        table.set_rows(sorted(rows, key=_soonest), self._columns())
        self.query_one(Ahead).refresh()

    @on(JobTable.Moved)
    def _moved(self) -> None:
        self.query_one(Ahead).refresh()

    @on(JobTable.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    # -- the columns

    def _columns(self) -> list[Column[ScheduleRow]]:
        width = self.size.width
        last: Column[ScheduleRow] = Column("LAST", 10, self._last)
        following: Column[ScheduleRow] = Column("NEXT", 10, self._next)
        if width < NARROW:
            return [Column("SCHEDULE", 0, _name), following]
        if width < WIDE:
            return [
                Column("SCHEDULE", 0, _name),
                Column("RULE", 12, self._rule),
                following,
                last,
                Column("MISS", 4, self._missed, right=True),
            ]
        return [
            Column("SCHEDULE", 0, _name),
            Column("KEPT BY", 7, lambda row: (row.origin, self.rq.palette.head)),
            Column("RULE", 13, self._rule),
            following,
            Column("IN", 7, self._in, right=True),
            Column("  LAST", 12, lambda row: ("  " + self._last(row)[0], self._last(row)[1])),
            Column("AGO", 4, self._ago, right=True),
            Column("DRIFT", 7, self._drift, right=True),
            Column("BY", 9, lambda row: (row.last_by, self.rq.palette.head)),
            Column("MISSED", 6, self._missed, right=True),
            Column("MIN/MO", 6, self._minutes, right=True),
        ]

    def _rule(self, row: ScheduleRow) -> Cell:
        return row.rule, self.rq.palette.head

    def _next(self, row: ScheduleRow) -> Cell:
        p, now_ms = self.rq.palette, self.store.now_ms()
        if row.is_paused:
            return f"{self.rq.glyphs.held} paused", p.warn
        if not row.next_ms:
            return self.rq.glyphs.dash, p.dim
        following = _coming(row, now_ms)[0]
        return f"{self.rq.glyphs.later} {_day_of(following, now_ms)}{clock(following)}", None

    def _in(self, row: ScheduleRow) -> Cell:
        if row.is_paused or not row.next_ms:
            return self.rq.glyphs.dash, self.rq.palette.dim
        now_ms = self.store.now_ms()
        return _ahead(_coming(row, now_ms)[0], now_ms).removeprefix("in "), self.rq.palette.head

    def _last(self, row: ScheduleRow) -> Cell:
        if row.last_state is None:
            said = "forgotten" if row.last_ms else "unknown" if row.origin == "github" else "never"
            return said, self.rq.palette.dim
        glyph, word = self.rq.glyphs.states[row.last_state], WORDS[row.last_state]
        return f"{glyph} {word}", self.rq.palette.of(row.last_state)

    def _ago(self, row: ScheduleRow) -> Cell:
        return (age(self.store.now_ms() - row.last_ms) if row.last_ms else ""), self.rq.palette.head

    def _drift(self, row: ScheduleRow) -> Cell:
        late = row.drift_ms >= LATE_MS
        if not row.last_ms:
            return "", None
        drift = format_duration(row.drift_ms) if row.drift_ms >= 1_000 else "0s"
        return f"+{drift}", self.rq.palette.warn if late else self.rq.palette.head

    def _minutes(self, row: ScheduleRow) -> Cell:
        return (f"{row.minutes}" if row.minutes else ""), self.rq.palette.head

    def _missed(self, row: ScheduleRow) -> Cell:
        p = self.rq.palette
        return (f"{row.missed}" if row.missed else ""), p.warn


def _coming(row: ScheduleRow, now_ms: int) -> tuple[int, ...]:
    """Its firings that are still to come; where all that are known have passed, the last of them."""
    return tuple(ms for ms in row.next_ms if ms > now_ms) or row.next_ms[-1:]


def _ahead(ms: int, now_ms: int) -> str:
    """In how long that is."""
    return f"in {format_duration(ms - now_ms)}" if ms > now_ms else "is due"


def _name(row: ScheduleRow) -> Cell:
    return row.name, None


def _soonest(row: ScheduleRow) -> tuple[bool, int, str]:
    """Those that fire next first, paused ones last."""
    return not row.next_ms, row.next_ms[0] if row.next_ms else 0, row.name


def _lateness(row: ScheduleRow) -> str:
    return f"{format_duration(row.drift_ms)} late" if row.drift_ms >= LATE_MS else "on time"


def _day_of(ms: int, now_ms: int) -> str:
    """The day of the week, for a time that is not in the coming day."""
    return clock(ms, "%a ") if ms - now_ms >= DAY_MS else ""


def _hours(now_ms: int, width: int) -> str:
    """The hours over a line of time: a number at each third, or sixth, full hour."""
    every = 3 if width >= 60 else 6
    text = [" "] * width
    first = now_ms - now_ms % HOUR_MS + HOUR_MS
    for ms in range(first, now_ms + DAY_MS, HOUR_MS):
        x, label = _column(ms, now_ms, width), clock(ms, "%H")
        if int(label) % every == 0 and x + 2 <= width:
            text[x : x + 2] = label
    return "".join(text)


def _marks(row: ScheduleRow, now_ms: int, width: int, mark: str, blank: str) -> str:
    """A mark for each firing within the day."""
    text = [blank] * width
    for ms in _within_a_day(row.next_ms, now_ms):
        text[_column(ms, now_ms, width)] = mark
    return "".join(text)


def _within_a_day(next_ms: Sequence[int], now_ms: int) -> Iterator[int]:
    """The firings that are known, and, where they are regular, those that follow."""
    yield from (ms for ms in next_ms if now_ms <= ms < now_ms + DAY_MS)
    steps = {after - before for before, after in pairwise(next_ms)}
    if len(steps) == 1:
        yield from range(next_ms[-1] + (step := steps.pop()), now_ms + DAY_MS, step)


def _column(ms: int, now_ms: int, width: int) -> int:
    return min(width - 1, (ms - now_ms) * width // DAY_MS)
