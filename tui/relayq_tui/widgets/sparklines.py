"""Numbers over time as lines of bars, each with its name and what it stands at.

A series that is longer than its room is drawn by the highest value of each stretch, so
that no peak disappears. A value that nobody knows (None) is a blank, not a zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.glyphs import Glyphs
from relayq_tui.theme import glyphs_of, palette_of
from relayq_tui.widgets.line import Line, fit

Value = float | None
_NOTE_GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of bars: its name, its values (oldest first), what stands behind it.

    `top` is the value of a full bar, None the highest of the values. `is_bad` draws it as
    something for a person.
    """

    name: str
    values: Sequence[Value]
    note: str = ""
    top: float | None = None
    is_bad: bool = False


class Sparklines(Widget):
    """Lines of bars under each other, names left, notes right."""

    DEFAULT_CSS = "Sparklines { height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show these."""
        needs_layout = len(rows) != len(self._rows)
        self._rows = rows
        self.refresh(layout=needs_layout)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A line each."""
        return len(self._rows)

    def render_line(self, y: int) -> Strip:
        """One of them."""
        if y >= len(self._rows):
            return Strip.blank(self.size.width)
        names = max(len(row.name) for row in self._rows)
        notes = max(len(row.note) for row in self._rows)
        return sparkline(self, self._rows[y], names, notes)


def sparkline(widget: Widget, row: Row, names: int, notes: int) -> Strip:
    """One line of bars with so much room for the name and the note."""
    palette, width = palette_of(widget), widget.size.width
    room = max(1, width - names - 1 - (notes + _NOTE_GAP if notes else 0))
    style = palette.bad if row.is_bad else palette.run
    line = Line().add(f"{fit(row.name, names)} ", palette.head)
    line.add(bars(row.values, room, glyphs_of(widget), row.top), style)
    return line.right(f"{'':{_NOTE_GAP}}{fit(row.note, notes)}" if notes else "", palette.text).strip(width)


def bars(values: Sequence[Value], width: int, glyphs: Glyphs, top: float | None = None) -> str:
    """The values as bars, the newest at the right end."""
    found = squeezed(values, width)
    highest = top or max((value for value in found if value is not None), default=0.0)
    return "".join(_bar(value, highest, glyphs) for value in found).rjust(width)


def squeezed(values: Sequence[Value], width: int) -> list[Value]:
    """At most `width` values: the highest of each stretch."""
    count = len(values)
    if count <= width:
        return list(values)
    edges = [index * count // width for index in range(width + 1)]
    return [_highest(values[start:end]) for start, end in itertools.pairwise(edges)]


def _highest(values: Sequence[Value]) -> Value:
    return max((value for value in values if value is not None), default=None)


def _bar(value: Value, top: float, glyphs: Glyphs) -> str:
    if value is None:
        return " "
    steps = len(glyphs.bars) - 1
    return glyphs.bars[max(0, min(steps, round(value / top * steps)))] if top > 0 else glyphs.bars[0]
