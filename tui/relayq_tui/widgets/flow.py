"""A flow of jobs: who waits for whom, drawn with lines, with a cursor.

Columns of nodes stand beside each other with gutters of lines between them. The whole
flow is drawn once; what is seen of it moves so that the cursor stays in sight. The node
under the cursor stands in brackets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import zip_longest
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.actions import bindings, of_context
from relayq_tui.glyphs import Glyphs
from relayq_tui.theme import glyphs_of, palette_of
from relayq_tui.widgets.canvas import Canvas, stroke
from relayq_tui.widgets.gutters import Gutter, gutter
from relayq_tui.widgets.layers import Edge, Layout, Node, is_passage, laid_out
from relayq_tui.widgets.line import fit

NAME_MOST = 28
MOVES = ("up", "down", "pan")
_AROUND = 4  # blanks or brackets around a node, and the glyph of its state with its blank


class _Stretch(NamedTuple):
    """The columns of the canvas that a column of nodes takes, and how many of them are for names."""

    start: int
    names: int
    end: int


class Flow(Widget, can_focus=True):
    """A graph of jobs. `critical` are the ids on the longest way through it."""

    DEFAULT_CSS = "Flow { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = list(
        bindings(action for action in of_context("list", "timeline") if action.method in MOVES)
    )

    class Moved(Message):
        """The cursor stands on another node."""

    class Chosen(Message):
        """The node under the cursor was clicked again."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._layout = Layout((), {}, (), {})
        self._gutters: Sequence[Gutter] = ()
        self._critical: Collection[str] = ()
        self._given: tuple[tuple[Node, ...], tuple[Edge, ...], frozenset[str]] | None = None
        self._links: set[Edge] = set()
        self._sources: set[str] = set()
        self._stretches: list[_Stretch] = []
        self._here = (0, 0)
        self._x, self._y = 0, 0
        self._canvas: Canvas | None = None

    @property
    def current(self) -> Node | None:
        """The node under the cursor."""
        column, place = self._here
        nodes = self._column(column)
        return nodes[place] if place < len(nodes) else None

    @property
    def content_height(self) -> int:
        """How many rows the flow has."""
        return self._layout.height

    def set_graph(self, nodes: Sequence[Node], edges: Iterable[Edge], critical: Collection[str] = ()) -> None:
        """Show these jobs and who waits (the second of an edge) for whom (the first)."""
        given = (tuple(nodes), tuple(edges), frozenset(critical))
        if given == self._given:
            return
        self._given = given
        was = self.current
        self._layout = laid_out(given[0], given[1])
        self._gutters = [gutter(step, self._layout.rows) for step in self._layout.edges]
        self._links = {edge for step in self._layout.edges for edge in step}
        self._sources = {source for source, _ in self._links}
        self._critical = {self._layout.hidden.get(name, name) for name in critical}
        if was is None or not self.move_to_id(was.id):
            self._here = (0, 0)
        self.redraw()

    def move_to_id(self, wanted: str) -> bool:
        """Put the cursor on this job, or on what stands for it; False when it is not here."""
        wanted = self._layout.hidden.get(wanted, wanted)
        for index, column in enumerate(self._layout.columns):
            for place, node in enumerate(column):
                if node.id == wanted:
                    self._move_to(index, place)
                    return True
        return False

    def redraw(self) -> None:
        """Draw everything again."""
        self._canvas = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """One line of what is seen."""
        if self._canvas is None:
            self._canvas = self._painted()
            self._scroll_to_cursor()
        if y + self._y >= self._canvas.height:
            return Strip.blank(self.size.width)
        width = self.size.width
        return self._canvas.strip(y + self._y).crop(self._x, self._x + width).adjust_cell_length(width)

    def on_resize(self) -> None:
        """The cursor must still be seen."""
        self.redraw()

    # -- moving -------------------------------------------------------------------

    def action_down(self) -> None:
        """To the node below."""
        self._step(1)

    def action_up(self) -> None:
        """To the node above."""
        self._step(-1)

    def action_pan(self, step: int) -> None:
        """To what waits for this job (1), or to what it waits for (-1)."""
        column = self._here[0] + step
        while 0 <= column < len(self._layout.columns):
            nodes = self._column(column)
            places = [place for place, node in enumerate(nodes) if not is_passage(node.id)]
            if places:
                self._move_to(column, min(places, key=lambda place: self._distance(nodes[place])))
                return
            column += step

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; one on the cursor opens the job."""
        x, y = event.x + self._x, event.y + self._y
        column = next((n for n, s in enumerate(self._stretches) if s.start <= x < s.end), -1)
        for place, node in enumerate(self._column(column)):
            if self._layout.rows[node.id] == y and not is_passage(node.id):
                if (column, place) == self._here:
                    self.post_message(self.Chosen())
                self._move_to(column, place)

    # -- where --------------------------------------------------------------------

    def _column(self, column: int) -> Sequence[Node]:
        return self._layout.columns[column] if 0 <= column < len(self._layout.columns) else ()

    def _step(self, step: int) -> None:
        column, place = self._here
        nodes = self._column(column)
        place += step
        while 0 <= place < len(nodes) and is_passage(nodes[place].id):
            place += step
        if 0 <= place < len(nodes):
            self._move_to(column, place)

    def _move_to(self, column: int, place: int) -> None:
        if (column, place) != self._here:
            self._here = (column, place)
            self.redraw()
            self.post_message(self.Moved())

    def _distance(self, node: Node) -> tuple[bool, int]:
        """How far a node is from the cursor: those it is connected with are nearer."""
        here, rows = self.current, self._layout.rows
        if here is None:
            return True, rows[node.id]
        is_connected = (here.id, node.id) in self._links or (node.id, here.id) in self._links
        return not is_connected, abs(rows[node.id] - rows[here.id])

    def _scroll_to_cursor(self) -> None:
        node = self.current
        if node is None:
            self._x = self._y = 0
            return
        stretch, row = self._stretches[self._here[0]], self._layout.rows[node.id]
        self._x = max(0, min(max(stretch.end - self.size.width, self._x), stretch.start))
        self._y = max(0, min(max(row - self.size.height + 1, self._y), row))

    # -- drawing ------------------------------------------------------------------

    def _painted(self) -> Canvas:
        self._stretches = self._measured()
        width = self._stretches[-1].end if self._stretches else 1
        canvas = Canvas(width, max(1, self._layout.height), palette_of(self).text)
        for index, stretch in enumerate(self._stretches):
            for place, node in enumerate(self._column(index)):
                if is_passage(node.id):
                    self._paint_line(canvas, stretch.start, stretch.end, node)
                else:
                    self._paint_node(canvas, stretch, node, is_here=(index, place) == self._here)
            if index < len(self._gutters):
                self._paint_gutter(canvas, stretch.end, index)
        return canvas

    def _measured(self) -> list[_Stretch]:
        """Where each column begins and ends."""
        found: list[_Stretch] = []
        start, glyphs = 0, glyphs_of(self)
        for column, after in zip_longest(self._layout.columns, self._gutters):
            names = min(NAME_MOST, max(cell_len(_name(node, glyphs)) for node in column))
            details = max(cell_len(node.detail) + bool(node.detail) for node in column)
            found.append(_Stretch(start, names, start + names + details + _AROUND))
            start = found[-1].end + (after.width if after else 0)
        return found

    def _paint_line(self, canvas: Canvas, start: int, end: int, node: Node) -> None:
        y = self._layout.rows[node.id]
        canvas.fill(start, y, end - start, glyphs_of(self).line, palette_of(self).dim)

    def _paint_node(self, canvas: Canvas, stretch: _Stretch, node: Node, *, is_here: bool) -> None:
        palette, glyphs, y = palette_of(self), glyphs_of(self), self._layout.rows[node.id]
        is_strong = is_here or node.id in self._critical
        name = fit(_name(node, glyphs), stretch.names)
        end = canvas.put(stretch.start + 1, y, name, palette.strong if is_strong else palette.text)
        end = canvas.put(end + 1, y, glyphs.states[node.state], palette.of(node.state))
        if node.detail:
            end = canvas.put(end + 1, y, node.detail, palette.head)
        if node.id in self._sources:
            self._paint_line(canvas, end + 1, stretch.end, node)
        if is_here:
            canvas.put(stretch.start, y, "[", palette.mark)
            canvas.put(end, y, "]", palette.mark)

    def _paint_gutter(self, canvas: Canvas, start: int, index: int) -> None:
        palette, glyphs, lines = palette_of(self), glyphs_of(self), self._gutters[index]
        for (x, y), sides in lines.strokes().items():
            canvas.put(start + x, y, stroke(sides, glyphs), palette.dim)
        for target in {target for _, target in self._layout.edges[index]}:
            if not is_passage(target):
                canvas.put(start + lines.width - 1, self._layout.rows[target], glyphs.cursor, palette.dim)


def _name(node: Node, glyphs: Glyphs) -> str:
    return f"{node.count}{glyphs.times} {node.label}" if node.count > 1 else node.label
