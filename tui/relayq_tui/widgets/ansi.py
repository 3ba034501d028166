"""Draw one line of output: its colours, and nothing else of what it tells a terminal.

Lines are decoded only when they are seen, and the last few thousand stay decoded: the
same bytes always look the same, so the bytes themselves are the key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.ansi import SGR_STYLE_MAP
from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from relayq.text import safe

KEPT_LINES = 4_096
TAB = 8
_PLAIN = Style()
_SGR = re.compile(r"\x1b\[([0-9;]*)m")


@lru_cache(maxsize=KEPT_LINES)
def decoded(raw: bytes) -> tuple[Segment, ...]:
    """The pieces of one line as a terminal would show it after the last carriage return."""
    text = safe(shown(raw).decode("utf-8", "replace"), keep_sgr=True, keep_newlines=True)
    if "\x1b" not in text and "\t" not in text:
        return (Segment(text, _PLAIN),)
    return tuple(_spread(_styled(text)))


def shown(raw: bytes) -> bytes:
    """What is left of a line that was written over: progress bars rewrite theirs again and again."""
    raw = raw.rstrip(b"\r")
    return raw[raw.rfind(b"\r") + 1 :] if b"\r" in raw else raw


def restyled(segments: Iterable[Segment], spans: Iterable[tuple[int, int]], style: Style) -> list[Segment]:
    """The same text with the characters of these spans in another style."""
    cuts = sorted({place for span in spans for place in span})
    inside = {start for start, end in spans if end > start}
    ends = {end for start, end in spans if end > start}
    found: list[Segment] = []
    at, is_inside = 0, False
    for text, own, _ in segments:
        for piece, place in _pieces(text, at, cuts):
            is_inside = place in inside or (is_inside and place not in ends)
            found.append(Segment(piece, style if is_inside else own))
        at += len(text)
    return found


def _pieces(text: str, at: int, cuts: list[int]) -> Iterator[tuple[str, int]]:
    """The text cut at these places, each piece with the place where it begins."""
    begin = 0
    for cut in (*(cut - at for cut in cuts if at < cut < at + len(text)), len(text)):
        yield text[begin:cut], at + begin
        begin = cut


def _styled(text: str) -> Iterator[Segment]:
    style, at = _PLAIN, 0
    for match in _SGR.finditer(text):
        if match.start() > at:
            yield Segment(text[at : match.start()], style)
        style, at = _changed(style, match[1]), match.end()
    if at < len(text):
        yield Segment(text[at:], style)


def _spread(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Tabs reach to the next multiple of eight columns."""
    column = 0
    for text, style, _ in segments:
        parts = text.split("\t")
        for part in parts[:-1]:
            column += cell_len(part)
            gap = TAB - column % TAB
            yield Segment(part + " " * gap, style)
            column += gap
        column += cell_len(parts[-1])
        yield Segment(parts[-1], style)


@lru_cache(maxsize=1_024)
def _changed(style: Style, codes: str) -> Style:
    """The style after one SGR sequence."""
    left = [int(code or 0) for code in codes.split(";")]
    while left:
        match left:
            case [0, *rest]:
                style = _PLAIN
            case [38 | 48 as ground, 5, number, *rest]:
                style += _ground(ground, Color.from_ansi(number))
            case [38 | 48 as ground, 2, red, green, blue, *rest]:
                style += _ground(ground, Color.from_rgb(red, green, blue))
            case [code, *rest]:
                style += Style.parse(SGR_STYLE_MAP.get(code, ""))
        left = rest
    return style


def _ground(code: int, colour: Color) -> Style:
    return Style.from_color(colour) if code == 38 else Style.from_color(None, colour)
