"""Complete the word of a query in which the cursor stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from relayq.query.fields import FIELDS, STATE_WORDS
from relayq.query.grammar import GROUPS, SORTS
from relayq.query.scan import quote

MOST = 50
_WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"?|[^\s"(])*\Z')
_PLAIN = re.compile(r"[^\s\"(),<>=~*?-][^\s\"(),*?]*")


def complete(text: str, cursor: int, values: Mapping[str, Sequence[str]]) -> list[str]:
    """What the word before the cursor may become, best first: fields, or values of its field.

    `values` are the known values by field (queues, workers, labels...). `insert` puts
    one of the answers in the place of the word.
    """
    word = _word_before(text, cursor)
    sign = "-" if word.startswith("-") else ""
    field, colon, value = word.removeprefix("-").partition(":")
    if not colon:
        names = [*FIELDS, *(() if sign else ("sort", "group"))]
        return [f"{sign}{name}:" for name in names if name.startswith(field.lower())]
    chosen, _, begun = value.rpartition(",")
    before = f"{sign}{field}:{chosen},"[: None if chosen else -1]
    candidates = _candidates(field.lower(), values)
    taken = set(chosen.split(","))
    return [before + spelled for spelled in _fitting(candidates, begun) if spelled not in taken][:MOST]


def insert(text: str, cursor: int, word: str) -> tuple[str, int]:
    """The text with `word` for the word before the cursor, and where the cursor stands then."""
    start = cursor - len(_word_before(text, cursor))
    is_finished = not word.endswith(":")
    rest = text[cursor:]
    space = " " if is_finished and not rest.startswith((" ", ")")) else ""
    return text[:start] + word + space + rest, start + len(word) + len(space)


def _word_before(text: str, cursor: int) -> str:
    match = _WORD.search(text, 0, cursor)
    return match.group() if match else ""


def _candidates(field: str, values: Mapping[str, Sequence[str]]) -> Iterable[str]:
    if field == "state":
        return STATE_WORDS
    if field == "sort":
        return [sign + name for name in SORTS for sign in ("-", "")]
    if field == "group":
        return GROUPS
    known = [value if _PLAIN.fullmatch(value) else quote(value) for value in values.get(field, ())]
    return [*known, *(FIELDS[field].examples if field in FIELDS else ())]


def _fitting(candidates: Iterable[str], begun: str) -> list[str]:
    """Those that begin with what was typed, then those that have it in them."""
    typed = begun.lower().strip('"')
    fitting = [spelled for spelled in dict.fromkeys(candidates) if typed in spelled.lower()]
    return sorted(fitting, key=lambda spelled: not spelled.lower().lstrip('"').startswith(typed))
