"""Small questions over a screen: type a line, or pick one of a few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

# The app's own keys are not listened to under a question.
QUIT = Binding("ctrl+q", "app.leave", "quit", id="quit", show=False)


class Question(ModalScreen[str | None]):
    """A box in the middle; escape is no answer."""

    DEFAULT_CSS = """
    Question { align: center middle; }
    Question > Vertical {
        width: 60; max-width: 96%; height: auto; max-height: 80%; padding: 0 1;
        background: $panel; color: $foreground; border: solid $primary;
    }
    Question OptionList { height: auto; max-height: 16; margin-top: 1; }
    Question Input { margin-top: 1; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "give_up", "close", show=False),
        QUIT,
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The question and what answers it."""
        with Vertical() as box:
            box.border_subtitle = "esc leaves"
            yield Static(Text(self.question), id="question", markup=False)
            yield from self.answers()

    def answers(self) -> ComposeResult:
        """What answers it."""
        yield from ()

    def action_give_up(self) -> None:
        """No answer."""
        self.dismiss(None)


class Ask(Question):
    """A line to type. `wanted` refuses every other answer."""

    def __init__(self, question: str, value: str = "", *, wanted: str = "") -> None:
        super().__init__(question)
        self._value = value
        self._wanted = wanted

    def answers(self) -> ComposeResult:
        """One line."""
        box = Input(self._value, select_on_focus=True)
        box.cursor_blink = False
        yield box

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        answer = event.value.strip()
        if not self._wanted or answer == self._wanted:
            self.dismiss(answer)
        else:
            told = f"{self.question}\n{answer or 'nothing'} is not {self._wanted}: nothing is done yet."
            self.query_one("#question", Static).update(Text(told))
            event.input.value = ""


class Pick(Question):
    """One of a few: (value, label) each."""

    def __init__(self, question: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__(question)
        self._options = options

    def answers(self) -> ComposeResult:
        """The list."""
        yield OptionList(*(Option(Text(label), id=value) for value, label in self._options), markup=False)

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)
