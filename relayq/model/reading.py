"""Read what strangers wrote, strictly: every refusal is a SpecError that names field and limit."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

from relayq.errors import SpecError

MAX_NAME = 64
MAX_DEPTH = 32

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.+@/-]*"


def read_json(data: bytes | str, what: str = "the job spec") -> Any:
    """JSON without its traps: no repeated keys, no NaN or Infinity, bounded nesting, UTF-8 only."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
        value = _STRICT.decode(text)
    except ValueError as error:
        why = "a number has too many digits" if "integer string conversion" in str(error) else error
        raise SpecError(f"{what} is not JSON: {why}") from None
    except RecursionError:
        raise _too_deep(what) from None
    if text.count("[") + text.count("{") >= MAX_DEPTH:
        check_depth(value, what)
    return value


def check_depth(value: object, what: str, left: int = MAX_DEPTH) -> None:
    """Refuse what is nested deeper than any spec needs."""
    if not left:
        raise _too_deep(what)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        check_depth(item, what, left - 1)


def check_int(value: object, field: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise SpecError(f"{shown(value)} is not a whole number (field '{field}')")
    if value < low:
        raise SpecError(f"{shown(value)} is too small: at least {low} (field '{field}')")
    if value > high:
        raise SpecError(f"{shown(value)} is too large: at most {high} (field '{field}')")
    return value


def check_text(value: object, field: str, limit: int) -> str:
    """Text of at most `limit` bytes without NUL; what is no UTF-8 stands in it as Python escapes it."""
    if not isinstance(value, str):
        raise SpecError(f"{shown(value)} is not text (field '{field}')")
    if "\0" in value:
        raise SpecError(f"{shown(value)} contains a NUL character (field '{field}')")
    try:
        size = len(value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        raise SpecError(f"{shown(value)} contains half a character (field '{field}')") from None
    if size > limit:
        raise SpecError(f"text of {size} bytes is too long: at most {limit} (field '{field}')")
    return value


def check_line(value: object, field: str, limit: int) -> str:
    """Text on one line."""
    text = check_text(value, field, limit)
    if "\n" in text or "\r" in text:
        raise SpecError(f"{shown(text)} has more than one line (field '{field}')")
    return text


def check_name(value: object, field: str) -> str:
    """A name: letters, digits and `_.+@/-`, at most 64 characters, not starting with a mark."""
    if not isinstance(value, str) or len(value) > MAX_NAME or not re.fullmatch(_NAME, value):
        raise SpecError(
            f"{shown(value)} is not a name: letters, digits and _.+@/-, at most {MAX_NAME} (field '{field}')"
        )
    return value


def check_choice(value: object, field: str, choices: Collection[str]) -> str:
    """One of the words."""
    if not isinstance(value, str) or value not in choices:
        raise SpecError(f"{shown(value)} is not one of {', '.join(choices)} (field '{field}')")
    return value


def check_bool(value: object, field: str) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise SpecError(f"{shown(value)} is neither true nor false (field '{field}')")
    return value


def read_list(value: object, field: str, limit: int | None = None) -> list[Any]:
    """A list (or tuple) of at most `limit` items."""
    if not isinstance(value, (list, tuple)):
        raise SpecError(f"{shown(value)} is not a list (field '{field}')")
    if limit is not None and len(value) > limit:
        raise SpecError(f"{len(value)} items are too many: at most {limit} (field '{field}')")
    return list(value)


def read_map(value: object, field: str, limit: int | None = None) -> dict[str, Any]:
    """An object with text keys and at most `limit` items."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise SpecError(f"{shown(value)} is not an object (field '{field}')")
    if limit is not None and len(value) > limit:
        raise SpecError(f"{len(value)} items are too many: at most {limit} (field '{field}')")
    return dict(value)


def refuse_unknown(mapping: Mapping[str, object], known: Collection[str], what: str) -> None:
    """Name the first field that nobody reads, and the one that was perhaps meant."""
    for name in mapping:
        if name not in known:
            from difflib import get_close_matches

            near = get_close_matches(name[:MAX_NAME], list(known), 1)
            hint = f": did you mean '{near[0]}'?" if near else "; perhaps a newer RelayQ knows it"
            raise SpecError(f"unknown field {shown(name)} in {what}{hint}")


def shown(value: object) -> str:
    """A value in a message: as Python writes it, cut at 60 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {shown(twice)} stands there twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is not a number")
    return number


def _too_deep(what: str) -> SpecError:
    return SpecError(f"{what} is nested too deeply: at most {MAX_DEPTH} levels")


# Made once: json.loads makes one for each call that names a hook.
_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_finite, parse_float=_finite)
