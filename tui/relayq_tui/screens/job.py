"""One job on a screen of its own: its output, its details, its attempts, its flow, its spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, cast

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.containers import Vertical

from relayq_tui.actions import Action
from relayq_tui.family import family
from relayq_tui.feed import JobDetail
from relayq_tui.rows import AttemptRow, JobRow
from relayq_tui.screens.attemptcolumns import AttemptLine, attempt_columns, attempt_lines
from relayq_tui.screens.flowpane import FlowPane
from relayq_tui.screens.jobfacts import JobFacts, lines
from relayq_tui.screens.joblog import JobLog
from relayq_tui.screens.joblooks import JobLooks
from relayq_tui.screens.portrait import line_of
from relayq_tui.store import Changes
from relayq_tui.widgets.flow import Flow
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.jobtable import JobTable
from relayq_tui.widgets.line import Line
from relayq_tui.widgets.sheet import Sheet
from relayq_tui.widgets.viewbar import Tab, ViewBar

TALL = 20
OF_LIVING = {"cancel", "kill", "hold", "priority", "move", "bell"}  # what an ended job has no use for
OF_ENDED = {"retry", "forget"}
TABS = ("log", "details", "attempts", "flow", "json")
ELEMENTS = "elements"  # what the attempts of an array are called


class Head(Framed):
    """What the job is and how it stands."""

    def lines(self) -> list[Line]:
        """Two or three lines."""
        screen = cast("JobScreen", self.screen)
        if screen.row is None:
            return [Line().add(" the hub does not know this job any more", self.palette.warn)]
        facts, width = JobFacts(self.rq, screen.row, screen.detail), self.size.width
        return [line_of(pieces, width) for pieces in facts.head(width, is_low=screen.size.height < TALL)]


class JobScreen(JobLooks):
    """A job, found again by its id at every look."""

    contexts: ClassVar[tuple[str, ...]] = ("job", "jobs", "log")
    label = "Job"
    DEFAULT_CSS = """
    JobScreen Head { height: 3; }
    JobScreen #log, JobScreen #attempts { height: 1fr; }
    """

    def __init__(self, job: str, tab: str = "log") -> None:
        super().__init__()
        self._job = job
        self._tab = tab if tab in TABS else TABS[0]
        self._asked: tuple[object, ...] = ()
        self._has_read = False
        self.row: JobRow | None = self.rq.store.jobs.get(job)
        self.detail: JobDetail | None = None

    def body(self) -> ComposeResult:
        """Head, tabs, and the page of the tab."""
        yield Head()
        yield ViewBar()
        yield JobLog(id="log")
        yield Sheet(id="details")
        with Vertical(id="attempts"):
            yield Sheet(id="elements")
            yield JobTable[AttemptLine](id="runs")
        yield FlowPane(id="flow")
        yield Sheet(id="json")

    def selected(self) -> Sequence[JobRow]:
        """The job itself; in its flow the one under the cursor."""
        row = self.query_one(FlowPane).current if self._tab == "flow" else self.row
        return [row] if row is not None else []

    def actions(self) -> list[Action]:
        """What makes sense on the tab that is seen, for the job that is selected."""
        row = next(iter(self.selected()), None)
        useless = OF_LIVING if row is None or row.is_final else OF_ENDED
        hidden = {self._tab} if self._tab in ("attempts", "flow") else {self._tab, "open"}
        is_log = self._tab == "log"
        hidden |= useless if row is not None and row.reason == "approval" else useless | {"approve"}
        return [one for one in super().actions() if one.id not in hidden and (is_log or one.context != "log")]

    # -- drawing

    def on_mount(self) -> None:
        """Show the tab that was asked for."""
        super().on_mount()
        self._turn_to(self._tab)

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        was, self.row = self.row, self.store.jobs.get(self._job)
        if changes.all_jobs or self._job in changes.jobs:
            self._ask_again(was)
            self._draw_tab()
        if changes.parts & {"jobs", "clock"}:
            self._draw_head()
        if "clock" in changes.parts and self._tab == "attempts":
            self._draw_tab()

    def on_resize(self) -> None:
        """Other lines and columns fit now."""
        if self.is_mounted:
            self.call_after_refresh(self._draw_all)

    def _draw_all(self) -> None:
        self._draw_head()
        self._draw_tab()

    def _draw_head(self) -> None:
        head, row = self.query_one(Head), self.row
        head.styles.height = max(2, len(head.lines()))
        head.update()
        runs = max(row.attempt if row else 0, len(self.detail.attempts) if self.detail else 0)
        names, counts = {"attempts": "attempts"}, {"attempts": runs or None}
        if row is not None and row.array is not None:
            names, counts = {"attempts": ELEMENTS}, {"attempts": row.array.size}
        shown = [Tab(names.get(tab, tab), counts.get(tab), tab == self._tab) for tab in TABS]
        self.query_one(ViewBar).set_tabs(shown)

    def _draw_tab(self) -> None:
        if self.row is None or self._tab == "log":
            return
        facts = JobFacts(self.rq, self.row, self.detail)
        match self._tab:
            case "attempts":
                self._draw_attempts(facts)
            case "details":
                self.query_one("#details", Sheet).set_lines(lines(facts.details()))
            case "flow":
                self.query_one(FlowPane).show(self._job, self.detail.dependents if self.detail else ())
            case "json":
                self.query_one("#json", Sheet).set_lines(lines(facts.spec()))

    def _draw_attempts(self, facts: JobFacts) -> None:
        above, table = self.query_one("#elements", Sheet), self.query_one("#runs", JobTable)
        told = lines(facts.array())
        above.display = bool(told)
        above.styles.height = len(told) + 1
        above.set_lines(told)
        if self.row is not None and self.row.array is not None:
            listed = self.detail.elements if self.detail else ()
        else:
            listed = self.detail.attempts[::-1] if self.detail else ()
        rows = attempt_lines(listed, self.store.now_ms())
        table.set_rows(rows, attempt_columns(self.rq, self.size.width, of_array=bool(told)))

    # -- asking

    def _ask_again(self, was: JobRow | None) -> None:
        """The whole of the job, when it is another than what was asked; its output, when it runs again."""
        row = self.row
        key = (row.state, row.attempt, row.reason, row.priority) if row else ()
        if row is not None and key != self._asked:
            self._asked = key
            self.run_worker(self._load(), group="detail", exclusive=True)
        if row is not None and (
            not self._has_read or (was is not None and was.is_final and not row.is_final)
        ):
            self._has_read = True
            self.run_worker(self.query_one(JobLog).read(row), group="log", exclusive=True)

    async def _load(self) -> None:
        detail = await self.rq.feed.detail(self._job)
        if detail is not None:
            self.detail, self.row = detail, detail.row
        self._draw_all()

    # -- tabs

    def _turn_to(self, tab: str) -> None:
        self._tab = tab
        for name in TABS:
            self.query_one(f"#{name}").display = name == tab
        inner = {"log": "#log LogView", "attempts": "#runs", "flow": "#flow Flow"}
        self.query_one(inner.get(tab, f"#{tab}")).focus()
        self._draw_all()
        self.rq.refresh_frame()

    @on(ViewBar.Chosen)
    def _tab_chosen(self, event: ViewBar.Chosen) -> None:
        self._turn_to("attempts" if event.name == ELEMENTS else event.name)

    def action_turn(self, step: int) -> None:
        """To the next tab, or the one before."""
        self._turn_to(TABS[(TABS.index(self._tab) + step) % len(TABS)])

    def action_open(self) -> None:
        """From an attempt to its output, from a job of the flow to that job."""
        if self._tab == "flow":
            self._open_other()
            return
        if self._tab != "attempts":
            raise SkipAction
        line: AttemptLine | None = self.query_one("#runs", JobTable).current
        if line is not None:
            self._turn_to("log")
            self._show_output(line.attempt)

    def _show_output(self, one: AttemptRow) -> None:
        """Of an attempt, or of an element of an array."""
        row, log = self.row, self.query_one(JobLog)
        if row is None or row.array is None:
            log.go_to_attempt(one.number)
        else:
            element = replace(
                row, id=f"{row.id}:{one.number}", array=None, max_attempts=1, started_ms=one.started_ms
            )
            self.run_worker(log.read(element), group="log", exclusive=True)

    def _open_other(self) -> None:
        row = next(iter(self.selected()), None)
        if row is not None and row.id != self._job:
            self.rq.action_push("job", row.id, "log")

    def action_show_job(self, job: str) -> None:
        """A click on a job that blocks this one."""
        self.rq.action_push("job", job, "log")

    async def action_cancel_flow(self) -> None:
        """Cancel every job of the flow that has not ended."""
        found = family(self.store, self._job, self.rq.glyphs, self.detail.dependents if self.detail else ())
        rows = [row for row in found.rows.values() if not row.is_final]
        await self._order("cancel", rows, "can be cancelled")

    def action_log(self) -> None:
        """Its output."""
        self._turn_to("log")

    def action_details(self) -> None:
        """What was asked for, where it went, and when."""
        self._turn_to("details")

    def action_flow(self) -> None:
        """What it waits for and what waits for it."""
        self._turn_to("flow")

    @on(JobTable.Chosen)
    @on(Flow.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    # -- the log's keys, for the footer and for clicks

    @property
    def _log(self) -> JobLog:
        """The log, when it is what is seen."""
        if self._tab != "log":
            raise SkipAction
        return self.query_one(JobLog)

    def action_search(self) -> None:
        """Look for something in the output."""
        self._log.open_search()

    def action_next_match(self) -> None:
        """To the next match."""
        self._log.view.action_next_match()

    def action_previous_match(self) -> None:
        """To the match before."""
        self._log.view.action_previous_match()

    def action_next_error(self) -> None:
        """To the next line that looks like an error."""
        self._log.view.action_next_error()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self._log.view.action_wrap()

    def action_log_times(self) -> None:
        """Another time before each line."""
        self._log.cycle_times()

    def action_close_search(self) -> None:
        """Leave the search box."""
        if not self._log.close_search():
            raise SkipAction
