"""A timeline: what ran where and when, until when it will run, what is planned.

Every worker is a lane. A lane with several slots has several rows. Time runs to the
right; behind the line that is now lie the estimates, as shades, and the firings of
schedules. Tracks (how many wait, how many end a minute) stand below on the same axis.

The window follows the clock until somebody moves or zooms it. The cursor stands on a
span, which has brackets around it: colour alone says nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.actions import bindings, of_context
from relayq_tui.theme import glyphs_of, palette_of
from relayq_tui.widgets.canvas import Canvas
from relayq_tui.widgets.lanepaint import LanePainter
from relayq_tui.widgets.line import fit
from relayq_tui.widgets.spans import Lane, Span, Track, stacked
from relayq_tui.widgets.timeaxis import HOUR_MS, LONGEST_MS, SHORTEST_MS, TimeAxis

NOW_SHARE = 0.8
ZOOM = 2
FIT_LEAST_MS = HOUR_MS // 4
NARROW = 80
MOVES = ("up", "down")


class Drawn(NamedTuple):
    """A row of the timeline: its lane, which of the lane's rows it is, its spans."""

    lane: int
    row: int
    spans: Sequence[Span]


class Lanes(Widget, can_focus=True):
    """Lanes over a window of time, `from_ms` to `to_ms`, with a cursor."""

    DEFAULT_CSS = "Lanes { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(action for action in of_context("list") if action.method in MOVES),
        *bindings(of_context("timeline")),
    ]

    class Moved(Message):
        """The cursor stands on another span, or on none."""

    class Chosen(Message):
        """The span under the cursor was clicked again."""

    class Ranged(Message):
        """Another stretch of time is seen."""

    def __init__(self, *, range_ms: int = 6 * HOUR_MS, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lanes: Sequence[Lane] = ()
        self.tracks: Sequence[Track] = ()
        self.now_ms = 0
        self.from_ms, self.to_ms = 0, range_ms
        self.follows = True
        self.lane = 0
        self._key: tuple[str, int] | None = None
        self._first = 0
        self._canvas: Canvas | None = None
        self._rows: list[Drawn] = []

    @property
    def current(self) -> Span | None:
        """The span under the cursor."""
        spans = self.lanes[self.lane].spans if self.lane < len(self.lanes) else ()
        return next((span for span in spans if span.key == self._key), None)

    @property
    def axis(self) -> TimeAxis:
        """Where the times are."""
        left = sum(self._margins) + 4
        return TimeAxis(self.from_ms, self.to_ms, left, max(1, self.size.width - left))

    def set_lanes(self, lanes: Sequence[Lane], now_ms: int, tracks: Sequence[Track] = ()) -> None:
        """Show these; the cursor stays where it is."""
        self.lanes, self.tracks, self.now_ms = lanes, tracks, now_ms
        self.lane = max(0, min(self.lane, len(lanes) - 1))
        if self.follows:
            self._follow()
        if self.current is None:
            self._key = _nearest(self._spans(), now_ms)
        self.redraw()

    def begin_with(self, since_ms: int, now_ms: int) -> None:
        """Before anybody has zoomed: show little more of the past than there is, or all of it is one dot."""
        range_ms = self._range_ms
        while range_ms // ZOOM >= FIT_LEAST_MS and (now_ms - since_ms) < range_ms // ZOOM * NOW_SHARE:
            range_ms //= ZOOM
        self.to_ms = self.from_ms + range_ms

    def redraw(self) -> None:
        """Draw everything again."""
        self._canvas = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of it."""
        if self._canvas is None:
            self._canvas = self._painted()
        return self._canvas.strip(y)

    def on_resize(self) -> None:
        """Draw it for the new size."""
        self.redraw()

    # -- moving --------------------------------------------------------------------

    def action_down(self) -> None:
        """To the next lane, to what ran there at that time."""
        self._move_to_lane(self.lane + 1)

    def action_up(self) -> None:
        """To the lane before, to what ran there at that time."""
        self._move_to_lane(self.lane - 1)

    def action_pan(self, step: int) -> None:
        """To the next span of the lane (1) or the one before (-1); behind the last one, move the window."""
        starts = sorted(self._spans(), key=lambda span: span.start_ms)
        at_ms = self.current.start_ms if self.current else self.now_ms
        if step > 0:
            left = [span for span in starts if span.start_ms > at_ms]
        else:
            left = [span for span in reversed(starts) if span.start_ms < at_ms]
        if left:
            self._move_to(left[0].key)
        else:
            self._show(self.from_ms + step * self._range_ms // 4, self._range_ms)

    def action_zoom_in(self) -> None:
        """Half the time, twice the detail."""
        self._zoom(max(SHORTEST_MS, self._range_ms // ZOOM))

    def action_zoom_out(self) -> None:
        """Twice the time."""
        self._zoom(min(LONGEST_MS, self._range_ms * ZOOM))

    def action_now(self) -> None:
        """Back to now, and stay there."""
        self.follows = True
        self._follow()
        self.redraw()
        self.post_message(self.Ranged())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel goes through the lanes."""
        event.stop()
        self.action_down()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel goes through the lanes."""
        event.stop()
        self.action_up()

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; one on the cursor opens the job."""
        if not 1 <= event.y <= len(self._rows):
            return
        drawn, at_ms = self._rows[event.y - 1], self.axis.time(event.x)
        key = _nearest(drawn.spans, at_ms)
        if key is not None and key == self._key and drawn.lane == self.lane:
            self.post_message(self.Chosen())
        self.lane = drawn.lane
        self._move_to(key)

    # -- where ----------------------------------------------------------------------

    @property
    def _range_ms(self) -> int:
        return self.to_ms - self.from_ms

    @property
    def _margins(self) -> tuple[int, int]:
        """The widths of name and note."""
        found = [lane.name for lane in self.lanes] + [track.name for track in self.tracks]
        names = max(map(len, found), default=0)
        notes = max((len(lane.note) for lane in self.lanes), default=0)
        return (min(names, 10), 0) if self.size.width < NARROW else (min(names, 16), min(notes, 6))

    def _spans(self) -> list[Span]:
        """What is seen of the lane under the cursor."""
        spans = self.lanes[self.lane].spans if self.lane < len(self.lanes) else ()
        return [s for s in spans if s.start_ms < self.to_ms and s.until(self.now_ms) >= self.from_ms]

    def _follow(self) -> None:
        range_ms = self._range_ms
        self.from_ms = self.now_ms - int(range_ms * NOW_SHARE)
        self.to_ms = self.from_ms + range_ms

    def _show(self, from_ms: int, range_ms: int) -> None:
        self.follows = False
        self.from_ms, self.to_ms = from_ms, from_ms + range_ms
        self.redraw()
        self.post_message(self.Ranged())

    def _zoom(self, range_ms: int) -> None:
        """Show another stretch of time, with the cursor's span (or now) where it is."""
        if self.follows:
            self.to_ms = self.from_ms + range_ms
            self.action_now()
            return
        at_ms = self.current.start_ms if self.current else self.now_ms
        at_ms = max(self.from_ms, min(self.to_ms, at_ms))
        self._show(at_ms - (at_ms - self.from_ms) * range_ms // self._range_ms, range_ms)

    def _move_to_lane(self, lane: int) -> None:
        at_ms = self.current.start_ms if self.current else self.now_ms
        self.lane = max(0, min(lane, len(self.lanes) - 1))
        self._move_to(_nearest(self._spans(), at_ms))

    def _move_to(self, key: tuple[str, int] | None) -> None:
        self._key = key
        self.redraw()
        self.post_message(self.Moved())

    # -- drawing ---------------------------------------------------------------------

    def _painted(self) -> Canvas:
        palette, glyphs = palette_of(self), glyphs_of(self)
        canvas = Canvas(self.size.width, self.size.height, palette.text)
        painter = LanePainter(canvas, self.axis, self.now_ms, palette=palette, glyphs=glyphs)
        foot = len(self.tracks) + 1 if self.tracks and self.size.height > len(self.tracks) + 4 else 0
        room = self.size.height - 1 - foot
        self._rows = self._seen(room)
        for y, drawn in enumerate(self._rows, 1):
            self._paint_row(painter, y, drawn)
        painter.times(0)
        painter.now_line(1, len(self._rows) + 1)
        if foot:
            self._paint_tracks(painter, len(self._rows) + 1)
        return canvas

    def _seen(self, room: int) -> list[Drawn]:
        """The rows that fit, the lane under the cursor among them."""
        self._first = min(self._first, self.lane)
        rows = [self._stack(index) for index in range(self._first, self.lane + 1)]
        while sum(map(len, rows)) > room and len(rows) > 1:
            rows.pop(0)
            self._first += 1
        for index in range(self.lane + 1, len(self.lanes)):
            if sum(map(len, rows)) >= room:
                break
            rows.append(self._stack(index))
        return [drawn for lane in rows for drawn in lane][:room]

    def _stack(self, lane: int) -> list[Drawn]:
        if lane >= len(self.lanes):
            return []
        rows = stacked(self.lanes[lane].spans, self.from_ms, self.to_ms, self.now_ms)
        return [Drawn(lane, row, spans) for row, spans in enumerate(rows)]

    def _paint_row(self, painter: LanePainter, y: int, drawn: Drawn) -> None:
        palette, glyphs, canvas = palette_of(self), glyphs_of(self), painter.canvas
        lane, is_here = self.lanes[drawn.lane], drawn.lane == self.lane
        name, note = self._margins
        if drawn.row == 0:
            canvas.put(0, y, glyphs.cursor if is_here else " ", palette.mark)
            canvas.put(1, y, fit(lane.name, name), palette.strong if is_here else palette.text)
            canvas.put(name + 2, y, fit(lane.note, note, right=True), palette.head)
        canvas.put(painter.axis.left - 1, y, glyphs.upright, palette.dim)
        for span in drawn.spans:
            painter.span(span, y, is_here=is_here and span.key == self._key)

    def _paint_tracks(self, painter: LanePainter, y: int) -> None:
        palette, glyphs, canvas = palette_of(self), glyphs_of(self), painter.canvas
        canvas.fill(0, y, canvas.width, glyphs.line, palette.dim)
        for line, track in enumerate(self.tracks, y + 1):
            canvas.put(1, line, fit(track.name, painter.axis.left - 3), palette.head)
            canvas.put(painter.axis.left - 1, line, glyphs.upright, palette.dim)
            painter.track(track, line)
        painter.now_line(y + 1, y + 1 + len(self.tracks))


def _nearest(spans: Sequence[Span], at_ms: int) -> tuple[str, int] | None:
    """The span at this time, or the one that begins next to it."""
    return min(spans, key=lambda span: abs(span.start_ms - at_ms)).key if spans else None
