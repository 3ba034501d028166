"""All of a job's output, attempt by attempt, going on while it runs.

Between attempts stands a line that says so; where the hub has dropped the middle of too
much output, a line says how much. At the end it says how the job ended, and whoever
follows a running job learns it from the same stream.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input

from relayq.errors import RelayQError
from relayq.model.duration import format_size
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.store.records import End, LogEntry
from relayq_tui.rows import JobRow
from relayq_tui.screens.logtail import Headline, ended_as, lacks_end, nothing_of, piece_of
from relayq_tui.widgets.logpane import LogPane, Times
from relayq_tui.widgets.logview import LogView

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

NEXT_TIMES: dict[Times, Times] = {"off": "rel", "rel": "clock", "clock": "off"}
NARROW = 80


class SearchBox(Input):
    """The line below the log where a pattern is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "screen.close_search", show=False, priority=True),
    ]


class JobLog(Vertical):
    """A headline, the output, and a box to search it."""

    DEFAULT_CSS = """
    JobLog LogView { height: 1fr; }
    JobLog Input { display: none; }
    JobLog Input.-open { display: block; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._attempt = 0
        self._position = 0
        self._begins: dict[int, int] = {}

    @property
    def view(self) -> LogView:
        """The lines."""
        return self.query_one(LogView)

    def compose(self) -> ComposeResult:
        """Headline, lines and box."""
        yield Headline()
        yield LogView()
        box = SearchBox(placeholder="text or regular expression")
        box.cursor_blink = False
        yield box

    async def read(self, row: JobRow) -> None:
        """Show the job's output for as long as it comes, or as this is not cancelled."""
        view, feed = self.view, cast("RelayQApp", self.app).feed
        view.clear()
        self.query_one(Headline).label = f"log {short(row.id)}"
        self._attempt = self._position = 0
        view.empty = nothing_of(row)
        try:
            entries = await feed.log(row.id)
            view.show_times("rel" if self.screen.size.width >= NARROW else "off", row.started_ms)
            self._show(entries, row)
            if ":" not in row.id and lacks_end(row, entries):
                view.note(ended_as(row), row.ended_ms, is_bad=row.state is not State.SUCCEEDED)
            elif not row.is_final:
                async with aclosing(feed.follow(row.id, entries[-1].id if entries else "0")) as coming:
                    async for entry in coming:
                        self._show([entry], row)
        except RelayQError as error:
            view.note(str(error), is_bad=True)

    def open_search(self) -> None:
        """Type what to look for."""
        box = self.query_one(Input)
        box.add_class("-open")
        box.focus()

    def go_to_attempt(self, number: int) -> None:
        """Show where this attempt's output begins."""
        line = self._begins.get(number)
        if line is not None:
            self.view.go_to(max(0, line - self.view.buffer.dropped))

    def cycle_times(self) -> None:
        """The time before each line: since the start, of the day, or none."""
        self.view.show_times(NEXT_TIMES[self.view.times], self.view.start_ms)

    def _show(self, entries: list[LogEntry | End], row: JobRow) -> None:
        """Runs of output at once; notes between them."""
        run: list[LogEntry] = []
        for entry in entries:
            if isinstance(entry, End) or self._is_break(entry):
                self._append(run)
                run = []
                self._note(entry, row)
            if isinstance(entry, LogEntry):
                run.append(entry)
                self._attempt, self._position = entry.attempt, entry.position + len(entry.data)
        self._append(run)

    def _append(self, run: list[LogEntry]) -> None:
        if run:
            self.view.append(piece_of(entry) for entry in run)

    def _is_break(self, entry: LogEntry) -> bool:
        return entry.attempt != self._attempt or entry.position > self._position

    def _note(self, entry: LogEntry | End, row: JobRow) -> None:
        if isinstance(entry, End):
            ended = replace(row, state=entry.state, exit_code=entry.exit_code, reason=entry.reason)
            at_ms = row.ended_ms or cast("RelayQApp", self.app).store.now_ms()  # what is followed ends now
            self.view.note(ended_as(ended), at_ms, is_bad=entry.state is not State.SUCCEEDED)
            return
        if entry.attempt != self._attempt:
            if row.max_attempts > 1 or row.attempt > 1 or entry.attempt > 1:
                self._begins[entry.attempt] = len(self.view.buffer) + self.view.buffer.dropped
                self.view.note(f"attempt {entry.attempt}", entry.at_ms, attempt=entry.attempt)
            self._position = 0
        if entry.position > self._position:
            gap = entry.position - self._position
            self.view.note(
                f"{format_size(gap)} left out here: the hub keeps the beginning and the end", entry.at_ms
            )

    @on(LogPane.Changed)
    def _changed(self, event: LogPane.Changed) -> None:
        event.stop()
        self.query_one(Headline).refresh()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.view.search(event.value)

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        self.close_search()

    def close_search(self) -> bool:
        """Back to the lines; False when nothing was open."""
        box = self.query_one(Input)
        was_open = box.has_class("-open")
        box.remove_class("-open")
        self.view.focus()
        return was_open
