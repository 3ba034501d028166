"""Hold the output of a job as raw lines, and find text in it.

Output arrives in pieces that may end anywhere. A line that is not finished stays open
for its stream, whatever the other stream writes meanwhile. Notes (an attempt ended,
output was left out) are lines of their own. Only so many lines and bytes are kept; the
oldest go first. Nothing is decoded here except to be searched.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from relayq_tui.widgets.ansi import shown

STDOUT, STDERR, NOTE, BAD_NOTE = 1, 2, 3, 4
MOST_LINES = 150_000
MOST_BYTES = 24 << 20
LINE_BYTES = 16 << 10
SPARE = 10  # a tenth more goes at once, so that not every line moves all the others
_SEARCHED_AT_ONCE = 4_096
_SGR = re.compile(rb"\x1b\[[0-9;]*m")
_HIDDEN = re.compile(rb"[^\n]*\r(?=[^\n\r])")


class Piece(NamedTuple):
    """Output as it came: the stream, the bytes, and when (the hub's time; 0 is unknown)."""

    stream: int
    data: bytes
    at_ms: int = 0


class LogBuffer:
    """Lines with their stream and the time they came; `dropped` of the oldest are gone."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.streams = bytearray()
        self.times = array("q")
        self.attempts: list[int] = []
        self.size = 0
        self.dropped = 0
        self.matches: list[int] = []
        self.pattern: re.Pattern[str] | None = None
        self.wanted = ""
        self._open: dict[int, int] = {}
        self._searched = 0

    def __len__(self) -> int:
        return len(self.lines)

    def append(self, pieces: Iterable[Piece]) -> None:
        """Add output in the order it was written."""
        for (stream, at_ms), group in groupby(pieces, key=itemgetter(0, 2)):
            self._add(stream, b"".join(map(itemgetter(1), group)), at_ms)
        self._forget_oldest()
        self._search_on()

    def note(self, text: str, at_ms: int = 0, *, is_bad: bool = False, attempt: int = 0) -> None:
        """Add a line that is no output; with `attempt`, that attempt's output begins below it."""
        self._open.clear()
        if attempt:
            self.attempts.append(len(self.lines))
        self._extend(BAD_NOTE if is_bad else NOTE, [text.encode()], at_ms)
        self._search_on()

    def search(self, pattern: str) -> int:
        """Look for a regular expression, or for the text itself when it is none; how many lines have it.

        Capitals matter only when the pattern has some. The empty pattern ends the search.
        """
        self.wanted = pattern
        flags = re.IGNORECASE if pattern == pattern.lower() else re.NOFLAG
        try:
            self.pattern = re.compile(pattern, flags) if pattern else None
        except (re.error, OverflowError, RecursionError):
            self.pattern = re.compile(re.escape(pattern), flags)
        self.matches, self._searched = [], 0
        self._search_on()
        return len(self.matches)

    def next_match(self, line: int, step: int) -> int | None:
        """The match after (1) or before (-1) this line, round the end if need be."""
        if not self.matches:
            return None
        index = bisect_right(self.matches, line) if step > 0 else bisect_left(self.matches, line) - 1
        return self.matches[index % len(self.matches)]

    def next_with(self, pattern: re.Pattern[str], line: int) -> int | None:
        """The first line after this one that has the pattern, round the end if need be."""
        for first in (line + 1, 0):
            for place, text in enumerate(self._texts(first), first):
                if pattern.search(text):
                    return place
        return None

    def at_time(self, at_ms: int) -> int:
        """The first line that came at this time or later."""
        return min(bisect_left(self.times, at_ms), max(0, len(self.lines) - 1))

    def _add(self, stream: int, data: bytes, at_ms: int) -> None:
        *finished, rest = data.split(b"\n")
        opened = self._open.pop(stream, None)
        if opened is not None and not self._has_grown(opened, finished[0] if finished else rest):
            opened = None
        if opened is not None and not finished:
            self._open[stream] = opened
            return
        self._extend(stream, finished if opened is None else finished[1:], at_ms)
        if rest:
            self._extend(stream, [rest], at_ms)
            self._open[stream] = len(self.lines) - 1

    def _has_grown(self, line: int, more: bytes) -> bool:
        """Add to an open line; False when it is so long that what follows is a line of its own."""
        before = shown(self.lines[line]) + b"\r" * self.lines[line].endswith(b"\r")
        if len(before) + len(more) > LINE_BYTES:
            return False
        after = before + more
        self.size += len(after) - len(self.lines[line])
        self.lines[line] = after
        self._searched = min(self._searched, line)
        return True

    def _extend(self, stream: int, lines: list[bytes], at_ms: int) -> None:
        if max(map(len, lines), default=0) > LINE_BYTES:
            lines = [part for line in lines for part in _broken(line)]
        self.lines += lines
        self.streams += bytes([stream]) * len(lines)
        self.times.extend(array("q", [at_ms]) * len(lines))
        self.size += sum(map(len, lines))

    def _forget_oldest(self) -> None:
        surplus = len(self.lines) - MOST_LINES
        if surplus <= 0 and self.size <= MOST_BYTES:
            return
        count = max(surplus, 0) + len(self.lines) // SPARE
        self.size -= sum(map(len, self.lines[:count]))
        del self.lines[:count], self.streams[:count], self.times[:count]
        self.dropped += count
        self.attempts = [line - count for line in self.attempts if line >= count]
        self.matches = [line - count for line in self.matches if line >= count]
        self._open = {stream: line - count for stream, line in self._open.items() if line >= count}
        self._searched = max(0, self._searched - count)
        self._forget_oldest()

    def _search_on(self) -> None:
        """Search what has come since; open lines are searched again."""
        if self.pattern is None:
            return
        find, first = self.pattern.search, self._searched
        del self.matches[bisect_left(self.matches, first) :]
        self.matches += [line for line, text in enumerate(self._texts(first), first) if find(text)]
        self._searched = min(self._open.values(), default=len(self.lines))

    def _texts(self, first: int) -> Iterator[str]:
        """What is seen of each line, without its colours."""
        for start in range(first, len(self.lines), _SEARCHED_AT_ONCE):
            block = b"\n".join(self.lines[start : start + _SEARCHED_AT_ONCE])
            if b"\x1b" in block:
                block = _SGR.sub(b"", block)
            if b"\r" in block:
                block = _HIDDEN.sub(b"", block)
            yield from block.decode("utf-8", "replace").split("\n")


def _broken(line: bytes) -> list[bytes]:
    """A line in parts that can be drawn."""
    return [line[start : start + LINE_BYTES] for start in range(0, len(line), LINE_BYTES)] or [line]
