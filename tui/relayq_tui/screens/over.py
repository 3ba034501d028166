"""Lists that open over a screen and do something on it: the action sheet, the palette, the exports.

What is chosen happens after the list has closed, so that the screen below it is the
one on top again when its action runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from relayq_tui.actions import Action
from relayq_tui.rows import JobRow
from relayq_tui.screens.ask import Question
from relayq_tui.screens.base import HubScreen
from relayq_tui.widgets.line import Line

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

CHANGES = {"undo": "undo 5s", "now": "no undo"}


class Over(Question):
    """A list over the screen that was on top when it was made."""

    DEFAULT_CSS = """
    Over > Vertical { width: 76; max-height: 100%; }
    """
    columns = 76

    def __init__(self, question: str) -> None:
        super().__init__(question)
        self.below: HubScreen | None = self.app.screen if isinstance(self.app.screen, HubScreen) else None

    @property
    def rq(self) -> RelayQApp:
        """The app, as what it is."""
        return cast("RelayQApp", self.app)

    @property
    def room(self) -> int:
        """The columns of a line of the list: what the box, its padding and the list's leave."""
        return min(self.columns, self.app.size.width * 96 // 100) - 8

    def listed(self, *entries: Option) -> OptionList:
        """A list that never grows out of the terminal."""
        found = OptionList(*entries, markup=False)
        found.styles.max_height = max(3, self.app.size.height - 7)
        return found

    @property
    def options(self) -> OptionList:
        """The list."""
        return self.query_one(OptionList)

    def offered(self) -> list[Action]:
        """What can be done on the screen below."""
        return self.below.actions() if self.below else []

    def then(self, do: Callable[..., Any], *arguments: Any) -> None:
        """Close, and then do it."""
        self.dismiss(None)
        self.app.call_later(do, *arguments)

    def perform(self, action: Action) -> None:
        """Close, and then do it as its key would."""
        self.then(self.app.run_action, action.handler_on_screen)


def filled(action: Action, screen: HubScreen | None) -> str:
    """The command line that does it to what is selected on the screen; empty where there is none."""
    rows = selected(screen)
    find = getattr(screen, "worker", None) or getattr(screen, "schedule", None)
    named = find() if find else None
    return action.cli.format(
        ids=" ".join(row.id for row in rows) or "ID...",
        id=rows[0].id if rows else "ID",
        name=named.name if named else "NAME",
        value="VALUE",
        query=getattr(screen, "query_text", ""),
    )


def selected(screen: HubScreen | None) -> Sequence[JobRow]:
    """The jobs that are selected on a screen."""
    find = getattr(screen, "selected", None)
    rows = find() if find else None
    return rows if isinstance(rows, list | tuple) else ()


def subject(screen: HubScreen | None) -> str:
    """What the actions of this screen are for now: `7RDKM4 train-lora`, `3 jobs`, or nothing."""
    rows = selected(screen)
    if not rows:
        return ""
    return f"{rows[0].short_id} {rows[0].title}" if len(rows) == 1 else f"{len(rows)} jobs"


def option(line: Line, width: int, id: str) -> Option:
    """A line as an entry of a list."""
    pieces = [(segment.text, segment.style or "") for segment in line.strip(width)]
    return Option(Text.assemble(*pieces), id=id)
