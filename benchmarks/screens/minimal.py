"""The least that Textual can show: forty lines, one of them under a cursor that `j` and `k` move.

What this costs is the price of the toolkit on this machine: the terminal UI can be
no better, and is measured beside it.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.binding import Binding
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import RichLog

CURSOR = Style(reverse=True)


class Lines(Widget, can_focus=True):
    """Forty lines and a cursor."""

    DEFAULT_CSS = "Lines { height: 100%; }"
    BINDINGS: ClassVar[list[Binding]] = [Binding("j", "move(1)"), Binding("k", "move(-1)")]
    cursor = 0

    def render_line(self, y: int) -> Strip:
        """One line."""
        mark = "▶" if y == self.cursor else " "
        text = f"{mark} line {y:02} of a minimal app".ljust(self.size.width)
        return Strip([Segment(text, CURSOR if y == self.cursor else None)])

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        was, self.cursor = self.cursor, (self.cursor + by) % max(1, self.size.height)
        self.refresh(Region(0, was, self.size.width, 1), Region(0, self.cursor, self.size.width, 1))


class Minimal(App[None]):
    """Nothing but the lines."""

    ENABLE_COMMAND_PALETTE = False

    def compose(self):
        """The lines."""
        yield Lines()


class Logging(App[None]):
    """Textual's own widget for coloured output, with as many lines as are asked for; it ends by itself."""

    def compose(self):
        """The widget."""
        yield RichLog()

    def on_ready(self) -> None:
        """Write and leave."""
        from rich.text import Text

        log = self.query_one(RichLog)
        for number in range(int(sys.argv[1])):
            log.write(Text.from_ansi(f"\x1b[32m12:00:00\x1b[0m step {number} \x1b[1;33mloss\x1b[0m 0.1186"))
        self.exit()


if __name__ == "__main__":
    (Logging if len(sys.argv) > 1 else Minimal)().run()
