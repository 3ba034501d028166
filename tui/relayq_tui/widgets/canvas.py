"""Put characters where they belong, then read the lines off: for what is drawn, not written.

Every cell holds one column. A wide character takes two; whatever is put on one of its
halves takes the other away too. What does not fit on the canvas is left out.

`stroke` gives the pieces that lines are drawn with, each by the sides it reaches to.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from rich.cells import get_character_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from relayq_tui.glyphs import Glyphs

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
_UNICODE = " ───│┘└┴│┐┌┬│┤├┼"
_ASCII = " ---|+++|+++|+++"
_PLAIN = Style()


def stroke(sides: int, glyphs: Glyphs) -> str:
    """The piece of a line that reaches to these sides."""
    return (_ASCII if glyphs.name == "ascii" else _UNICODE)[sides]


class Canvas:
    """A field of characters with their styles."""

    __slots__ = ("_cells", "height", "width")

    def __init__(self, width: int, height: int, style: Style = _PLAIN) -> None:
        self.width = width
        self.height = height
        self._cells = [[(" ", style)] * width for _ in range(height)]

    def put(self, x: int, y: int, text: str, style: Style = _PLAIN) -> int:
        """Write the text from here on; the column behind it."""
        for character in text:
            size = 1 if character.isascii() else get_character_cell_size(character)
            if size:
                self._set(x, y, character, style, size)
            x += size
        return x

    def fill(self, x: int, y: int, width: int, character: str, style: Style = _PLAIN) -> None:
        """The same character so many times."""
        self.put(x, y, character * width, style)

    def at(self, x: int, y: int) -> str:
        """The character of a cell, a blank outside."""
        return self._cells[y][x][0] if 0 <= x < self.width and 0 <= y < self.height else " "

    def strip(self, y: int) -> Strip:
        """One line of it."""
        if not 0 <= y < self.height:
            return Strip.blank(self.width)
        runs = groupby(self._cells[y], key=itemgetter(1))
        return Strip([Segment("".join(map(itemgetter(0), run)), style) for style, run in runs], self.width)

    def lines(self) -> Sequence[str]:
        """The text of it."""
        return [self.strip(y).text for y in range(self.height)]

    def _set(self, x: int, y: int, character: str, style: Style, size: int) -> None:
        if not (0 <= y < self.height and x >= 0 and x + size <= self.width):
            return
        row = self._cells[y]
        if row[x][0] == "" and x > 0:
            row[x - 1] = (" ", row[x - 1][1])
        end = x + size
        if end < self.width and row[end][0] == "":
            row[end] = (" ", row[end][1])
        row[x] = (character, style)
        if size == 2:
            row[x + 1] = ("", style)
