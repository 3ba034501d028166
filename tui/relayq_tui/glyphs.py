"""The characters that mean something: one set for every terminal that can, one in plain ASCII.

Every glyph is one column wide in both sets. A state is always shown as a glyph and
a word or letter, never by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from relayq.model.lifecycle import State
from relayq_tui.rows import JobRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One set of characters. `bars` grow from empty to full, `blocks` fill a gauge (full, empty)."""

    name: str
    states: Mapping[State, str]
    depends: str
    later: str
    held: str
    bars: str
    eighths: str
    full: str
    empty: str
    shade: str
    slot: str
    slot_free: str
    line: str
    upright: str
    corner: str
    tee: str
    cursor: str
    mark: str
    flag: str
    live: str
    half: str
    none: str
    arrow: str
    up: str
    down: str
    dots: str
    dash: str
    about: str
    times: str
    menu: str
    here: str
    enter: str
    dot: str


UNICODE = Glyphs(
    name="unicode",
    states={
        State.PENDING: "◷",
        State.RUNNABLE: "○",
        State.RUNNING: "●",
        State.UNREACHABLE: "◌",
        State.SUCCEEDED: "✓",
        State.FAILED: "✗",
        State.CANCELLED: "⊘",
        State.SKIPPED: "»",
        State.EXPIRED: "⊗",
    },
    depends="⇢", later="◷", held="‖", bars="▁▂▃▄▅▆▇█", eighths="▏▎▍▌▋▊▉█", full="▓", empty="░", shade="▒",
    slot="▣", slot_free="□", line="─", upright="│", corner="┘", tee="┼", cursor="▶", mark="*", flag="⚑",
    live="●", half="◐", none="○", arrow="→", up="▲", down="▼", dots="…", dash="–", about="≈", times="×",
    menu="≡", here="▸", enter="⏎", dot="·",
)  # fmt: skip

ASCII = Glyphs(
    name="ascii",
    states={
        State.PENDING: "@",
        State.RUNNABLE: "o",
        State.RUNNING: "*",
        State.UNREACHABLE: "?",
        State.SUCCEEDED: "+",
        State.FAILED: "x",
        State.CANCELLED: "/",
        State.SKIPPED: "-",
        State.EXPIRED: "!",
    },
    depends=">", later="@", held="=", bars="_.-:=+*#", eighths=".:-=+*##", full="#", empty=".", shade="=",
    slot="#", slot_free="_", line="-", upright="|", corner="+", tee="+", cursor=">", mark="*", flag="!",
    live="*", half="~", none="o", arrow=">", up="^", down="v", dots="~", dash="-", about="~", times="x",
    menu="=", here=">", enter="<", dot=".",
)  # fmt: skip

# Every glyph that is drawn somewhere -> its ASCII twin.
IN_ASCII = str.maketrans(
    {
        wide: plain
        for name in UNICODE.__slots__
        if name != "name"
        for wide, plain in zip(
            "".join(getattr(UNICODE, name).values()) if name == "states" else getattr(UNICODE, name),
            "".join(getattr(ASCII, name).values()) if name == "states" else getattr(ASCII, name),
            strict=False,
        )
    }
    | {
        "°": "'",
        "└": "+",
        "┌": "+",
        "┐": "+",
        "├": "+",
        "┤": "+",
        "┬": "+",
        "┴": "+",
        "—": "-",
        "←": "<",
        "↑": "^",
    }
    | {"↓": "v", "█": "#", "▕": "|", "╱": "/", "╲": "\\", "◉": "o", "┃": "|", "━": "-"}
)

WORDS = {
    State.PENDING: "wait",
    State.RUNNABLE: "wait",
    State.RUNNING: "run",
    State.UNREACHABLE: "lost",
    State.SUCCEEDED: "done",
    State.FAILED: "fail",
    State.CANCELLED: "canc",
    State.SKIPPED: "skip",
    State.EXPIRED: "late",
}


def state_mark(row: JobRow, glyphs: Glyphs) -> tuple[str, str]:
    """A job's state as (glyph, word of at most five letters)."""
    if row.state is State.PENDING:
        if row.reason == "dependency":
            return glyphs.depends, "deps"
        if row.reason == "held":
            return glyphs.held, "held"
        if row.reason == "approval":
            return glyphs.flag, "asks"
        if row.reason == "delay" and row.ready_ms:
            return glyphs.later, clock(row.ready_ms)
    return glyphs.states[row.state], WORDS[row.state]


def age(ms: int) -> str:
    """A duration as short as it can be told: `3m`, `1h`, `12d`."""
    seconds = max(0, ms) // 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def counted(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def clock(ms: int, form: str = "%H:%M") -> str:
    """A time of the hub's clock in this machine's zone."""
    return datetime.fromtimestamp(ms / 1000).strftime(form)


def spark(values: list[float], width: int, glyphs: Glyphs, *, top: float = 0.0) -> str:
    """The last `width` values as a line of bars; a full bar is `top`, or else the greatest of them."""
    shown = values[-width:]
    top = top or max(shown, default=0.0)
    steps = len(glyphs.bars) - 1
    if top <= 0:
        return glyphs.bars[0] * len(shown)
    return "".join(glyphs.bars[max(0, min(steps, round(value / top * steps)))] for value in shown)


def meter(share: float, width: int, glyphs: Glyphs) -> str:
    """A share from 0 to 1 as a filled bar."""
    filled = max(0, min(width, round(share * width)))
    return glyphs.full * filled + glyphs.empty * (width - filled)
