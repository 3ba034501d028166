"""The end of a job's output under the list, going on while the job runs.

Another job under the cursor ends the reading of the one before. Only the end of a
long output is shown here; the job's own screen has all of it.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip

from relayq.errors import RelayQError
from relayq.model.lifecycle import State
from relayq.store.records import End, LogEntry
from relayq.text import safe
from relayq_tui.hints import ending, exit_words
from relayq_tui.rows import JobRow
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.logbuffer import STDERR, Piece
from relayq_tui.widgets.logpane import LogPane
from relayq_tui.widgets.logview import LogView, headline

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

SHOWN_BYTES = 64 << 10
WORDS_SHOWN = 200
NO_COLOURS = re.compile(rb"\x1b\[[0-9;]*m")


class Headline(Framed):
    """The line above the log."""

    DEFAULT_CSS = "Headline { height: 1; }"
    label = "log"

    def _strips(self) -> list[Strip]:
        """Whose log it is, and how it is shown."""
        view = cast("LogTail", self.parent).view
        return [headline(view, self.label, self.size.width)]


class LogTail(Vertical):
    """A headline and the last lines of a job's output."""

    _shown: tuple[str, int, bool] = ("", 0, False)

    DEFAULT_CSS = "LogTail { height: 11; } LogTail LogView { height: 1fr; }"

    class LastWords(Message):
        """What the job wrote to stderr last."""

        def __init__(self, job: str, words: str) -> None:
            self.job = job
            self.words = words
            super().__init__()

    @property
    def view(self) -> LogView:
        """The lines."""
        return self.query_one(LogView)

    def compose(self) -> ComposeResult:
        """A headline and the lines."""
        yield Headline()
        yield LogView()

    @property
    def has_job(self) -> bool:
        """Is some job's output shown, or on its way?"""
        return bool(self._shown[0])

    def needs(self, row: JobRow) -> bool:
        """Is this another job than the one whose output is shown, or has it begun anew?"""
        return self._shown != (row.id, row.attempt, row.state is State.RUNNING or row.is_final)

    async def read(self, row: JobRow) -> None:
        """Show the job's output for as long as it comes, or as this is not cancelled."""
        self._shown = (row.id, row.attempt, row.state is State.RUNNING or row.is_final)
        feed, view = cast("RelayQApp", self.app).feed, self.view
        try:
            entries = await feed.log(row.id)
            self.clear(row)
            self._show(entries[-_enough(entries) :], row)
            if lacks_end(row, entries):
                view.note(ended_as(row), row.ended_ms, is_bad=row.state is not State.SUCCEEDED)
            if row.is_final:
                self.post_message(self.LastWords(row.id, last_words(entries)))
            if row.state is State.RUNNING:
                last_id = entries[-1].id if entries else "0"
                async with aclosing(feed.follow(row.id, last_id)) as coming:
                    async for entry in coming:
                        self._show([entry], row)
        except RelayQError as error:
            view.note(str(error), is_bad=True)

    def clear(self, row: JobRow | None) -> None:
        """Nothing but the job's name; nothing at all where there is no job."""
        view = self.view
        if row is None:
            self._shown, self.query_one(Headline).label, view.empty = ("", 0, False), "log", ""
            view.clear()
            return
        self.query_one(Headline).label = f"log {row.short_id}"
        view.empty = nothing_of(row)
        view.clear()
        view.show_times("rel", row.started_ms)

    def _show(self, entries: list[LogEntry | End], row: JobRow) -> None:
        view = self.view
        view.append(piece_of(entry) for entry in entries if isinstance(entry, LogEntry))
        for end in entries:
            if isinstance(end, End):
                now_ms = cast("RelayQApp", self.app).store.now_ms()  # what is followed ends now
                view.note(said_of(end), row.ended_ms or now_ms, is_bad=end.state is not State.SUCCEEDED)

    @on(LogPane.Changed)
    def _changed(self, event: LogPane.Changed) -> None:
        event.stop()
        self.query_one(Headline).update()


def piece_of(entry: LogEntry) -> Piece:
    """An entry as the log view takes it; its id tells when the hub got it."""
    return Piece(entry.stream, entry.data, int(entry.id.partition("-")[2] or 0))


def last_words(entries: list[LogEntry | End]) -> str:
    """The last line on stderr that says something, as plain text."""
    for entry in reversed(entries):
        if isinstance(entry, LogEntry) and entry.stream == STDERR:
            lines = NO_COLOURS.sub(b"", entry.data).decode("utf-8", "replace").splitlines()
            if said := next((line.strip() for line in reversed(lines) if line.strip()), ""):
                return safe(said[:WORDS_SHOWN])
    return ""


def said_of(end: End) -> str:
    """`exit 137 (KILL)`, `cancelled`: how it ended, in a word or two."""
    if end.state not in (State.SUCCEEDED, State.FAILED):
        return end.state.value.lower()
    return exit_words(end.exit_code, end.reason)


def nothing_of(row: JobRow) -> str:
    """What to say where there is no output."""
    if row.array is not None:
        return "each element has an output of its own: open the job, and then one of its elements"
    return "no output" if row.is_final else "no output yet"


def lacks_end(row: JobRow, entries: list[LogEntry | End]) -> bool:
    """Has the job ended, and its output does not say how? What was kept of it ends with the output."""
    return row.is_final and not any(isinstance(entry, End) for entry in entries)


def ended_as(row: JobRow) -> str:
    """How it ended, as far as its row tells: `exit 137 (KILL)`, `cancelled`."""
    return ending(row) or row.state.value.lower()


def _enough(entries: list[LogEntry | End]) -> int:
    """How many of the last entries make SHOWN_BYTES."""
    size = 0
    for count, entry in enumerate(reversed(entries), 1):
        size += len(entry.data) if isinstance(entry, LogEntry) else 0
        if size >= SHOWN_BYTES:
            return count
    return max(1, len(entries))
