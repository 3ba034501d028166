"""The command line that submits a job once more, from its spec.

What `relayq submit` has no words for (files that were sent along, secrets, the lines of an
array) is kept by `relayq clone` alone: then that is the line.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from relayq.model.ids import short

Words = Iterator[str]


class Unsayable(ValueError):
    """There is no option for this."""


def submit_line(spec: Mapping[str, Any], job: str) -> str:
    """`relayq submit --queue gpu -- make`, or `relayq clone ID` where that would lose something."""
    try:
        return shlex.join(["relayq", "submit", *_options(spec), "--", *_command(spec.get("command"))])
    except Unsayable:
        return f"relayq clone {short(job)}"


def _options(spec: Mapping[str, Any]) -> Words:
    for name in spec.keys() - WAYS.keys() - {"command"}:
        raise Unsayable(name)
    for name, write in WAYS.items():
        if name in spec:
            yield from write(f"--{FLAGS.get(name, name).replace('_', '-')}", spec[name])


def _command(value: object) -> Words:
    """A line of shell is one word; a list of one word would become such a line."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and len(value) > 1:
        yield from map(str, value)
    else:
        raise Unsayable("command")


def _text(flag: str, value: object) -> Words:
    if not isinstance(value, str | int):
        raise Unsayable(flag)
    yield from (flag, str(value))


def _list(flag: str, value: object) -> Words:
    yield from (flag, ",".join(_strings(flag, value)))


def _each(flag: str, value: object) -> Words:
    for one in _strings(flag, value):
        yield from (flag, one)


def _after(flag: str, value: object) -> Words:
    """`ID` or `ID:any`; waiting index by index has no words."""
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            if not {"job", "on"}.issuperset(one):
                raise Unsayable(flag)
            yield from (flag, ":".join(map(str, filter(None, (one.get("job"), one.get("on"))))))
        else:
            yield from _text(flag, one)


def _pairs(flag: str, value: object) -> Words:
    if not isinstance(value, Mapping):
        raise Unsayable(flag)
    for name, one in value.items():
        yield from (flag, f"{name}={one}")


def _unique(flag: str, value: object) -> Words:
    if isinstance(value, Mapping) and isinstance(value.get("key"), str):
        how = value.get("window") if value.get("mode") == "window" else value.get("mode")
        value = f"{value['key']},{how}" if how else value["key"]
    yield from _text(flag, value)


def _strings(flag: str, value: object) -> list[str]:
    if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
        raise Unsayable(flag)
    return value


FLAGS = {"labels": "label", "limits": "limit", "rates": "rate", "outputs": "out"}
WAYS: dict[str, Callable[[str, object], Words]] = {
    **dict.fromkeys(("name", "queue", "type"), _text),
    **dict.fromkeys(("needs", "prefer"), _list),
    **dict.fromkeys(("prefer_wait", "priority", "attempts", "backoff"), _text),
    "retry_on": _list,
    **dict.fromkeys(("timeout", "deadline", "delay", "at"), _text),
    "after": _after,
    "array": _text,
    "unique": _unique,
    **dict.fromkeys(("limits", "rates"), _pairs),
    "share": _text,
    "env": _pairs,
    "cwd": _text,
    "outputs": _each,
    **dict.fromkeys(("keep_output", "on_lost", "grace"), _text),
    "notify": _each,
    "labels": _pairs,
}
