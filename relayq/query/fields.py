"""The fields of the query language, as one table, and how each kind of value is tested.

A test is a closure over what the value was compiled to: it is called for a hundred
thousand rows while somebody types. `cost` says how dear it is, so that a conjunction
asks the cheap ones first. A row is any object with the attributes named here.
"""

from __future__ import annotations

import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from relayq.errors import SpecError
from relayq.model.duration import parse_duration_ms
from relayq.model.lifecycle import FINAL, State
from relayq.query.scan import Item

Test = Callable[[Any, int], bool]
Get = Callable[[Any, int], Any]

_COMPARE = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq}
_ID_CHARACTERS = frozenset("0123456789ABCDEFGHJKMNPQRSTVWXYZ:")
_SHORT_FROM = 10  # people see the last six of sixteen characters
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")

_WAITING = frozenset({State.PENDING, State.RUNNABLE})
STATE_WORDS: dict[str, frozenset[State]] = {
    **{state.lower(): frozenset({state}) for state in State},
    "run": frozenset({State.RUNNING}),
    "later": frozenset({State.PENDING}),
    "deps": frozenset({State.PENDING}),
    "waiting": _WAITING,
    "queued": _WAITING,
    "lost": frozenset({State.UNREACHABLE}),
    "done": frozenset({State.SUCCEEDED}),
    "late": frozenset({State.EXPIRED}),
    "alive": frozenset(State) - FINAL,
    "ended": FINAL,
}


class BadValue(Exception):
    """A value that its field cannot take; `offset` is the place in the item's text."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `get` reads it from (row, now_ms), `test` compiles one value of it."""

    name: str
    kind: str
    help: str
    get: Get
    test: Callable[[Get, Item], Test]
    cost: int
    examples: tuple[str, ...] = ()


def all_of(tests: list[Test]) -> Test:
    """True where every test is."""
    match tests:
        case []:
            return lambda _row, _now: True
        case [only]:
            return only
        case [first, second]:
            return lambda row, now_ms: first(row, now_ms) and second(row, now_ms)
    first, rest = tests[0], all_of(tests[1:])
    return lambda row, now_ms: first(row, now_ms) and rest(row, now_ms)


def any_of(tests: list[Test]) -> Test:
    """True where one test is."""
    if len(tests) == 1:
        return tests[0]
    first, rest = tests[0], any_of(tests[1:])
    return lambda row, now_ms: first(row, now_ms) or rest(row, now_ms)


def none_of(test: Test) -> Test:
    """True where the test is not."""
    return lambda row, now_ms: not test(row, now_ms)


def states_of(item: Item) -> frozenset[State]:
    """The states that a word means; an unambiguous beginning is enough."""
    word = item.text.lower()
    found = {states for name, states in STATE_WORDS.items() if name.startswith(word)}
    states = STATE_WORDS.get(word) or (found.pop() if len(found) == 1 else None)
    if states is None or item.operator:
        names = ", ".join(state.lower() for state in State)
        raise BadValue(f"there is no state {item.operator + item.text!r}; the states are {names}")
    return states


def bare(item: Item) -> Test:
    """The test of a word without a field: in the name, in the command, or how the id begins."""
    matches, spelled = _text_matcher(item), item.text.upper()
    if item.operator == "~" or item.has_wildcard or not _ID_CHARACTERS.issuperset(spelled):
        return lambda row, _now: matches(row.name) or matches(row.command)
    return lambda row, _now: matches(row.name) or matches(row.command) or _is_id(row.id, spelled)


def is_plain(item: Item) -> bool:
    """Is it text to be looked for as it stands?"""
    return not item.operator and not item.has_wildcard


def one_of_words(items: Iterable[Item]) -> Test:
    """What `bare` says of any of some plain words, with the text made small only once."""
    words = [item.text.lower() for item in items]
    ids = tuple(word.upper() for word in words if _ID_CHARACTERS.issuperset(word.upper()))
    begin = {word[0] for word in ids}

    def test(row: Any, _now: int) -> bool:
        text = f"{row.name}\n{row.command}".lower()
        for word in words:
            if word in text:
                return True
        job = row.id
        may_be = job[:1] in begin or job[_SHORT_FROM : _SHORT_FROM + 1] in begin
        return may_be and (job.startswith(ids) or job.startswith(ids, _SHORT_FROM))

    return test


