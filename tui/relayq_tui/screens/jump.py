"""Letters over whatever can be reached on the screen; one key jumps there.

A target is a part of the screen that a click does something to, or a pane that can
have the keys. Letters of the home row come first.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.strip import Strip
from textual.widget import Widget

from relayq_tui.screens.ask import QUIT
from relayq_tui.widgets.frame import NARROW, Keys

LETTERS = "asdfghjklqwertyuiopzxcvbnmASDFGHJKLQWERTYUIOPZXCVBNM"

STANDS_OUT = Style(reverse=True, bold=True)


class Target(NamedTuple):
    """Where its letter stands, the widget, and what a click there does; empty: it takes the keys."""

    at: Offset
    widget: Widget
    action: str


def targets(screen: Screen[object]) -> list[Target]:
    """What can be reached on a screen, from the top left on."""
    found: dict[tuple[int, str], Target] = {}
    for widget in screen.focus_chain:
        if widget.region:
            found[id(widget), ""] = Target(widget.region.offset, widget, "")
    for y, strip in enumerate(screen._compositor.render_strips()):
        x = 0
        for segment in strip:
            action = segment.style.meta.get("@click") if segment.style else None
            if action:
                _add(found, screen, Offset(x, y), str(action))
            x += segment.cell_length
    return sorted(found.values(), key=lambda target: (target.at.y, target.at.x))[: len(LETTERS)]


def _add(found: dict[tuple[int, str], Target], screen: Screen[object], at: Offset, action: str) -> None:
    """Each once; the keys in the footer of a wide screen are letters already."""
    widget, _ = screen.get_widget_at(*at)
    if not isinstance(widget, Keys) or screen.size.width < NARROW:
        found.setdefault((id(widget), action), Target(at, widget, action))


class Letter(Widget):
    """One letter."""

    DEFAULT_CSS = "Letter { width: 1; height: 1; position: absolute; }"

    def __init__(self, letter: str, at: Offset) -> None:
        super().__init__()
        self._letter = letter
        self.styles.offset = (at.x, at.y)

    def render_line(self, y: int) -> Strip:
        """The letter, turned round: it stands out without a colour too."""
        return Strip([Segment(self._letter, STANDS_OUT)])


class Jump(ModalScreen[None]):
    """The letters, until one is typed."""

    DEFAULT_CSS = "Jump { background: transparent; }"
    BINDINGS: ClassVar[list[BindingType]] = [QUIT]

    def __init__(self) -> None:
        super().__init__()
        self.targets = dict(zip(LETTERS, targets(self.app.screen), strict=False))

    def compose(self) -> ComposeResult:
        """A letter on each."""
        for letter, target in self.targets.items():
            yield Letter(letter, target.at)

    async def on_key(self, event: events.Key) -> None:
        """Jump, or leave everything as it is."""
        bound = self.active_bindings.get(event.key)
        if bound is not None and bound.binding.id == QUIT.id:
            return
        event.stop()
        target = self.targets.get(event.character or "")
        self.dismiss(None)
        if target is not None and target.action:
            self.app.call_later(self.app.run_action, target.action, target.widget)
        elif target is not None:
            self.app.call_later(target.widget.focus)

    def on_click(self) -> None:
        """Whoever clicks needs no letters."""
        self.dismiss(None)
