"""Put a line of styled pieces together, with a left and a right part that never overlap."""

from __future__ import annotations

from rich.cells import cell_len, get_character_cell_size, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

ELLIPSIS = "…"
PLAIN = Style()


class Line:
    """A line in the making; `add` returns the line, so that pieces can be chained."""

    __slots__ = ("_left", "_right")

    def __init__(self) -> None:
        self._left: list[Segment] = []
        self._right: list[Segment] = []

    def add(self, text: str, style: Style = PLAIN, *, action: str = "") -> Line:
        """Add a piece; with `action`, clicking on it does that."""
        self._left.append(piece(text, style, action))
        return self

    def right(self, text: str, style: Style = PLAIN, *, action: str = "") -> Line:
        """Add a piece to the part that is pushed to the right edge."""
        self._right.append(piece(text, style, action))
        return self

    @property
    def width(self) -> int:
        """The columns it needs."""
        return sum(segment.cell_length for segment in (*self._left, *self._right))

    def fits(self, text: str, width: int) -> bool:
        """Is there room for this piece too?"""
        return self.width + cell_len(text) <= width

    def strip(self, width: int, style: Style = PLAIN) -> Strip:
        """The line, `width` columns wide; when it does not fit, the left part is cut, and shows it."""
        room = max(0, width - sum(segment.cell_length for segment in self._right))
        left = Strip(self._left)
        if left.cell_length > room and left.crop(room).text.strip():
            left = Strip([*left.crop(0, room - 1), Segment(ELLIPSIS, self._left[-1].style)])
        left = left.adjust_cell_length(room, style)
        return Strip([*left, *self._right]).adjust_cell_length(width, style)


def changed(old: Strip | None, new: Strip) -> int:
    """How many columns, from the left, must be written to turn one line into another.

    Textual writes a line of a widget from its left edge on, so there is nothing to be won in the middle.
    """
    if old is None or old.cell_length != new.cell_length:
        return new.cell_length
    if old == new:
        return 0
    both = enumerate(zip(_cells(old), _cells(new), strict=True), 1)
    return max((at for at, (was, now) in both if was != now), default=0)


def _cells(strip: Strip) -> list[tuple[str, Style | None]]:
    """What stands in each column; behind a wide letter, nothing of its own."""
    found: list[tuple[str, Style | None]] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii():
            found += [(letter, style) for letter in text]
            continue
        for letter in text:
            cells = get_character_cell_size(letter)
            if cells or not found:
                found += [(letter, style)] * max(1, cells)
            else:  # a mark belongs to the letter before it
                found[-1] = (found[-1][0] + letter, style)
    return found


def piece(text: str, style: Style = PLAIN, action: str = "") -> Segment:
    """One styled piece, clickable with `action`."""
    return Segment(text, style + Style(meta={"@click": action}) if action else style)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` columns: padded, or cut with an ellipsis."""
    if width <= 0:
        return ""
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + ELLIPSIS
    pad = " " * (width - length)
    return pad + text if right else text + pad
