"""A table of any number of rows that draws only the lines that are seen.

The rows stay where the caller has them; a line is made from its row when it is
drawn, so 100,000 rows cost what 40 cost. It scrolls by itself, for it must keep the
row under the cursor on its line of the screen while rows come and go above it: the
cursor stands on a job, not on a number. Only at the very top it follows the newest, in
lists where that is what comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from relayq_tui.actions import bindings, of_context
from relayq_tui.listed import Rows
from relayq_tui.theme import Palette, glyphs_of, palette_of
from relayq_tui.widgets.line import fit

WHEEL = 3


class HasId(Protocol):
    """A row: whatever has an id."""

    @property
    def id(self) -> str:
        """What the cursor and the marks stand on."""


Row = TypeVar("Row", bound=HasId)
Cell = tuple[str, Style | None]


class Column(NamedTuple, Generic[Row]):
    """One column. `width` 0 takes what is left; `draw` gives a row's text and its style, None for plain.

    `tail` is a note at the column's right edge, for which the text is cut before it is.
    """

    title: str
    width: int
    draw: Callable[[Row], Cell]
    right: bool = False
    tail: Callable[[Row], str] | None = None


class JobTable(ScrollView, Generic[Row], can_focus=True):
    """Rows in columns with a cursor and marks."""

    DEFAULT_CSS = "JobTable { overflow: hidden hidden; }"
    BINDINGS: ClassVar[list[BindingType]] = list(bindings(of_context("list")))

    class Moved(Message):
        """The cursor stands on another row."""

    class Chosen(Message):
        """The row under the cursor was clicked again."""

    def __init__(
        self, *, has_titles: bool = True, is_aside: bool = False, follows: bool = True, id: str | None = None
    ) -> None:
        """`is_aside`: beside another list, it shows its cursor only while it has the focus.

        `follows`: at the very top the cursor stays there, on whatever is the newest.
        """
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self._stands_on = ""
        self.marks: set[str] = set()
        self.cursor = 0
        self.new_above = 0
        self._columns: Sequence[Column[Row]] = ()
        self._first = 0
        self.empty = ""
        self._titles = int(has_titles)
        self._is_aside, self._follows = is_aside, follows
        self._drawn: dict[int, Strip] = {}
        self._made: dict[int, Strip] = {}  # to be painted next

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    @property
    def page(self) -> int:
        """How many rows are seen at once."""
        return max(1, self.size.height - self._titles)

    @property
    def seen(self) -> Sequence[Row]:
        """The rows on the screen."""
        return self.rows[self._first : self._first + self.page]

    def set_rows(
        self, rows: Sequence[Row], columns: Sequence[Column[Row]] | None = None, *, is_other: bool = False
    ) -> None:
        """Show other rows, the cursor on the job it was on, on the same line of the screen.

        `is_other`: what is shown is another list, not the same one with rows that came and went.
        """
        was, self.rows = self._stands_on, rows
        if columns is not None:
            self._columns = columns
        self._keep_cursor(was, is_other=is_other)
        self.refresh_stale()
        if was != self._stands_on:
            self.post_message(self.Moved())

    def refresh_rows(self, ids: Collection[str]) -> None:
        """Draw those of these rows again that are seen."""
        for line, row in enumerate(self.seen, self._titles):
            if row.id in ids:
                self._refresh_line(line)

    def refresh_stale(self) -> None:
        """Draw those lines again that would look different now."""
        for line in range(self.size.height):
            strip = self._line(line)
            if strip != self._drawn.get(line):
                self._refresh_line(line)
                self._made[line] = strip

    def move_to(self, index: int) -> None:
        """Put the cursor on a row."""
        index = max(0, min(index, len(self.rows) - 1))
        if index == self.cursor:
            return
        was, self.cursor, self._stands_on = self.cursor, index, self.rows[index].id
        if index == 0:
            self.new_above = 0
        if self._scroll_to_cursor():
            self._made.clear()
            self.refresh()
        else:
            self._refresh_row(was)
            self._refresh_row(index)
        self.post_message(self.Moved())

    def move_to_id(self, wanted: str) -> bool:
        """Put the cursor on the job with this id; False when it is not here."""
        index = self._index_of(wanted, self.cursor)
        if index is not None:
            self.move_to(index)
        return index is not None

    def mark(self, ids: Iterable[str], *, is_marked: bool = True) -> None:
        """Mark these jobs, or take their marks off."""
        wanted = set(ids)
        self.marks = self.marks | wanted if is_marked else self.marks - wanted
        self.refresh_rows(wanted)

    # -- moving ----------------------------------------------------------------

    def action_down(self) -> None:
        """One row down."""
        self.move_to(self.cursor + 1)

    def action_up(self) -> None:
        """One row up."""
        self.move_to(self.cursor - 1)

    def action_top(self) -> None:
        """To the first row."""
        self.move_to(0)

    def action_bottom(self) -> None:
        """To the last row."""
        self.move_to(len(self.rows) - 1)

    def action_page_down(self) -> None:
        """A page down."""
        self.move_to(self.cursor + self.page - 1)

    def action_page_up(self) -> None:
        """A page up."""
        self.move_to(self.cursor - self.page + 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel moves the cursor, which is always seen."""
        event.stop()
        self.move_to(self.cursor + WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel moves the cursor, which is always seen."""
        event.stop()
        self.move_to(self.cursor - WHEEL)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor; one on the cursor opens the job."""
        index = self._first + event.y - self._titles
        if event.y < self._titles or index >= len(self.rows):
            return
        if index == self.cursor:
            self.post_message(self.Chosen())
        self.move_to(index)

    # -- drawing -----------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        strip = self._made.pop(y, None) or self._line(y)
        self._drawn[y] = strip
        return strip

    def on_focus(self) -> None:
        """A table aside shows its cursor now."""
        self._made.clear()

    def on_blur(self) -> None:
        """A table aside hides its cursor now."""
        self._made.clear()

    def on_resize(self) -> None:
        """The cursor must still be seen."""
        self._drawn.clear()
        self._made.clear()
        self._scroll_to_cursor()
        self.virtual_size = Size(self.size.width, self.size.height)

    def _line(self, y: int) -> Strip:
        if y < self._titles:
            return self._title_line()
        index = self._first + y - self._titles
        if index >= len(self.rows):
            said = f"   {self.empty}" if index == 0 else ""
            return Strip([Segment(said, palette_of(self).dim)]).adjust_cell_length(self.size.width)
        return self._row_line(index)

    def _title_line(self) -> Strip:
        text = "   " + " ".join(
            fit(column.title, width, right=column.right) for column, width in self._widths()
        )
        return Strip([Segment(text, palette_of(self).head)]).adjust_cell_length(self.size.width)

    def _row_line(self, index: int) -> Strip:
        row, palette = self.rows[index], palette_of(self)
        is_here = index == self.cursor and (self.has_focus or not self._is_aside)
        segments = [self._margin(row, palette, is_here=is_here)]
        for column, width in self._widths():
            text, style = column.draw(row)
            tail = column.tail(row) if column.tail else ""
            room = width - len(tail) - bool(tail)
            segments.append(Segment(fit(text, room, right=column.right) + " ", style or palette.text))
            if tail:
                segments.append(Segment(tail + " ", palette.head))
        strip = Strip(segments).adjust_cell_length(self.size.width, palette.text)
        return (strip.apply_style(palette.cursor) if is_here else strip).simplify()

    def _margin(self, row: Row, palette: Palette, *, is_here: bool) -> Segment:
        glyphs = glyphs_of(self)
        here = glyphs.cursor if is_here else " "
        mark = glyphs.mark if row.id in self.marks else " "
        return Segment(f"{here}{mark} ", palette.mark)

    def _widths(self) -> list[tuple[Column[Row], int]]:
        """Each column with its width here: the flexible one gets what the others leave."""
        fixed = sum(column.width + 1 for column in self._columns if column.width)
        rest = max(6, self.size.width - 3 - fixed - 1)
        return [(column, column.width or rest) for column in self._columns]

    # -- keeping the place ---------------------------------------------------------

    def _keep_cursor(self, was: str, *, is_other: bool) -> None:
        line = self.cursor - self._first
        index = self._index_of(was, self.cursor) if was else None
        is_at_top = self._follows and self.cursor == 0 and self._first == 0 and not self.marks
        if index is None or (is_at_top and not is_other):
            self.cursor = max(0, min(self.cursor, len(self.rows) - 1))
        else:
            self.new_above = 0 if is_other else self.new_above + max(0, index - self.cursor)
            self._first = max(0, index - line)
            self.cursor = index
        self._stands_on = here.id if (here := self.current) is not None else ""
        self._scroll_to_cursor()

    def _index_of(self, wanted: str, near: int) -> int | None:
        """Where the job is now, looked for near where it was first."""
        rows = self.rows
        if isinstance(rows, Rows):
            return rows.index_of(wanted)
        for index in range(max(0, near - 50), min(len(rows), near + 50)):
            if rows[index].id == wanted:
                return index
        return next((index for index, row in enumerate(rows) if row.id == wanted), None)

    def _scroll_to_cursor(self) -> bool:
        """See to it that the cursor is seen; True when the lines moved."""
        was = self._first
        last = max(0, len(self.rows) - self.page)
        self._first = max(self.cursor - self.page + 1, min(self._first, self.cursor, last), 0)
        return self._first != was

    def _refresh_row(self, index: int) -> None:
        if 0 <= index - self._first < self.page:
            self._refresh_line(index - self._first + self._titles)

    def _refresh_line(self, y: int) -> None:
        self._made.pop(y, None)
        self.refresh(Region(0, y, self.size.width, 1))


AnyTable = JobTable[Any]
