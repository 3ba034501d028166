"""The filter box: a query typed over the list, which follows every key.

Under the box stands what the word before the cursor may become, or, with a caret,
what is wrong; a query that makes no sense leaves the list as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Input

from relayq.query import Query, QueryError, complete, insert, parse
from relayq_tui.widgets.frame import Framed
from relayq_tui.widgets.line import Line

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

OFFERED = 8


class Below(Framed):
    """The line under the box: what a word may become, or what is wrong."""

    DEFAULT_CSS = "Below { height: 1; }"
    error = ""
    column = 0
    words: Sequence[str] = ()

    def lines(self) -> list[Line]:
        """One line."""
        p = self.palette
        if self.error:
            return [Line().add(" " * self.column + "^ ", p.bad).add(self.error, p.warn)]
        line = Line().add("   ")
        for number, word in enumerate(self.words[:OFFERED]):
            line.add(word, p.accent if number == 0 else p.dim).add("  ")
        return [line.add("tab completes", p.dim) if self.words else line]


class QueryInput(Input):
    """The box itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "screen.complete_query", show=False, priority=True),
        Binding("escape", "screen.leave_query", show=False, priority=True),
        Binding("down", "screen.keep_query", show=False, priority=True),
    ]


class QueryBox(Vertical):
    """The box and the line under it, hidden until it is asked for."""

    DEFAULT_CSS = """
    QueryBox { height: 2; display: none; }
    QueryBox.-open { display: block; }
    """

    class Asked(Message):
        """Another query that makes sense."""

        def __init__(self, query: Query) -> None:
            self.query = query
            super().__init__()

    class Kept(Message):
        """The person has done with typing."""

    def compose(self) -> ComposeResult:
        """The box and the line."""
        box = QueryInput(
            placeholder="state:failed queue:gpu age:<2d name:~^train sort:-dur", select_on_focus=False
        )
        box.cursor_blink = False
        yield box
        yield Below()

    def open(self, text: str) -> None:
        """Show the box with this text in it."""
        self.add_class("-open")
        box = self.query_one(QueryInput)
        with self.prevent(Input.Changed):
            box.value = text
        box.cursor_position = len(text)
        box.focus()
        self._look()

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open")

    def complete(self) -> None:
        """Let the word before the cursor become the first that is offered."""
        box = self.query_one(QueryInput)
        words = complete(box.value, box.cursor_position, self._values())
        if words:
            box.value, box.cursor_position = insert(box.value, box.cursor_position, words[0])

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._look()

    @on(Input.Submitted)
    def _done(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Kept())

    def _look(self) -> None:
        box, below = self.query_one(QueryInput), self.query_one(Below)
        below.error = ""
        below.words = complete(box.value, box.cursor_position, self._values()) if box.value else ()
        try:
            self.post_message(self.Asked(parse(box.value)))
        except QueryError as error:
            below.error, below.column = str(error), error.column + 1
        below.refresh()

    def _values(self) -> Mapping[str, Sequence[str]]:
        """What is known of the values of fields."""
        store = cast("RelayQApp", self.app).store
        sample = store.newest[:2_000]
        return {
            "queue": sorted({row.queue for row in sample}),
            "worker": sorted(store.workers),
            "name": sorted({row.name for row in sample if row.name}),
            "label": sorted({name for row in sample for name in row.labels}),
        }