def run_ms(row: Any, now_ms: int) -> int | None:
    """How long the last attempt has run; None when none has begun."""
    if not row.started_ms or row.state in _WAITING:
        return None
    ended_ms = row.ended_ms if row.state in FINAL and row.ended_ms else now_ms
    return max(0, int(ended_ms - row.started_ms))


def wait_ms(row: Any, now_ms: int) -> int:
    """How long it has waited for a worker since it was ready."""
    until_ms = row.started_ms or row.ended_ms or now_ms
    return max(0, int(until_ms - (row.ready_ms or row.submitted_ms)))


def age_ms(row: Any, now_ms: int) -> int:
    """How long ago it was submitted."""
    return int(now_ms - row.submitted_ms)


def _attribute(name: str) -> Get:
    get = attrgetter(name)
    return lambda row, _now: get(row)


def _cost(row: Any, _now: int) -> float | None:
    """What it cost in dollars; most jobs cost nothing that anybody knows of."""
    found = getattr(row, "cost", None)
    return found if found is None else float(found)


def _submitted_run(row: Any, _now: int) -> str:
    return str(row.labels.get("run", ""))


def _state(get: Get, item: Item) -> Test:
    states = states_of(item)
    if len(states) == 1:
        (only,) = states
        return lambda row, now_ms: bool(get(row, now_ms) == only)
    return lambda row, now_ms: get(row, now_ms) in states


def _name(get: Get, item: Item) -> Test:
    """Names are compared whole, and letters in capitals matter."""
    if item.operator in ("", "=") and not item.has_wildcard:
        wanted = item.text
        return lambda row, now_ms: bool(get(row, now_ms) == wanted)
    matches = _regex(item) if item.operator == "~" else _wildcard(item)
    return lambda row, now_ms: matches(get(row, now_ms))


def _text(get: Get, item: Item) -> Test:
    matches = _text_matcher(item)
    return lambda row, now_ms: matches(get(row, now_ms))


def _text_matcher(item: Item) -> Callable[[str], bool]:
    """Is the value in the text, in letters of any case?"""
    if item.operator == "~":
        return _regex(item)
    if item.has_wildcard:
        return _wildcard(item, re.IGNORECASE)
    wanted = item.text.lower()
    if item.operator == "=":
        return lambda text: text.lower() == wanted
    _refuse_order(item)
    return lambda text: wanted in text.lower()


def _regex(item: Item) -> Callable[[str], bool]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a hint of a later Python would be printed over the screen
            search = re.compile(item.text, re.IGNORECASE).search
    except (re.error, OverflowError, RecursionError) as error:
        place = getattr(error, "pos", None) or 0
        raise BadValue(f"this is no regular expression: {error}", place) from None
    return lambda text: search(text) is not None


def _wildcard(item: Item, flags: int = 0) -> Callable[[str], bool]:
    _refuse_order(item)
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in re.sub(r"\*+", "*", item.text))
    match = re.compile("".join(parts), flags | re.DOTALL).fullmatch
    return lambda text: match(text) is not None


def _refuse_order(item: Item) -> None:
    if item.operator in ("<", ">", "<=", ">="):
        raise BadValue(f"text has no order: leave {item.operator!r} out, or put it in quotes")


def _number(get: Get, item: Item) -> Test:
    return _ordered(get, item, _read_number)


def _ordered(get: Get, item: Item, read: Callable[[str], float]) -> Test:
    lowest, dots, highest = item.text.partition("..")
    if dots and not item.operator:
        low, high = read(lowest), read(highest)
        return lambda row, now_ms: (value := get(row, now_ms)) is not None and low <= value <= high
    if item.text == "none" and item.operator in ("", "="):
        return lambda row, now_ms: get(row, now_ms) is None
    compare, bound = _comparison(item), read(item.text)
    return lambda row, now_ms: (value := get(row, now_ms)) is not None and compare(value, bound)


def _duration(get: Get, item: Item) -> Test:
    if not item.operator and ".." not in item.text and item.text != "none":
        text = item.text
        raise BadValue(f"say whether it is longer or shorter: >{text}, <{text}, or a range like 5m..10m")
    return _ordered(get, item, _read_duration)


def _comparison(item: Item) -> Callable[[float, float], bool]:
    if item.operator == "~":
        raise BadValue("a number has no pattern: write 5, >5, <=5 or 1..5")
    return _COMPARE[item.operator or "="]


def _read_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise BadValue(f"{text!r} is not a number")
    return float(text)


