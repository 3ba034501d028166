"""Draw the pieces of a timeline onto a canvas: its axis, its spans, its tracks, the line that is now."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

from rich.cells import cell_len, set_cell_size
from rich.style import Style

from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq_tui.glyphs import Glyphs, clock
from relayq_tui.theme import Palette
from relayq_tui.widgets.canvas import Canvas
from relayq_tui.widgets.spans import Span, Track
from relayq_tui.widgets.sparklines import Value, bars
from relayq_tui.widgets.timeaxis import TimeAxis

_LABEL_LEAST = 4
_REVERSE = Style(reverse=True)
_SOLID = "█"
_FAILED = (State.FAILED, State.EXPIRED)
_STYLES = {
    State.RUNNING: "run",
    State.SUCCEEDED: "good",
    State.UNREACHABLE: "warn",
    State.FAILED: "head",
    State.EXPIRED: "head",
}


class LanePainter:
    """Knows where times are on the canvas, and how things look."""

    def __init__(
        self, canvas: Canvas, axis: TimeAxis, now_ms: int, *, palette: Palette, glyphs: Glyphs
    ) -> None:
        self.canvas, self.axis, self.now_ms = canvas, axis, now_ms
        self._palette, self._glyphs = palette, glyphs
        self._is_ascii = glyphs.name == "ascii"
        self._now = axis.column(now_ms)

    def times(self, y: int) -> None:
        """The round times and the present one."""
        text = f"{clock(self.now_ms)} now"
        start = min(self._now - 4, self.axis.right - len(text))
        is_seen = self.axis.left <= self._now < self.axis.right
        taken = range(start - 6, start + len(text) + 1) if is_seen else range(0)
        for x, time in self.axis.ticks():
            if self.axis.left <= x and x not in taken and x + len(time) <= self.axis.right:
                self.canvas.put(x, y, time, self._palette.head)
        if is_seen:
            self.canvas.put(start, y, text, self._palette.strong)

    def now_line(self, top: int, bottom: int) -> None:
        """The line between what was and what may be."""
        if self.axis.left <= self._now < self.axis.right:
            for y in range(top, bottom):
                self.canvas.put(self._now, y, "|" if self._is_ascii else "┃", self._palette.run)

    def span(self, span: Span, y: int, *, is_here: bool) -> None:
        """One span, with brackets when the cursor stands on it."""
        if span.state is None:
            self._absence(span, y)
        elif span.start_ms > self.now_ms:
            self._put(self.axis.column(span.start_ms), y, self._glyphs.later + span.label, self._palette.wait)
        else:
            self._bar(span, y)
            if span.end_ms is None:
                self._estimate(span, y)
        if is_here:
            self._brackets(span, y)

    def track(self, track: Track, y: int) -> None:
        """A series as bars up to now, and what it stands at."""
        end = min(self._now, self.axis.right)
        values = [self._highest(track, x) for x in range(self.axis.left, end)]
        self.canvas.put(self.axis.left, y, bars(values, len(values), self._glyphs), self._palette.run)
        self._put(end + 2, y, track.note, self._palette.text)

    def _columns(self, span: Span) -> tuple[int, int]:
        """The first column of a span that is seen, and the one behind its last."""
        end_ms = self.now_ms if span.end_ms is None else span.end_ms
        first = self.axis.column(span.start_ms)
        last = max(first + 1, self.axis.column(end_ms))
        return max(self.axis.left, first), min(self.axis.right, last)

    def _bar(self, span: Span, y: int) -> None:
        x, end = self._columns(span)
        style, texture, has_failed = self._style(span), self._texture(span.label), span.state in _FAILED
        if end - x == 1:
            self.canvas.put(x, y, "=" if self._is_ascii else "▪", style)
        else:
            self.canvas.fill(x, y, end - x, texture, style)
        room = end - x - 2 - has_failed
        if room >= min(_LABEL_LEAST, cell_len(span.label)):
            own = style + _REVERSE if texture == _SOLID else style
            self.canvas.put(x + 1, y, _cut(span.label, room), own)
        if has_failed:
            self.canvas.put(end - 1, y, self._glyphs.states[State.FAILED], self._palette.bad)

    def _estimate(self, span: Span, y: int) -> None:
        """Until when it may run, or how long it has been overdue."""
        if not span.eta_ms:
            return
        room = self.axis.right - self._now - 2
        if span.eta_ms <= self.now_ms:
            late = self._glyphs.up + format_duration(self.now_ms - span.eta_ms)
            self._put(self._now + 1, y, _longest((f"{late} over", late), room), self._palette.warn)
            return
        time, end = clock(span.eta_ms), self.axis.column(span.eta_ms) + 1
        self._put(self._now + 1, y, self._glyphs.empty * max(1, end - self._now - 1), self._palette.wait)
        self._put(self._now + 2, y, _longest((f"eta {time}", time), room), self._palette.text)

    def _absence(self, span: Span, y: int) -> None:
        x, end = self._columns(span)
        self.canvas.fill(x, y, end - x, self._glyphs.dot, self._palette.dim)
        if end - x > cell_len(span.label) + 3:
            self.canvas.put(x + 1, y, f" {span.label} ", self._palette.dim)

    def _brackets(self, span: Span, y: int) -> None:
        x, end = self._columns(span)
        if end - x < 3:
            self.canvas.put(x, y, self._glyphs.cursor, self._palette.mark)
            return
        if span.state in _FAILED and end - x > 3:
            self.canvas.put(end - 2, y, self._glyphs.states[State.FAILED], self._palette.bad)
        self.canvas.put(x, y, "[", self._palette.mark)
        self.canvas.put(end - 1, y, "]", self._palette.mark)

    def _put(self, x: int, y: int, text: str, style: Style) -> None:
        """Text that ends at the right edge."""
        if self.axis.left <= x < self.axis.right:
            self.canvas.put(x, y, _cut(text, self.axis.right - x), style)

    def _highest(self, track: Track, x: int) -> Value:
        """The highest value in the time of a column."""
        first = int((self.axis.time(x) - track.from_ms) // track.step_ms)
        after = int((self.axis.time(x + 1) - track.from_ms) // track.step_ms)
        return max(track.values[max(0, first) : max(0, after, first + 1)], default=None)

    def _style(self, span: Span) -> Style:
        name = _STYLES.get(span.state, "dim") if span.state else "dim"
        found: Style = getattr(self._palette, name)
        return found

    def _texture(self, label: str) -> str:
        """The same for all jobs of a name, so that neighbours can be told apart."""
        textures = (self._glyphs.bars[-1], self._glyphs.full, self._glyphs.shade)
        return textures[crc32(label.encode()) % len(textures)]


def _longest(texts: Sequence[str], width: int) -> str:
    """The first that fits, or nothing."""
    return next((text for text in texts if cell_len(text) <= width), "")


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width))
