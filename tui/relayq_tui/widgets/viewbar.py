"""The line above a list: saved views as tabs, and at the right what is asked or what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.theme import glyphs_of, palette_of
from relayq_tui.widgets.line import Line


class Tab(NamedTuple):
    """A saved view: its name, how many jobs it holds if that is known, is it the one shown."""

    name: str
    jobs: int | None
    is_here: bool


class ViewBar(Widget):
    """One line of tabs."""

    DEFAULT_CSS = "ViewBar { height: 1; }"

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, name: str) -> None:
            self.name = name
            super().__init__()

    def __init__(self) -> None:
        super().__init__()
        self._tabs: Sequence[Tab] = ()
        self._right = ""
        self._chip = ""

    def set_tabs(self, tabs: Sequence[Tab], right: str = "", chip: str = "") -> None:
        """Show these tabs; `right` is the query, `chip` what asks for attention."""
        if (tabs, right, chip) != (self._tabs, self._right, self._chip):
            self._tabs, self._right, self._chip = tabs, right, chip
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The tabs."""
        p, line = palette_of(self), Line().add(" ")
        for number, tab in enumerate(self._tabs):
            count = (
                ""
                if tab.jobs is None
                else f"{glyphs_of(self).dot}{tab.jobs}"
                if not tab.is_here
                else f" {tab.jobs}"
            )
            text = f"[{tab.name}{count}]" if tab.is_here else f"{tab.name}{count}"
            if line.width + len(text) + 1 > self.size.width:
                break
            line.add(text, p.strong if tab.is_here else p.head, action=f"choose({number})").add(" ")
        if self._chip:
            line.right(f" {self._chip} ", p.mark, action="screen.top")
        if self._right:
            line.right(f" {self._right} ", p.accent)
        return line.strip(self.size.width)

    def action_choose(self, number: int) -> None:
        """A tab was clicked."""
        self.post_message(self.Chosen(self._tabs[number].name))
