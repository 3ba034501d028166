"""Four themes, each as Textual's colours for the frame and as rich styles for lines drawn by hand.

`dark` names its colours and leaves the ground to the terminal, which most people have
made dark; `light` brings its own white. `ansi` uses the sixteen colours of the terminal,
`mono` none at all: there bold, underline and reverse carry what colour carries
elsewhere. Red is kept for what needs a person.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import BUILTIN_THEMES, Theme
from textual.widget import Widget

from relayq.model.lifecycle import State
from relayq_tui.glyphs import IN_ASCII, UNICODE, Glyphs


class Palette(NamedTuple):
    """Styles by what they mean."""

    text: Style
    dim: Style
    strong: Style
    head: Style
    cursor: Style
    mark: Style
    accent: Style
    good: Style
    run: Style
    wait: Style
    warn: Style
    bad: Style
    match: Style

    def of(self, state: State) -> Style:
        """The style of a job's state."""
        return self._asdict()[STATE_STYLES[state]]  # type: ignore[no-any-return]  # _asdict forgets the type


STATE_STYLES = {
    State.PENDING: "wait",
    State.RUNNABLE: "wait",
    State.RUNNING: "run",
    State.UNREACHABLE: "warn",
    State.SUCCEEDED: "good",
    State.FAILED: "bad",
    State.CANCELLED: "dim",
    State.SKIPPED: "dim",
    State.EXPIRED: "warn",
}


def _palette(**styles: str) -> Palette:
    return Palette(**{name: Style.parse(text) for name, text in styles.items()})


PALETTES: dict[str, Palette] = {
    "dark": _palette(
        text="none", dim="#7d8590", strong="bold", head="#9aa4b1",
        cursor="bold #f0f3f6 on #24405e", mark="bold #e3b341", accent="#6cb6ff", good="#6bc46d",
        run="#6cb6ff", wait="#adbac7", warn="#e3b341", bad="bold #ff7b72", match="black on #e3b341",
    ),
    "light": _palette(
        text="#1f2328", dim="#6e7781", strong="bold #1f2328", head="#57606a",
        cursor="bold #0a2540 on #cfe4fb", mark="bold #9a6700", accent="#0550ae", good="#1a7f37",
        run="#0550ae", wait="#424a53", warn="#9a6700", bad="bold #cf222e", match="black on #f2cc60",
    ),
    "ansi": _palette(
        text="default", dim="bright_black", strong="bold", head="bright_black",
        cursor="reverse", mark="bold yellow", accent="cyan", good="green", run="cyan",
        wait="default", warn="yellow", bad="bold red", match="black on yellow",
    ),
    "mono": _palette(
        text="none", dim="none", strong="bold", head="none",
        cursor="reverse", mark="bold", accent="underline", good="none", run="bold",
        wait="none", warn="underline", bad="bold underline", match="reverse",
    ),
}  # fmt: skip


def _plain(name: str, **variables: str) -> Theme:
    """A theme that leaves every colour of the frame to the terminal."""
    base = BUILTIN_THEMES["ansi-dark"]
    return replace(base, name=name, variables={**base.variables, **variables})


THEMES: tuple[Theme, ...] = (
    replace(
        _plain("dark", **{
            "panel": "#161b22", "block-cursor-background": "#24405e", "block-cursor-foreground": "#f0f3f6",
            "input-cursor-background": "#d6d9de", "input-cursor-foreground": "#0d1117",
        }),
        primary="#6cb6ff", secondary="#9aa4b1", warning="#e3b341", error="#ff7b72", success="#6bc46d",
        accent="#6cb6ff",
    ),
    Theme(
        name="light", primary="#0550ae", secondary="#57606a", warning="#9a6700", error="#cf222e",
        success="#1a7f37", accent="#0550ae", foreground="#1f2328", background="#ffffff", surface="#ffffff",
        panel="#f6f8fa", dark=False,
        variables={"block-cursor-background": "#cfe4fb", "block-cursor-foreground": "#0a2540"},
    ),
    _plain("ansi"),
    _plain("mono", **{"block-cursor-text-style": "reverse", "input-cursor-text-style": "reverse"}),
)  # fmt: skip
NAMES = tuple(theme.name for theme in THEMES)


class NoColour(LineFilter):
    """Takes every colour off, so that not one colour code is sent; a coloured ground becomes reverse."""

    REVERSE = Style(reverse=True)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text, bold where it was bold."""
        return [Segment(text, self._plain(style), control) for text, style, control in segments]

    def _plain(self, style: Style | None) -> Style | None:
        if style is None:
            return None
        has_ground = style.bgcolor is not None and not style.bgcolor.is_default
        return style.without_color + self.REVERSE if has_ground else style.without_color


class Paper(LineFilter):
    """Gives whatever has no ground of its own a white one, and black letters."""

    STYLE = Style.parse("#1f2328 on #ffffff")

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same text on paper."""
        return [
            Segment(text, self.STYLE + style if style else self.STYLE, control)
            for text, style, control in segments
        ]


class PlainLetters(LineFilter):
    """Puts an ASCII character for every glyph that terminals without Unicode cannot draw."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same in ASCII."""
        return [
            segment if segment.text.isascii() else Segment(segment.text.translate(IN_ASCII), *segment[1:])
            for segment in segments
        ]


FILTERS: dict[str, LineFilter] = {"mono": NoColour(), "light": Paper()}


def palette_of(widget: Widget) -> Palette:
    """The styles a widget draws with: its app's, or the dark ones."""
    found: Palette = getattr(widget.app, "palette", PALETTES["dark"])
    return found


def glyphs_of(widget: Widget) -> Glyphs:
    """The characters a widget draws with: its app's, or the full set."""
    found: Glyphs = getattr(widget.app, "glyphs", UNICODE)
    return found
