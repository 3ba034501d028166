"""The second screen: every worker of the fleet, and a picture of the one under the cursor."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult

from relayq.model.duration import format_size
from relayq.model.lifecycle import State
from relayq_tui.chronicle import last_day
from relayq_tui.glyphs import age, clock
from relayq_tui.rows import WorkerRow
from relayq_tui.screens.portrait import Portrait, bars, beside, line_of, slot_marks, stance
from relayq_tui.screens.workeractions import WorkerActions
from relayq_tui.store import Changes
from relayq_tui.vitals import slots, vitals
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.jobtable import Cell, Column, JobTable
from relayq_tui.widgets.line import Line

WIDE, NARROW = 100, 56
SPARK = 6
PICTURE_MIN = 4  # lines; with less room the list has all of it
PICTURE_FULL = 12  # lines; with less room there are no curves


class Picture(Framed):
    """The worker under the cursor: two columns on a wide screen, one on a narrow one."""

    DEFAULT_CSS = "Picture { height: 1fr; }"

    def lines(self) -> list[Line]:
        """A rule, who it is, then machine and work."""
        from_screen = self.screen
        assert isinstance(from_screen, WorkersScreen)
        worker = from_screen.worker()
        p, width = self.palette, self.size.width
        if worker is None:
            return [
                Line(),
                Line().add(" no worker is known yet; start one with ", p.head).add("relayq worker", p.strong),
            ]
        jobs = from_screen.jobs_of(worker)
        rule = Line().add(self.rq.glyphs.line * width, p.dim)
        half = width // 2 if width >= WIDE else width
        portrait = Portrait(self.rq, worker, half - 4)
        if self.size.height < PICTURE_FULL:
            return [
                rule,
                *(line_of(pieces, width) for pieces in (*portrait.in_short(), *portrait.work(jobs))),
            ]
        machine, work = list(portrait.machine()), list(portrait.work(jobs))
        if width >= WIDE:
            both = beside(
                [*machine, [], *portrait.happened(from_screen.deeds_of(worker))], work, half - 1, p.text
            )
        else:
            both = [*machine, [], *work]
        return [rule, *(line_of(pieces, width) for pieces in (*portrait.identity(), [], *both))]


class WorkersScreen(WorkerActions):
    """The list, and below it the picture."""

    contexts: ClassVar[tuple[str, ...]] = ("workers",)
    label = "Workers"
    AUTO_FOCUS = "JobTable"

    def __init__(self) -> None:
        super().__init__()
        self._day_of: dict[str, tuple[int, int]] = {}

    def body(self) -> ComposeResult:
        """List and picture."""
        yield JobTable[WorkerRow](follows=False, id="workers")
        yield Picture()

    @property
    def table(self) -> JobTable[WorkerRow]:
        """The list."""
        return self.query_one("#workers", JobTable)

    def worker(self) -> WorkerRow | None:
        """The one under the cursor."""
        return self.table.current

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        if "workers" in changes.parts:
            self._show_rows()
        elif "clock" in changes.parts:
            self.table.refresh_stale()
        if changes.parts & {"workers", "jobs", "clock"}:
            self.query_one(Picture).update()

    def on_resize(self) -> None:
        """Other columns fit now."""
        if self.is_mounted:
            self.call_after_refresh(self._show_rows)

    def _show_rows(self) -> None:
        """Those that are there first; the list takes the lines it needs, the picture the rest."""
        rows = sorted(self.store.workers.values(), key=lambda row: (not row.online, row.name))
        self._day_of = last_day(self.store)
        room = self.query_one("#body").size.height
        wanted = min(len(rows) + 1, max(3, room // 2))
        picture = self.query_one(Picture)
        picture.display = room - wanted >= PICTURE_MIN
        self.table.styles.height = wanted if picture.display else "1fr"
        self.table.set_rows(rows, self._columns())

    def action_open(self) -> None:
        """The worker's own screen."""
        worker = self.worker()
        if worker is not None:
            self.rq.action_push("worker", worker.name)

    @on(JobTable.Moved)
    def _moved(self) -> None:
        self.query_one(Picture).update()

    @on(JobTable.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    # -- the columns

    def _columns(self) -> list[Column[WorkerRow]]:
        width = self.size.width
        name = max((len(row.name) for row in self.store.workers.values()), default=8)
        if width >= WIDE:
            return self._wide(max(8, min(20, name)))
        has_room = width >= NARROW
        narrow: list[Column[WorkerRow]] = [
            Column("", 1, self._glyph),
            Column("WORKER", max(6, min(14, name)) if has_room else 0, _name),
            Column("SLOTS", 5, lambda row: ("{}/{}".format(*slots(row)), None), right=True),
            Column("CPU", 4, self._cpu, right=True),
            Column("TEMP", 5, self._temp, right=True),
        ]
        rest: list[Column[WorkerRow]] = [
            Column("DOES", 0, self._does),
            Column("SEEN", 4, self._seen, right=True),
        ]
        return [*narrow, *rest] if has_room else narrow

    def _wide(self, name: int) -> list[Column[WorkerRow]]:
        return [
            Column("ST", 9, self._stance),
            Column("WORKER", name, _name),
            Column("SLOTS", 13, lambda row: (slot_marks(row, self.rq.glyphs), None)),
            Column("CPU", SPARK + 5, self._cpu_curve, right=True),
            Column("RAM", 12, self._ram, right=True),
            Column("TEMP", 5, self._temp, right=True),
            Column("DISK", 4, self._disk, right=True),
            Column("  DOES", 0, lambda row: ("  " + self._does(row)[0], self._does(row)[1])),
            Column("LAST 24H", 9, self._day, right=True),
            Column("SEEN", 5, self._seen, right=True),
        ]

    def _glyph(self, row: WorkerRow) -> Cell:
        glyph, _, style = stance(row, self.rq.glyphs, self.rq.palette)
        return glyph, style

    def _stance(self, row: WorkerRow) -> Cell:
        glyph, word, style = stance(row, self.rq.glyphs, self.rq.palette)
        return f"{glyph} {word}", style

    def _cpu(self, row: WorkerRow) -> Cell:
        share = vitals(row.facts).cpu
        return ("" if share is None or not row.online else f"{share:.0%}"), None

    def _cpu_curve(self, row: WorkerRow) -> Cell:
        text = self._cpu(row)[0]
        known = [one.cpu for one in row.history if one.cpu is not None]
        return (bars(known, SPARK, self.rq.glyphs) + text.rjust(5) if text else ""), None

    def _ram(self, row: WorkerRow) -> Cell:
        now = vitals(row.facts)
        if now.memory is None or now.memory_bytes is None or not row.online:
            return "", None
        used = format_size(int(now.memory * now.memory_bytes))
        return f"{used} of {format_size(int(now.memory_bytes))}", None

    def _temp(self, row: WorkerRow) -> Cell:
        now = vitals(row.facts)
        if now.celsius is None or not row.online:
            return "", None
        unit = "°C" if self.rq.glyphs.name == "unicode" else "C"
        return f"{now.celsius:.0f}{unit}", self.rq.palette.warn if now.is_hot else None

    def _disk(self, row: WorkerRow) -> Cell:
        now = vitals(row.facts)
        if now.disk is None or not row.online:
            return "", None
        return f"{now.disk:.0%}", self.rq.palette.warn if now.is_full else None

    def _does(self, row: WorkerRow) -> Cell:
        """What it runs, or why it runs nothing."""
        p = self.rq.palette
        if not row.online:
            return f"since {clock(row.seen_ms)}" if row.seen_ms else "", p.dim
        if row.facts.get("takes_nothing") and not row.command:
            return row.facts["takes_nothing"], p.warn
        jobs = [job for name in row.running if (job := self.store.jobs.get(name.partition(":")[0]))]
        if not jobs:
            return "", None
        first = jobs[0]
        done = "" if first.progress is None else f" {first.progress:.0f}%"
        more = f" +{len(row.running) - 1}" if len(row.running) > 1 else ""
        return f"{first.title}{done}{more}", None

    def _day(self, row: WorkerRow) -> Cell:
        g, p, (good, bad) = self.rq.glyphs, self.rq.palette, self._day_of.get(row.name, (0, 0))
        if not good and not bad:
            return "", None
        failed = f" {g.states[State.FAILED]}{bad}" if bad else ""
        return f"{g.states[State.SUCCEEDED]}{good}{failed}", p.bad if bad > good else p.head

    def _seen(self, row: WorkerRow) -> Cell:
        p = self.rq.palette
        return age(
            self.store.now_ms() - row.seen_ms
        ), p.dim if row.online else p.warn if row.running else p.dim


def _name(row: WorkerRow) -> Cell:
    return row.name, None