def _read_duration(text: str) -> float:
    try:
        return parse_duration_ms(text)
    except SpecError:
        raise BadValue(f"{text!r} is not a duration: write 90s, 15m, 1h30m, 2h or 3d") from None


def _own_label(get: Get, item: Item) -> Test:
    has = _label_matcher(item)
    return lambda row, now_ms: has(get(row, now_ms))


def _any_label(get: Get, item: Item) -> Test:
    if is_plain(item) and "=" not in item.text:
        wanted = item.text
        return lambda row, _now: wanted in row.labels or (wanted in row.needs and wanted in _words(row.needs))
    has, needed = _label_matcher(item), _needs_matcher(item)
    return lambda row, now_ms: has(get(row, now_ms)) or needed(row.needs)


def _label_matcher(item: Item) -> Callable[[Mapping[str, str]], bool]:
    """Is there a label of this name, or of this name and value?"""
    matches = _word_matcher(item)
    if matches is None:
        name, equals, value = item.text.partition("=")
        return lambda labels: name in labels and (not equals or labels[name] == value)
    return lambda labels: any(matches(k) or matches(f"{k}={v}") for k, v in labels.items())


def _needs_matcher(item: Item) -> Callable[[str], bool]:
    """Is it one of the needs?"""
    matches = _word_matcher(item)
    if matches is None:
        wanted = item.text
        return lambda needs: wanted in needs and wanted in _words(needs)
    return lambda needs: any(map(matches, _words(needs)))


def _word_matcher(item: Item) -> Callable[[str], bool] | None:
    """None when it is a word that stands for itself."""
    if item.operator == "~":
        return _regex(item)
    _refuse_order(item)
    return _wildcard(item) if item.has_wildcard else None


def _words(needs: str) -> list[str]:
    return needs.replace(",", " ").split()


def _own_id(row: Any, _now: int) -> Iterable[str]:
    return (row.id,)


def _id(get: Get, item: Item) -> Test:
    beginning = _id_beginning(item)
    return lambda row, now_ms: any(_is_id(job, beginning) for job in get(row, now_ms))


def _id_beginning(item: Item) -> str:
    beginning = item.text.upper()
    if item.operator or not beginning.replace(":", "").isalnum():
        raise BadValue(f"{item.operator + item.text!r} is not how the id of a job begins")
    return beginning


def _is_id(job: str, beginning: str) -> bool:
    return job.startswith(beginning) or job.startswith(beginning, _SHORT_FROM)


_ROWS = (
    Field("state", "state", "where it stands", _attribute("state"), _state, 1, tuple(STATE_WORDS)),
    Field("queue", "name", "its queue, whole or with *", _attribute("queue"), _name, 2),
    Field("worker", "name", "the worker it runs or ran on", _attribute("worker"), _name, 2),
    Field("prio", "number", "its priority", _attribute("priority"), _number, 3, (">=5", "<0")),
    Field("exit", "number", "its exit code", _attribute("exit_code"), _number, 3, ("0", ">0", "137", "none")),
    Field("try", "number", "how many attempts began", _attribute("attempt"), _number, 3, (">1",)),
    Field("cost", "number", "what it cost in dollars", _cost, _number, 3, (">0.01",)),
    Field("id", "id", "how its id begins", _own_id, _id, 3),
    Field("age", "duration", "time since it was submitted", age_ms, _duration, 4, ("<1h", "<1d", "<7d")),
    Field("dur", "duration", "how long it has run", run_ms, _duration, 4, (">1m", ">5m", ">1h")),
    Field("wait", "duration", "how long it waited for a worker", wait_ms, _duration, 4, (">30s", ">5m")),
    Field("after", "id", "a job it depends on", _attribute("after"), _id, 5),
    Field("tag", "label", "a label of its own", _attribute("labels"), _own_label, 6),
    Field("label", "label", "a label of its own, or one it needs", _attribute("labels"), _any_label, 7),
    Field("run", "text", "the Actions run that submitted it", _submitted_run, _text, 8),
    Field("by", "text", "who submitted it", _attribute("by"), _text, 9),
    Field("reason", "text", "why it waits or ended", _attribute("reason"), _text, 9),
    Field("name", "text", "part of its name, or ~regex", _attribute("name"), _text, 10),
    Field("cmd", "text", "part of its command, or ~regex", _attribute("command"), _text, 11),
)
FIELDS: dict[str, Field] = {field.name: field for field in _ROWS}
BARE_COST = 12
