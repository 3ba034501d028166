"""The help page (`?`): the keys of the screen it was asked on, then those that work anywhere.

Made from the table of actions, so it says what is true; after the keys come the marks
of the states and the words of the query language.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import ClassVar

from textual.app import ComposeResult

from relayq.model.lifecycle import State
from relayq.query import FIELDS
from relayq_tui.actions import ACTIONS, Action, shown_key
from relayq_tui.glyphs import WORDS
from relayq_tui.screens.base import HubScreen
from relayq_tui.screens.over import CHANGES
from relayq_tui.store import Changes
from relayq_tui.widgets.line import PLAIN, Line, fit
from relayq_tui.widgets.sheet import Sheet

WIDE = 100
KEYS = 13
MEANINGS = {
    State.PENDING: "waits for a time, a job, a release",
    State.RUNNABLE: "waits for a worker",
    State.RUNNING: "runs",
    State.UNREACHABLE: "its worker is silent for now",
    State.SUCCEEDED: "ended well",
    State.FAILED: "ended badly, or was refused",
    State.CANCELLED: "somebody ended it",
    State.SKIPPED: "a job it waits for went wrong",
    State.EXPIRED: "did not start before its deadline",
}
EXAMPLES = (
    "state:failed age:<1d", "queue:gpu -label:test", "dur:>5m (name:~^train OR cmd:ffmpeg)", "sort:-dur",
)  # fmt: skip
Lines = list[Line]


class HelpScreen(HubScreen):
    """One page of text."""

    label = "Help"
    AUTO_FOCUS = "Sheet"
    contexts: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        below = self.app.screen
        self._below = below if isinstance(below, HubScreen) else None

    def body(self) -> ComposeResult:
        """The page."""
        yield Sheet()

    def show(self, changes: Changes) -> None:
        """It stays as it is."""
        if "schedules" in changes.parts:
            self.query_one(Sheet).set_lines(list(self._page()))

    def on_resize(self) -> None:
        """One column or two."""
        if self.is_mounted:
            self.query_one(Sheet).set_lines(list(self._page()))

    def _page(self) -> Iterator[Line]:
        width = self.size.width
        here, anywhere = self._here(), self._keys("Anywhere", "anywhere")
        rest = [*self._states(), Line(), *self._queries()]
        if width < WIDE:
            yield from [*here, Line(), *anywhere, Line(), *rest]
        else:
            yield from beside(here, [*anywhere, Line(), *rest], width // 2)

    def _here(self) -> Lines:
        """The keys of the screen below, and of whatever list is on it."""
        below = self._below
        if below is None:
            return []
        own = self._keys(below.label or "Here", *below.contexts)
        return [*own, Line(), *self._keys("In a list", "list")]

    def _keys(self, title: str, *contexts: str) -> Lines:
        """The actions of these contexts that can be done."""
        p = self.rq.palette
        offered = {action.id for action in (self._below or self).actions()}
        lines = [Line().add(f" {title}", p.strong)]
        for action in ACTIONS:
            if action.context in contexts and (action.context == "list" or action.id in offered):
                line = Line().add(f"  {fit(self._all_keys(action), KEYS)}", p.accent)
                line.add(fit(action.label, 20), p.text)
                lines.append(
                    line.add(CHANGES.get(action.danger, ""), p.warn if action.danger == "now" else p.head)
                )
        return lines if len(lines) > 1 else []

    def _all_keys(self, action: Action) -> str:
        own = dict(self.rq.options.keymap).get(action.id, action.keys)
        return " ".join(shown_key(key) for key in own.split(","))

    def _states(self) -> Lines:
        p, g = self.rq.palette, self.rq.glyphs
        lines = [Line().add(" What the marks mean", p.strong)]
        for state, meaning in MEANINGS.items():
            line = Line().add(f"  {g.states[state]} {WORDS[state]:<6}", p.of(state))
            lines.append(line.add(f"{state.value.lower():<12}", p.text).add(meaning, p.head))
        return lines

    def _queries(self) -> Lines:
        """What can be typed into the filter."""
        p = self.rq.palette
        lines = [Line().add(" What can be asked", p.strong).add("  / on Jobs, relayq jobs '...'", p.head)]
        for field in FIELDS.values():
            lines.append(Line().add(f"  {fit(field.name, KEYS)}", p.accent).add(field.help, p.head))
        return [*lines, *(Line().add(f"  {example}", p.text) for example in EXAMPLES)]


def beside(left: Sequence[Line], right: Sequence[Line], width: int) -> Iterator[Line]:
    """Two columns of lines."""
    for one, other in zip_longest(left, right, fillvalue=Line()):
        line = Line()
        for segment in (*one.strip(width), *other.strip(width)):
            line.add(segment.text, segment.style or PLAIN)
        yield line
