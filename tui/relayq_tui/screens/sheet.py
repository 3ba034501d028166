"""The `a` sheet: everything that can be done here, one line each, for a thumb or the keyboard."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from relayq_tui.actions import Action, shown_key
from relayq_tui.clipboard import copy
from relayq_tui.screens.over import CHANGES, Over, filled, option, subject
from relayq_tui.widgets.line import Line

KEYS = 7
ROOMY = 50
USELESS_HERE = ("sheet", "help", "back")


class Sheet(Over):
    """The actions of the screen below, those of its own first. `y` copies the command line of one."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy_line", show=False)]

    def __init__(self) -> None:
        super().__init__("")
        hint = "   y copies the command line" if self.room >= ROOMY else ""
        self.question = f"{subject(self.below) or 'What can be done here'}{hint}"
        self._actions = {action.id: action for action in self._ordered()}

    def answers(self) -> ComposeResult:
        """The list."""
        yield self.listed(
            *(option(self._line(action), self.room, action.id) for action in self._actions.values())
        )

    def _ordered(self) -> list[Action]:
        known = [action for action in self.offered() if action.id not in USELESS_HERE]
        return sorted(known, key=lambda action: (action.context == "anywhere", not action.rank))

    def _line(self, action: Action) -> Line:
        p = self.rq.palette
        key = shown_key(self.rq.key_of(action))
        line = Line().add(key, p.accent).add(" " * (KEYS - len(key)))
        line.add(action.label, p.strong if action.changes else p.text)
        return line.right(CHANGES.get(action.danger, ""), p.warn if action.danger == "now" else p.head)

    def action_copy_line(self) -> None:
        """Copy the command line that does what is under the cursor."""
        index = self.options.highlighted
        action = self._actions.get(str(self.options.get_option_at_index(index or 0).id))
        line = filled(action, self.below) if action else ""
        if line:
            copy(self.app, line)
        self.then(self.rq.say, f"copied: {line}" if line else "no command line does that")

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.perform(self._actions[str(event.option_id)])
