"""Escape and a key right behind it are two keys, whatever a terminal with Alt may mean by that.

Both send the same bytes, and over a slow line they come together. Textual makes Alt of a
letter, the bare key of a mark, and a sign of a Mac's keyboard of a digit: the escape is
lost. Nothing here wants Alt, so the two stay what they most likely are.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from textual import events
from textual.driver import Driver

ESCAPE = "\x1b"
INTRODUCERS = "[OPX]^_"  # of what terminals send behind an escape: cursor keys, the mouse, answers
PARSER, METHOD, MARK = "XTermParser", "_sequence_to_key_events", "keeps_escapes"


def _is_key(character: str) -> bool:
    """Is it a key by itself, or does a longer sequence begin like that?"""
    return character.isprintable() and character not in INTRODUCERS


def reading(parser: type) -> type:
    """A parser of what a terminal sends that reads keys as they were typed."""

    class Parser(parser):  # type: ignore[misc]  # a class that is known only now
        def _sequence_to_key_events(self, sequence: str, alt: bool = False) -> Iterable[events.Key]:
            """The keys of a sequence; `alt` says that an escape came before it."""
            is_pair = len(sequence) == 2 and sequence[0] == ESCAPE and _is_key(sequence[1])
            if alt or is_pair:
                yield events.Key("escape", ESCAPE)
            yield from super()._sequence_to_key_events(sequence[1:] if is_pair else sequence)

    setattr(Parser, MARK, True)
    return Parser


def listening(driver: type[Driver]) -> type[Driver]:
    """The driver, whose keys are read like that: it makes its parser by a name of its module.

    Neither name is promised by Textual. Where one is missing the driver stays as it is, and
    an escape with a key right behind it is what Textual makes of it.
    """
    module = vars(sys.modules[driver.__module__])
    parser = module.get(PARSER)
    if isinstance(parser, type) and hasattr(parser, METHOD) and not hasattr(parser, MARK):
        module[PARSER] = reading(parser)
    return driver
