"""Turn a command and keyword options into a job spec.

The options carry the names of the JSON spec, which are the CLI's with underscores.
Python values that JSON has no word for (timedelta, datetime, Path, sets, one
comma-separated string for a list) are put into JSON's first, so that one strict
reader, `JobSpec.from_dict`, judges all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike, fspath
from shlex import quote
from typing import Any

from relayq.errors import SpecError
from relayq.model.job import JobSpec

PLACES = ("{}", "RELAYQ_ARRAY_")
LISTS = ("needs", "prefer")

# How the value stands in a shell line: outside quotes, inside double ones, inside single ones.
VALUE = "${RELAYQ_ARRAY_VALUE}"
IN_QUOTES = {"": f'"{VALUE}"', '"': VALUE, "'": f"'\"{VALUE}\"'"}


def spec_of(command: str | Sequence[str], options: Mapping[str, Any]) -> JobSpec:
    """The spec of `command` with `options`; SpecError names the field that is wrong."""
    if "command" in options:
        raise SpecError("the command is given twice (field 'command')")
    fields = {name: plain(value) for name, value in options.items() if value is not None}
    if "after" in fields:
        fields["after"] = [plain(item) for item in jobs_of(options["after"])]
    for name in LISTS:
        if name in fields:
            fields[name] = words(fields[name])
    if isinstance(fields.get("outputs"), str):
        fields["outputs"] = [fields["outputs"]]
    return JobSpec.from_dict({"command": plain(command), **fields})


def map_spec(template: str | Sequence[str], items: Iterable[object], options: Mapping[str, Any]) -> JobSpec:
    """The spec of an array job: `template` for each of `items`, put in place of `{}`."""
    values = [str(item) for item in items]
    if not values:
        raise SpecError("there is nothing to map: the list of items is empty (field 'array')")
    text = template if isinstance(template, str) else " ".join(template)
    if not any(place in text for place in PLACES):
        raise SpecError(
            "the command has no place for the items: write {} where one belongs (field 'command')"
        )
    return spec_of(with_value(template), {**options, "array": values})


def with_value(template: str | Sequence[str]) -> str:
    """A shell line that has the element's value wherever `template` has `{}`, as one word or part of one."""
    if not isinstance(template, str):
        return " ".join(f'"{VALUE}"'.join(map(quote, word.split("{}"))) for word in template)
    line, inside = [], ""
    for piece in re.split(r"""(\\.|['"]|\{\})""", template):
        # A backslash protects a quote, except between single quotes.
        mark = piece[-1:] if inside == "'" else piece
        if mark in ("'", '"') and inside in ("", mark):
            inside = "" if inside else mark
        line.append(IN_QUOTES[inside] if piece == "{}" else piece)
    return "".join(line)


def on_label(label: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """`options` with `label` among the needs."""
    return {**options, "needs": [label, *words(plain(options.get("needs") or []))]}


def jobs_of(after: Any) -> list[Any]:
    """What a job waits for, one or many: ids, items of a spec, or the handles of jobs."""
    items = after if isinstance(after, list | tuple | set | frozenset) else [after]
    return [getattr(item, "id", item) for item in items]


def words(value: Any) -> Any:
    """A comma-separated string as a list; anything else as it is."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value


def plain(value: Any) -> Any:
    """`value` in JSON's types."""
    if isinstance(value, timedelta):
        return f"{value // timedelta(milliseconds=1)}ms"
    if isinstance(value, datetime):
        return value.astimezone().isoformat()
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [plain(item) for item in value]
    return value


def with_files(
    options: Mapping[str, Any], put: Callable[[Iterable[Any]], list[dict[str, Any]]]
) -> Mapping[str, Any]:
    """`options` with the paths among `inputs` (one, or a list) put into the hub."""
    given = options.get("inputs") or ()
    given = [given] if isinstance(given, str | PathLike) else given
    paths = [item for item in given if not isinstance(item, Mapping)]
    if not paths:
        return options
    there = [item for item in given if isinstance(item, Mapping)]
    return {**options, "inputs": [*there, *put(paths)]}
