"""A bare app around one widget, and the text of what it draws."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from relayq_tui.glyphs import UNICODE, Glyphs
from relayq_tui.theme import PALETTES


class Stage(App[None]):
    """One widget, as large as the terminal."""

    CSS = "Screen { layout: vertical; }"
    AUTO_FOCUS = "*"

    def __init__(self, widget: Widget, glyphs: Glyphs = UNICODE, palette: str = "dark") -> None:
        super().__init__()
        self.widget = widget
        self.glyphs = glyphs
        self.palette = PALETTES[palette]
        self.heard: list[Message] = []

    def hear(self, message: Message) -> None:
        """Remember what our own widgets say; it passes by once for each of their parents."""
        is_ours = type(message).__module__.startswith("relayq_tui.widgets")
        if is_ours and not any(message is one for one in self.heard):
            self.heard.append(message)

    def compose(self) -> ComposeResult:
        """The widget and nothing else."""
        yield self.widget


@asynccontextmanager
async def staged(
    widget: Widget, size: tuple[int, int] = (60, 10), glyphs: Glyphs = UNICODE, palette: str = "dark"
) -> AsyncIterator[Pilot[None]]:
    """The widget on a terminal of this size."""
    stage = Stage(widget, glyphs, palette)
    async with stage.run_test(size=size, message_hook=stage.hear) as pilot:
        await pilot.pause()
        yield pilot


def heard(pilot: Pilot[None]) -> list[str]:
    """The messages that our own widgets have sent, by name."""
    stage = pilot.app
    return [type(message).__name__ for message in stage.heard] if isinstance(stage, Stage) else []


def drawn(widget: Widget) -> list[str]:
    """The lines of the widget as text, without the blanks at their ends."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def styles_of(widget: Widget, y: int, text: str) -> set[str]:
    """The styles in which the text stands on a line."""
    return {str(segment.style) for segment in widget.render_line(y) if text in segment.text}
