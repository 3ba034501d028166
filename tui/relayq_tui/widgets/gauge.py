"""A bar that says how much of something is used, with what it is in words and in percent.

From three quarters on it warns, from nine tenths on it is a thing for a person, and
says so with a sign and not by its colour alone.
"""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.glyphs import meter
from relayq_tui.theme import Palette, glyphs_of, palette_of
from relayq_tui.widgets.line import Line

WARN_SHARE = 0.75
BAD_SHARE = 0.90
_LEAST = 8


class Gauge(Widget):
    """One line: the bar, the label, the percentage."""

    DEFAULT_CSS = "Gauge { height: 1; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown: tuple[float, float, str] = (0.0, 0.0, "")

    def set(self, value: float, total: float, label: str = "") -> None:
        """Show `value` of `total`; 0 of 0 is unknown. `label` says it in words: `1420/2000`."""
        self._shown = (value, total, label)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        return gauge(self, *self._shown, width=self.size.width) if y == 0 else Strip.blank(self.size.width)


def gauge(widget: Widget, value: float, total: float, label: str, *, width: int) -> Strip:
    """The line of a gauge, drawn with the styles and characters of `widget`."""
    palette, glyphs = palette_of(widget), glyphs_of(widget)
    share = value / total if total > 0 else 0.0
    percent = f"{share:4.0%}" if total > 0 else f"{glyphs.dash:>4}"
    sign = glyphs.up if share >= BAD_SHARE else " "
    words = f"  {label}" if label else ""
    room = width - len(words) - len(percent) - 3
    style = _style(share, palette)
    line = Line().add(meter(share, max(_LEAST, room), glyphs), style)
    return line.right(words, palette.text).right(f" {percent} {sign}", style).strip(width)


def _style(share: float, palette: Palette) -> Style:
    if share >= BAD_SHARE:
        return palette.bad
    return palette.warn if share >= WARN_SHARE else palette.run
