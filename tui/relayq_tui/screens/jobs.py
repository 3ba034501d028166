"""The first screen: every job, why the one under the cursor stands where it stands, and its output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer

from relayq.errors import RelayQError
from relayq.model.lifecycle import State
from relayq.query import Query, QueryError, parse
from relayq_tui.listing import Listing
from relayq_tui.rows import JobRow
from relayq_tui.screens.jobcolumns import columns
from relayq_tui.screens.joblooks import JobLooks
from relayq_tui.screens.logtail import LogTail
from relayq_tui.screens.preview import Preview
from relayq_tui.screens.querybox import QueryBox
from relayq_tui.store import Changes
from relayq_tui.views import View, views
from relayq_tui.widgets.jobtable import JobTable
from relayq_tui.widgets.viewbar import Tab, ViewBar

REST_S = 0.08  # after the last step of the cursor the job is asked for
AT_LATEST_S = 0.15  # and this much later shown as far as it is known
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
MINUTES_S, HOURS_S = 15, 60  # how often it is looked whether a time in minutes, in hours is another one
RUNNING = (State.RUNNING, State.UNREACHABLE)
SORTS = ("", "sort:-dur", "sort:-wait", "sort:-prio", "sort:name")


class JobsScreen(JobLooks):
    """List, preview and log."""

    contexts: ClassVar[tuple[str, ...]] = ("jobs",)
    label = "Jobs"
    AUTO_FOCUS = "JobTable"

    def __init__(self) -> None:
        super().__init__()
        self._listing = Listing(self.rq.store)
        self._views: list[View] = views(self.rq.options.views)
        self._view = self._views[0]
        self._typed: Query = parse("")
        self._sort = 0
        self._range_from: int | None = None
        self._rest: Timer | None = None
        self._late: Timer | None = None
        self._beyond: dict[str, JobRow] = {}

    def body(self) -> ComposeResult:
        """The list with what belongs to it."""
        yield ViewBar()
        yield QueryBox()
        with Horizontal(id="middle"):
            yield JobTable[JobRow](id="jobs")
            yield Preview()
        yield LogTail()

    @property
    def table(self) -> JobTable[JobRow]:
        """The list."""
        return self.query_one("#jobs", JobTable)

    @property
    def note(self) -> str:
        """How many are marked, for the status line."""
        count = len(self.table.marks)
        return f"{count} marked" if count else ""

    @property
    def still_s(self) -> int:
        """Long among jobs that ended hours ago."""
        now_ms, here = self.store.now_ms(), self.table.current
        if here is not None and here.state is State.RUNNABLE and now_ms - here.ready_ms < HOUR_MS:
            return 1
        return min((_still_s(row, now_ms) for row in self.table.seen), default=HOURS_S)

    def selected(self) -> Sequence[JobRow]:
        """The marked jobs, or the one under the cursor."""
        marks, known = self.table.marks, self.store.jobs
        if marks:
            return [row for job in marks if (row := known.get(job) or self._beyond.get(job)) is not None]
        return [self.here] if self.here is not None else []

    @property
    def here(self) -> JobRow | None:
        """The job under the cursor, whatever is marked."""
        return self.table.current

    def hold(self) -> None:
        """Let the list stay as it is for as long as the person wants nothing to move."""
        self._listing.keep()
        self.table.rows = self._listing.rows

    def listed(self) -> Sequence[JobRow]:
        """Everything that is marked; where nothing is, everything that matches."""
        if self.table.marks:
            return sorted(self.selected(), key=lambda row: (-row.submitted_ms, row.id))
        return list(self._listing.rows)

    def unselect(self) -> None:
        """The order has been given."""
        self.action_unmark()

    # -- drawing ---------------------------------------------------------------

    def show(self, changes: Changes) -> None:
        """Draw what has changed."""
        table, listing = self.table, self._listing
        if changes.all_jobs:
            listing.ask(listing.query)
            self._show_rows()
        elif listing.take(changes, is_held=bool(table.marks)):
            self._show_rows()
        else:
            table.rows = listing.rows
            table.refresh_rows(changes.jobs)
            if "clock" in changes.parts:  # whatever has happened to others: ages go on under any load
                table.refresh_stale()
        if changes.parts & {"jobs", "counts"}:
            self._show_tabs()
        self._show_preview(changes)

    def on_resize(self) -> None:
        """Other columns fit now."""
        if self.is_mounted:
            self.call_after_refresh(self._show_rows)

    def _show_rows(self, *, is_other: bool = False) -> None:
        """Show what is listed; `is_other`: another question was asked."""
        table = self.table
        table.empty = self._nothing()
        table.set_rows(self._listing.rows, columns(self.rq, self.size.width), is_other=is_other)
        if self._listing.query.sort:
            table.new_above = 0  # what is above another row now need not have come
        self._show_tabs()
        self.rq.keep_time()

    def _nothing(self) -> str:
        """What an empty list says: that nothing matches, or how the first job is submitted."""
        if self._listing.query.text:
            return "no job matches"
        key = self.rq.key_named("submit")
        return f"no job yet: {key} opens the form of one" if self.store.data_ms else ""

    def _show_tabs(self) -> None:
        query, new = self._listing.query, self.table.new_above
        shown = [Tab(view.name, self._count(view), view is self._view) for view in self._views]
        self.query_one(ViewBar).set_tabs(shown, query.text, f"+{new} new" if new else "")

    def _count(self, view: View) -> int | None:
        return len(self._listing.rows) if view is self._view and self._typed.text else view.count(self.store)

    def _show_preview(self, changes: Changes) -> None:
        row, preview = self.table.current, self.query_one(Preview)
        if row is None:
            self._show_nobody()
        elif preview.row is None:
            preview.set_job(row)
        elif row.id != preview.row.id:
            return  # it is shown in time
        elif row.id in changes.jobs:
            preview.set_job(row)
            self._rest_on(row)
        elif changes.parts & {"clock", "workers"} and not row.is_final:
            preview.update()

    def _show_nobody(self) -> None:
        """The list is empty: what was shown of a job is of none here."""
        preview, tail = self.query_one(Preview), self.query_one(LogTail)
        if preview.row is not None or tail.has_job:  # either may have come first
            self.workers.cancel_group(self, "log")
            preview.set_job(None)
            tail.clear(None)

    # -- the cursor --------------------------------------------------------------

    @on(JobTable.Moved)
    def _moved(self) -> None:
        row = self.table.current
        if self._range_from is not None:
            self._mark_between(self._range_from, self.table.cursor)
        if row is not None:
            self._rest_on(row)
        self.call_after_refresh(self._after_move)  # the cursor itself is painted first
        self._show_in_time()

    def _after_move(self) -> None:
        self._show_tabs()
        self.rq.keep_time()

    def _show_in_time(self) -> None:
        """Paint the preview once, with all there is to know, or without what takes too long."""
        if self._late is not None:
            self._late.stop()
        row = self.table.current
        if row is None:
            self._show_nobody()
        else:
            self._late = self.set_timer(REST_S + AT_LATEST_S, lambda: self._show_if_here(row.id))

    def _show_if_here(self, job: str) -> None:
        row, preview = self.table.current, self.query_one(Preview)
        if row is not None and row.id == job and (preview.row is None or preview.row.id != job):
            preview.set_job(row)

    def _rest_on(self, row: JobRow) -> None:
        """What needs a round trip is fetched when the cursor has come to rest."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self.set_timer(REST_S, lambda: self._fetch(row.id))

    def _fetch(self, job: str) -> None:
        row, tail = self.table.current, self.query_one(LogTail)
        if row is None or row.id != job:
            return
        self.run_worker(self._load(job), group="preview", exclusive=True)
        if tail.size.height and tail.needs(row):
            self.run_worker(tail.read(row), group="log", exclusive=True)

    async def _load(self, job: str) -> None:
        detail = await self.rq.feed.detail(job)
        row = self.table.current
        if detail is not None and row is not None and row.id == job:
            self.query_one(Preview).set_job(row, detail)

    @on(LogTail.LastWords)
    def _heard_last_words(self, event: LogTail.LastWords) -> None:
        self.query_one(Preview).set_last_words(event.job, event.words)

    @on(JobTable.Chosen)
    def _chosen(self) -> None:
        self.action_open()

    # -- filter and views ----------------------------------------------------------

    def action_filter(self) -> None:
        """Type a query."""
        self.query_one(QueryBox).open(self._typed.text)

    def action_ask(self, text: str) -> None:
        """Show what matches this query."""
        try:
            self._ask(parse(text))
        except QueryError as error:
            self.rq.say(str(error))

    @property
    def query_text(self) -> str:
        """What is asked, saved view and all."""
        return self._listing.query.text

    def action_complete_query(self) -> None:
        """Let the word become what is offered."""
        self.query_one(QueryBox).complete()

    def action_keep_query(self) -> None:
        """Back to the list, the query stays."""
        self.query_one(QueryBox).close()
        self.table.focus()

    def action_leave_query(self) -> None:
        """Back to the list, without the query."""
        self._ask(parse(""))
        self.action_keep_query()

    def action_next_view(self) -> None:
        """The next saved view."""
        index = self._views.index(self._view) + 1
        self._view = self._views[index % len(self._views)]
        self._ask(self._typed)

    def action_sort(self) -> None:
        """Another order."""
        was_at_top, self._sort = self.table.cursor == 0, (self._sort + 1) % len(SORTS)
        self._ask(self._typed)
        if was_at_top:
            self.table.move_to(0)

    def action_zoom(self) -> None:
        """The list alone, or with what belongs to it."""
        self.toggle_class("-alone")

    @on(QueryBox.Asked)
    def _asked(self, event: QueryBox.Asked) -> None:
        self._ask(event.query)

    @on(QueryBox.Kept)
    def _kept(self) -> None:
        self.action_keep_query()

    @on(ViewBar.Chosen)
    def _view_chosen(self, event: ViewBar.Chosen) -> None:
        self._view = next(view for view in self._views if view.name == event.name)
        self._ask(self._typed)

    def _ask(self, query: Query) -> None:
        self._typed = query
        self._listing.ask(self._view.query.also(query).also(parse(SORTS[self._sort])))
        if self.rq.is_frozen:
            self._listing.keep()
        self._show_rows(is_other=True)

    def clear(self) -> None:
        """Marks first, then the query."""
        if self.table.marks:
            self.action_unmark()
        elif self._typed.text:
            self._ask(parse(""))
        else:
            super().clear()

    # -- marks -----------------------------------------------------------------------

    def action_mark(self) -> None:
        """Mark the job under the cursor, or take its mark off, and go on."""
        table = self.table
        if table.current is not None:
            table.mark([table.current.id], is_marked=table.current.id not in table.marks)
            table.action_down()
        self._marked()

    def action_mark_range(self) -> None:
        """Mark from here to wherever the cursor goes; again: enough."""
        self._range_from = self.table.cursor if self._range_from is None else None
        if self._range_from is not None:
            self._mark_between(self._range_from, self._range_from)

    def action_mark_all(self) -> None:
        """Mark every job that matches, in the hub too when it has more than are held here."""
        self.table.mark(self._listing.rows.ids)
        self._marked()
        if self.store.is_full:
            self.run_worker(self._mark_beyond(), group="beyond", exclusive=True)

    async def _mark_beyond(self) -> None:
        """Ask the hub for the rest, and say how far it is."""
        total = self.store.total

        def tell(looked_at: int) -> None:
            self.rq.say(f"scanned {min(looked_at, total):,} of {total:,}".replace(",", " "))

        try:
            rows = await self.rq.feed.matching(self._listing.query, tell)
        except RelayQError as error:
            self.rq.say(f"only those that are held are marked: {error}")
            return
        self._beyond = {row.id: row for row in rows}
        self.table.mark(self._beyond)
        self.rq.say(f"{len(self.table.marks)} jobs are marked, {len(rows)} of them too old to be listed")

    def action_unmark(self) -> None:
        """No job is marked."""
        self._range_from = None
        self._beyond = {}
        self.table.mark(set(self.table.marks), is_marked=False)
        self._marked()

    def _mark_between(self, first: int, last: int) -> None:
        low, high = sorted((first, last))
        self.table.mark(self._listing.rows[low : high + 1].ids)
        self._marked()

    def _marked(self) -> None:
        self.rq.refresh_frame()


def _still_s(row: JobRow, now_ms: int) -> int:
    """How long its line may be left: the times in it go on by seconds, by minutes or by hours."""
    if _counts_seconds(row, now_ms):
        return 1
    return HOURS_S if row.is_final and now_ms - row.submitted_ms >= HOUR_MS else MINUTES_S


def _counts_seconds(row: JobRow, now_ms: int) -> bool:
    if row.state is State.PENDING and row.reason == "delay":
        return row.ready_ms - now_ms < HOUR_MS
    if row.state in RUNNING:
        return now_ms - row.started_ms < HOUR_MS
    return now_ms - row.submitted_ms < MINUTE_MS
