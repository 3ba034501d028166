"""A page of lines that is scrolled with the keyboard: whatever is to be read and has no rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.actions import bindings, of_context
from relayq_tui.widgets.line import Line

WHEEL = 3


class Sheet(Widget, can_focus=True):
    """Lines, of which those that fit are seen."""

    DEFAULT_CSS = "Sheet { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings(of_context("list")))

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()
        self._first = 0

    @property
    def page(self) -> int:
        """How many lines are seen at once."""
        return max(1, self.size.height)

    def set_lines(self, lines: Sequence[Line]) -> None:
        """Show other lines, from the same place."""
        self._lines = lines
        self.scroll_lines(0)

    def scroll_lines(self, lines: int) -> None:
        """Move down, or up when negative."""
        last = max(0, len(self._lines) - self.page)
        self._first = max(0, min(last, self._first + lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line."""
        index = self._first + y
        line = self._lines[index] if index < len(self._lines) else Line()
        return line.strip(self.size.width)

    def on_resize(self) -> None:
        """Less may be hidden now."""
        self.scroll_lines(0)

    def action_down(self) -> None:
        """One line down."""
        self.scroll_lines(1)

    def action_up(self) -> None:
        """One line up."""
        self.scroll_lines(-1)

    def action_top(self) -> None:
        """To the first line."""
        self.scroll_lines(-len(self._lines))

    def action_bottom(self) -> None:
        """To the last line."""
        self.scroll_lines(len(self._lines))

    def action_page_down(self) -> None:
        """A page down."""
        self.scroll_lines(self.page - 1)

    def action_page_up(self) -> None:
        """A page up."""
        self.scroll_lines(1 - self.page)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the page."""
        event.stop()
        self.scroll_lines(WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the page."""
        event.stop()
        self.scroll_lines(-WHEEL)
