"""Draw the part of a log that is seen, wherever it stands and however it is wrapped.

The place at the top of the pane is a line and, when long lines are wrapped, a row
within it. Nothing is known of the lines that are not seen, so a hundred thousand of
them cost nothing. While it follows, the newest line is the last one on the pane.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from relayq.model.duration import format_duration
from relayq_tui.glyphs import clock
from relayq_tui.theme import glyphs_of, palette_of
from relayq_tui.widgets.ansi import decoded, restyled
from relayq_tui.widgets.line import changed
from relayq_tui.widgets.logbuffer import BAD_NOTE, NOTE, STDERR, LogBuffer, Piece

Times = Literal["off", "rel", "clock"]
TIME_WIDTH = 8


class Place(NamedTuple):
    """A row: its line, and which row of it when it is wrapped."""

    line: int
    row: int = 0


class LogPane(Widget, can_focus=True):
    """A log, drawn from `buffer`. `times` shows when a line came, `start_ms` is when the attempt began."""

    DEFAULT_CSS = "LogPane { height: 1fr; }"

    class Changed(Message):
        """What stands in the headline has changed."""

    def __init__(self, *, empty: str = "no output yet", id: str | None = None) -> None:
        super().__init__(id=id)
        self.buffer = LogBuffer()
        self.empty = empty
        self.follows = True
        self.wraps = False
        self.times: Times = "off"
        self.start_ms = 0
        self.pan = 0
        self.here: int | None = None
        self.top = Place(0)
        self._places: list[Place] | None = None
        self._painted: dict[int, Strip] = {}
        self._is_asked = False

    @property
    def page(self) -> int:
        """How many rows are seen at once."""
        return max(1, self.size.height)

    def append(self, pieces: Iterable[Piece]) -> None:
        """Add output as it was written."""
        dropped = self.buffer.dropped
        self.buffer.append(pieces)
        self._shift(self.buffer.dropped - dropped)
        self.redraw()

    def note(self, text: str, at_ms: int = 0, *, is_bad: bool = False, attempt: int = 0) -> None:
        """Add a line that is no output: `exit 137`, `3.1M left out`, `attempt 2` (then with its number)."""
        self.buffer.note(text, at_ms, is_bad=is_bad, attempt=attempt)
        self.redraw()

    def clear(self) -> None:
        """Show nothing."""
        before = self.buffer
        self.buffer = LogBuffer()
        self.buffer.pattern, self.buffer.wanted = before.pattern, before.wanted
        self.top, self.follows, self.here = Place(0), True, None
        self.redraw()

    def search(self, pattern: str) -> int:
        """Mark every line with this regular expression and go to the next one; how many there are."""
        count = self.buffer.search(pattern)
        self.here = None
        self.lead_to(self.buffer.next_match(self.top.line - 1, 1))
        self.redraw()
        return count

    def show_times(self, times: Times, start_ms: int = 0) -> None:
        """Put the time before each line: none, since the attempt began, or that of the day."""
        self.times, self.start_ms = times, start_ms
        self.redraw()

    def go_to(self, line: int, *, above: int = 0) -> None:
        """Show this line, `above` rows from the top."""
        self.scroll_rows(0, start=self._moved(Place(line), -above))

    def lead_to(self, line: int | None) -> None:
        """Point to this line and show what stands before it; None leaves everything as it is."""
        if line is not None:
            self.here = line
            self._pan_to_match(line)
            self.go_to(line, above=self.page // 3)
            self.follows = False

    def _pan_to_match(self, line: int) -> None:
        """What was looked for may stand behind the edge of the pane."""
        pattern, text = self.buffer.pattern, _text(self.buffer.lines[line])
        found = pattern.search(text) if pattern and not self.wraps else None
        if found is None:
            return
        begin, end = cell_len(text[: found.start()]), cell_len(text[: found.end()])
        if end <= self._text_width:
            self.pan = 0
        elif not self.pan <= begin <= end <= self.pan + self._text_width:
            self.pan = min(begin, end - self._text_width // 2)

    def scroll_rows(self, rows: int, *, start: Place | None = None) -> None:
        """Move down (or up) by so many rows; at the end, follow."""
        bottom = self._bottom()
        self.top = min(self._moved(start or self.top, rows), bottom)
        self.follows = self.top == bottom
        self.redraw()

    def redraw(self) -> None:
        """Draw everything again."""
        if self.follows:
            self.top = self._bottom()
        self._places = None
        self.post_message(self.Changed())
        if not self._is_asked:
            self._is_asked = True
            self.call_later(self._patch)

    def _patch(self) -> None:
        """Paint what is another than was painted: most of a short output is like that of the job before."""
        self._is_asked = False
        rows = ((y, self._strip(y)) for y in range(self.size.height))
        regions = [
            Region(0, y, width, 1) for y, strip in rows if (width := changed(self._painted.get(y), strip))
        ]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """One row of the pane."""
        strip = self._painted[y] = self._strip(y)
        return strip

    def _strip(self, y: int) -> Strip:
        if not self.buffer.lines:
            return self._empty_row(y)
        if self._places is None:
            self._places = self._seen()
        if y >= len(self._places):
            return Strip.blank(self.size.width)
        return self._row(self._places[y])

    def on_resize(self) -> None:
        """Keep the line at the top, or the one that was pointed to, where it is."""
        follows, seen = self.follows, {place.line for place in self._places or ()}
        if self.here in seen:
            self.lead_to(self.here)
        else:
            self.go_to(self.top.line)
        self.follows = follows
        self.redraw()

    # -- where -------------------------------------------------------------------

    def _shift(self, gone: int) -> None:
        """The oldest lines have gone: stay on the same ones."""
        if gone:
            self.top = Place(max(0, self.top.line - gone), self.top.row)
            self.here = None if self.here is None or self.here < gone else self.here - gone

    def _seen(self) -> list[Place]:
        places: list[Place] = []
        place = self.top
        while len(places) < self.page and place.line < len(self.buffer):
            rows = self._rows(place.line)
            places += [Place(place.line, row) for row in range(place.row, rows)]
            place = Place(place.line + 1)
        return places[: self.page]

    def _bottom(self) -> Place:
        """The top of the pane when its end is the end of the log."""
        last = max(0, len(self.buffer) - 1)
        return self._moved(Place(last, self._rows(last) - 1), 1 - self.page)

    def _moved(self, place: Place, rows: int) -> Place:
        last = max(0, len(self.buffer) - 1)
        line, row = place
        if not self.wraps:
            return Place(max(0, min(last, line + rows)))
        row += rows
        while row < 0 and line > 0:
            line -= 1
            row += self._rows(line)
        while line < last and row >= self._rows(line):
            row -= self._rows(line)
            line += 1
        return Place(line, max(0, min(row, self._rows(line) - 1)))

    def _rows(self, line: int) -> int:
        """How many rows the line takes."""
        if not self.wraps or line >= len(self.buffer):
            return 1
        return len(cuts(_text(self.buffer.lines[line]), self._text_width)) - 1

    @property
    def _text_width(self) -> int:
        return max(1, self.size.width - 2 - (TIME_WIDTH + 1) * (self.times != "off"))

    # -- drawing -----------------------------------------------------------------

    def _empty_row(self, y: int) -> Strip:
        text = f"  {self.empty}" if y == 0 else ""
        return Strip([Segment(text, palette_of(self).dim)]).adjust_cell_length(self.size.width)

    def _row(self, place: Place) -> Strip:
        body = Strip(self._body(place.line))
        width = self._text_width
        if self.wraps:
            ends = cuts(body.text, width)
            row = min(place.row, len(ends) - 2)
            body = body.crop(ends[row], ends[row + 1])
        else:
            pan = 0 if self.buffer.streams[place.line] in (NOTE, BAD_NOTE) else self.pan
            body = body.crop(pan, pan + width)
        return Strip([*self._margin(place), *body]).adjust_cell_length(self.size.width)

    def _margin(self, place: Place) -> list[Segment]:
        """Which stream it is, and when the line came."""
        palette, line = palette_of(self), place.line
        if place.row:
            return [Segment(" " * (self.size.width - self._text_width), palette.dim)]
        if line == self.here:
            mark = Segment(f"{glyphs_of(self).cursor} ", palette.mark)
        elif self.buffer.streams[line] == STDERR:
            mark = Segment("! ", palette.warn)
        else:
            mark = Segment("  ", palette.dim)
        if self.times == "off":
            return [mark]
        return [mark, Segment(f"{self._time(line):>{TIME_WIDTH}} ", palette.dim)]

    def _time(self, line: int) -> str:
        at_ms = self.buffer.times[line]
        if not at_ms:
            return ""
        if self.times == "clock":
            return clock(at_ms, "%H:%M:%S")
        began_ms = self._began(line)
        return format_duration(at_ms - began_ms) if began_ms else ""

    def _began(self, line: int) -> int:
        """When the attempt of this line began; of earlier attempts it is only known when they first wrote."""
        begins = self.buffer.attempts
        place = bisect_right(begins, line)
        return self.start_ms if place in (0, len(begins)) else self.buffer.times[begins[place - 1]]

    def _body(self, line: int) -> Iterable[Segment]:
        palette, stream = palette_of(self), self.buffer.streams[line]
        segments = decoded(self.buffer.lines[line])
        if stream in (NOTE, BAD_NOTE):
            rule = glyphs_of(self).line * 2
            style = palette.bad if stream == BAD_NOTE else palette.head
            return [Segment(f"{rule} {_text(self.buffer.lines[line])} {rule}", style)]
        if not self._is_match(line):
            return segments
        pattern = self.buffer.pattern
        spans = (
            [found.span() for found in pattern.finditer(_text(self.buffer.lines[line]))] if pattern else []
        )
        return restyled(segments, spans, palette.match)

    def _is_match(self, line: int) -> bool:
        matches = self.buffer.matches
        index = bisect_left(matches, line)
        return index < len(matches) and matches[index] == line


def cuts(text: str, width: int) -> list[int]:
    """Where a text is cut into rows, in columns: 0, the ends of the rows; no wide character is split."""
    if text.isascii():
        return [*range(0, max(1, len(text)), width), max(1, len(text))]
    ends, column, row = [0], 0, 0
    for character in text:
        cells = get_character_cell_size(character)
        if row + cells > width:
            ends.append(column)
            row = 0
        column, row = column + cells, row + cells
    return [*ends, max(1, column)]


def _text(raw: bytes) -> str:
    return "".join(segment.text for segment in decoded(raw))
