"""One worker on a screen of its own: the machine above, its jobs and what happened to it below."""

from __future__ import annotations

from typing import ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from relayq_tui.audit import Deed
from relayq_tui.rows import JobRow, WorkerRow
from relayq_tui.screens.deedcolumns import deed_columns
from relayq_tui.screens.jobcolumns import columns
from relayq_tui.screens.portrait import Portrait, line_of
from relayq_tui.screens.workeractions import WorkerActions
from relayq_tui.store import Changes
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.jobtable import JobTable
from relayq_tui.widgets.line import Line

EVENTS_WIDTH = 46
TALL = 20


class Machine(Framed):
    """Who the worker is and how its machine fares."""

    def lines(self) -> list[Line]:
        """As many as there is something to say for."""
        worker = cast("WorkerScreen", self.screen).worker()
        if worker is None:
            return [Line().add(" the hub has forgotten this worker", self.palette.warn)]
        portrait = Portrait(self.rq, worker, self.size.width - 2)
        jobs = cast("WorkerScreen", self.screen).jobs_of(worker)
        if self.screen.size.height < TALL:
            parts = [*portrait.in_short(), portrait.day(jobs)]
        else:
            parts = [*portrait.identity(), [], *portrait.machine(), [], portrait.day(jobs)]
        return [line_of(pieces, self.size.width) for pieces in parts]


class WorkerScreen(WorkerActions):
    """A worker, found again by name at every look."""

    contexts: ClassVar[tuple[str, ...]] = ("workers",)
    label = "Worker"
    AUTO_FOCUS = "#done"
    DEFAULT_CSS = """
    WorkerScreen #below { height: 1fr; }
    WorkerScreen #done { width: 1fr; }
    WorkerScreen #happened { width: 46; }
    WorkerScreen.-narrow #happened, WorkerScreen.-tiny #happened { display: none; }
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self._worker_name = name

    def body(self) -> ComposeResult:
        """Machine above; jobs and events below."""
        yield Machine()
        with Horizontal(id="below"):
            yield JobTable[JobRow](id="done")
            yield JobTable[Deed](is_aside=True, id="happened")

    def worker(self) -> WorkerRow | None:
        """The worker as it is now."""
        return self.store.workers.get(self._worker_name)

    def selected(self) -> JobRow | None:
        """The job under the cursor."""
        row: JobRow | None = self.query_one("#done", JobTable).current
        return row

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        if changes.parts & {"workers", "jobs", "clock"}:
            self._show_machine()
        if changes.parts & {"workers", "jobs"}:
            self._show_jobs()
        if "events" in changes.parts:
            self._show_events()

    def on_resize(self) -> None:
        """Other columns fit now."""
        if self.is_mounted:
            self.call_after_refresh(self.draw_all)

    def _show_machine(self) -> None:
        machine = self.query_one(Machine)
        machine.styles.height = len(machine.lines()) + 1
        machine.update()

    def _show_jobs(self) -> None:
        worker, table = self.worker(), self.query_one("#done", JobTable)
        shown = columns(self.rq, table.size.width or self.size.width)
        rows = self.jobs_of(worker) if worker else []
        table.set_rows(rows, [column for column in shown if column.title != "WORKER"])

    def _show_events(self) -> None:
        worker = self.worker()
        rows = self.deeds_of(worker) if worker else []
        self.query_one("#happened", JobTable).set_rows(
            rows, deed_columns(self.rq, EVENTS_WIDTH, is_of_one=True)
        )

    def action_open(self) -> None:
        """The job under the cursor."""
        row = self.selected()
        if row is not None:
            self.rq.action_push("job", row.id, "log")

    @on(JobTable.Chosen)
    def _chosen(self) -> None:
        self.action_open()
