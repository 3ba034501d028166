"""A bare app around one widget, and the text of what it draws."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from relayq_tui.glyphs import UNICODE, Glyphs
from relayq_tui.theme import PALETTES
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widget import Widget


class Stage(App[None]):
    """One widget, as large as the terminal."""

    CSS = "Screen { layout: vertical; }"
    AUTO_FOCUS = "*"

    def __init__(self, widget: Widget, glyphs: Glyphs = UNICODE, palette: str = "dark") -> None:
        super().__init__()
        self.widget = widget
        self.glyphs = glyphs
        self.palette = PALETTES[palette]

    def compose(self) -> ComposeResult:
        """The widget and nothing else."""
        yield self.widget


@asynccontextmanager
async def staged(
    widget: Widget, size: tuple[int, int] = (60, 10), glyphs: Glyphs = UNICODE, palette: str = "dark"
) -> AsyncIterator[Pilot[None]]:
    """The widget on a terminal of this size."""
    async with Stage(widget, glyphs, palette).run_test(size=size) as pilot:
        await pilot.pause()
        yield pilot


def drawn(widget: Widget) -> list[str]:
    """The lines of the widget as text, without the blanks at their ends."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def styles_of(widget: Widget, y: int, text: str) -> set[str]:
    """The styles in which the text stands on a line."""
    return {str(segment.style) for segment in widget.render_line(y) if text in segment.text}
