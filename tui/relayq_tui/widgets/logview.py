"""A log that is read with the keyboard: move, search, jump to errors, attempts and times.

What the keys are stands in the table of actions; asking what to search for is the
screen's business. `headline` is the line above the log, for whoever has a place for it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.strip import Strip

from relayq.model.duration import format_size
from relayq.text import safe
from relayq_tui.actions import bindings, of_context
from relayq_tui.glyphs import counted
from relayq_tui.theme import glyphs_of, palette_of
from relayq_tui.widgets.line import Line
from relayq_tui.widgets.logpane import LogPane

WHEEL = 3
NARROW = 80
ERRORS = re.compile(
    r"\b(error|errno|exception|traceback|fatal|panic|oom|fail(ed|ure)?|denied)\b|^E\s", re.IGNORECASE
)


class LogView(LogPane):
    """A log with its keys."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings(of_context("list", "log")))

    def action_down(self) -> None:
        """One row down."""
        self.scroll_rows(1)

    def action_up(self) -> None:
        """One row up."""
        self.scroll_rows(-1)

    def action_top(self) -> None:
        """To the first line."""
        self.go_to(0)

    def action_bottom(self) -> None:
        """To the last line, and follow."""
        self.follows = True
        self.redraw()

    def action_page_down(self) -> None:
        """A page down."""
        self.scroll_rows(self.page - 1)

    def action_page_up(self) -> None:
        """A page up."""
        self.scroll_rows(1 - self.page)

    def action_next_match(self) -> None:
        """To the next match."""
        self._step(1)

    def action_previous_match(self) -> None:
        """To the match before."""
        self._step(-1)

    def action_next_error(self) -> None:
        """To the next line that looks like an error."""
        self.lead_to(self.buffer.next_with(ERRORS, self._from))

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them at the edge."""
        self.wraps, self.pan = not self.wraps, 0
        self.go_to(self.top.line) if not self.follows else self.redraw()

    def action_attempt(self, step: int) -> None:
        """To where the attempt before (-1) or after (1) begins."""
        begins = self.buffer.attempts
        before = [line for line in begins if line < self.top.line]
        after = [line for line in begins if line > self.top.line]
        if places := (after[:1] if step > 0 else before[-1:]):
            self.go_to(places[0])

    def action_seek(self, seconds: int) -> None:
        """To what came so much later."""
        if self.buffer.lines and self.buffer.times[self.top.line]:
            self.go_to(self.buffer.at_time(self.buffer.times[self.top.line] + seconds * 1000))

    def action_pan(self, columns: int) -> None:
        """Move the text sideways."""
        if not self.wraps:
            self.pan = max(0, self.pan + columns)
            self.redraw()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the text."""
        event.stop()
        self.scroll_rows(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the text."""
        event.stop()
        self.scroll_rows(-WHEEL)

    @property
    def _from(self) -> int:
        return self.top.line - 1 if self.here is None else self.here

    def _step(self, step: int) -> None:
        self.lead_to(self.buffer.next_match(self._from, step))


def headline(view: LogView, label: str, width: int) -> Strip:
    """The line above a log: what it is, how it is shown, what was found in it, how much there is."""
    palette, rule = palette_of(view), glyphs_of(view).line
    buffer = view.buffer
    shown = [f"follow {_word(view.follows)}", f"wrap {_word(view.wraps)}", f"time {view.times}"]
    parts = [] if width < NARROW else shown
    if buffer.pattern is not None:
        parts = [*parts, _found(view)]
    line = Line().add(f"{rule * 2} ", palette.dim).add(f"{label} ", palette.strong)
    for part in parts:
        line.add(f"{rule * 2} ", palette.dim).add(f"{part} ", palette.head)
    total = f" {counted(len(buffer) + buffer.dropped, 'line')} {format_size(buffer.size)} "
    gap = width - line.width - len(total) - 4
    line.add(rule * max(0, gap), palette.dim)
    return line.right(total, palette.head).right(rule * 4, palette.dim).strip(width)


def _word(is_on: bool) -> str:
    return "on" if is_on else "off"


def _found(view: LogView) -> str:
    matches, text = view.buffer.matches, safe(view.buffer.wanted)
    index = -1 if view.here is None else bisect_left(matches, view.here)
    place = f"{index + 1} of " if view.here in matches[index : index + 1] else ""
    return f'{place}{len(matches)} {"match" if len(matches) == 1 else "matches"} "{text}"'
