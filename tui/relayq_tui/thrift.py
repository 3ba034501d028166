"""Say in fewer bytes how the next letters look: over a phone's link every step of the cursor is waited for.

Textual ends each piece of text with a reset and begins the next with all of its style.
Here only what is different is said: a row on a coloured ground names the ground once. Each
write stands for itself, from no style to no style; one with anything unusual in it passes
as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from textual.driver import Driver

SGR = re.compile(r"\x1b\[([0-9;:]*)m")
COLOUR_WORDS = {"5": 3, "2": 5}  # how many words 38;5;n and 38;2;r;g;b are


class Look(NamedTuple):
    """How letters look: attributes that are on, and the words for both colours, empty for the usual."""

    on: tuple[str, ...] = ()
    fore: str = ""
    back: str = ""


PLAIN = Look()


class Unusual(ValueError):
    """A style that is left to the terminal."""


def thrifty(data: str) -> str:
    """The same for every terminal, with no more said of styles than must be."""
    pieces = SGR.split(data)
    if len(pieces) < 5:
        return data
    said, now, wanted = [pieces[0]], PLAIN, PLAIN
    try:
        for words, text in zip(pieces[1::2], pieces[2::2], strict=True):
            wanted = _after(wanted, words)
            if text:
                said += (_change(now, wanted), text)
                now = wanted
    except Unusual:
        return data
    return "".join((*said, _change(now, wanted)))


@lru_cache(maxsize=4_096)
def _after(look: Look, text: str) -> Look:
    """How letters look after these words."""
    words = text.split(";")
    while words:
        code = int(words[0] or 0) if words[0].isdigit() or not words[0] else -1
        size = COLOUR_WORDS.get(words[1] if len(words) > 1 else "", 0) if code in (38, 48) else 1
        if not 0 < size <= len(words):
            raise Unusual(text)
        look = _with(look, code, ";".join(words[:size]))
        words = words[size:]
    return look


def _with(look: Look, code: int, words: str) -> Look:
    if code == 0:
        return PLAIN
    if 1 <= code <= 9:
        return look._replace(on=tuple(sorted({*look.on, words})))
    if 30 <= code <= 39 or 90 <= code <= 97:
        return look._replace(fore="" if code == 39 else words)
    if 40 <= code <= 49 or 100 <= code <= 107:
        return look._replace(back="" if code == 49 else words)
    raise Unusual(words)


@lru_cache(maxsize=4_096)
def _change(now: Look, wanted: Look) -> str:
    """The shortest way from one look to another."""
    if now == wanted:
        return ""
    afresh = [word for word in (*wanted.on, wanted.fore, wanted.back) if word]
    said = f"\x1b[{';'.join(['0', *afresh])}m"
    if not set(now.on) <= set(wanted.on):
        return said
    words = [word for word in wanted.on if word not in now.on]
    words += [wanted.fore or "39"] if wanted.fore != now.fore else []
    words += [wanted.back or "49"] if wanted.back != now.back else []
    return min(said, f"\x1b[{';'.join(words)}m", key=len)


def sparing(driver: type[Driver]) -> type[Driver]:
    """A driver that writes the same in fewer bytes."""

    class Sparing(driver):  # type: ignore[valid-type,misc]  # a class that is known only now
        def write(self, data: str) -> None:
            super().write(thrifty(data))

    return Sparing
