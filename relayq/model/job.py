"""The job spec: what a submitter asks for, and its JSON.

A `JobSpec` is right by construction: whoever builds one, from JSON or in Python, gets
a SpecError that names the field and the limit, and nothing is queued. One table says
how each field is read and written, so the two cannot disagree. The JSON holds only
what differs from the defaults.

`routing` is what the hub must know to queue the job; it is not signed, and the worker
trusts the signed body (body.py) alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from relayq.errors import SpecError
from relayq.model.duration import (
    MAX_DURATION_MS,
    MAX_MOMENT_MS,
    parse_duration_ms,
    parse_moment_ms,
    parse_size,
    spell_duration,
    spell_moment,
    spell_size,
)
from relayq.model.ids import new_id, short
from relayq.model.lifecycle import KEEP_OUTPUT_BYTES
from relayq.model.needs import Needs, Placement, lane_of, parse_needs, parse_prefer
from relayq.model.notice import MAX_NOTICES, Notice
from relayq.model.parts import (
    MAX_ARRAY,
    ArraySpec,
    Blob,
    Dependency,
    Unique,
    read_rates,
    spell_rates,
)
from relayq.model.reading import (
    check_choice,
    check_depth,
    check_int,
    check_line,
    check_name,
    check_text,
    read_list,
    read_map,
    refuse_unknown,
    shown,
)
from relayq.model.retry import NO_RETRY, RETRY_FIELDS, RetryPolicy

__all__ = [
    "FIELDS",
    "MAX_ARRAY",
    "MAX_BODY_BYTES",
    "ArraySpec",
    "Blob",
    "Dependency",
    "JobSpec",
    "RetryPolicy",
    "Unique",
    "new_id",
    "routing",
    "short",
]

MAX_BODY_BYTES = 64 << 10
MAX_PRIORITY = 100
MAX_KEEP_OUTPUT_BYTES = 256 << 20
MAX_ITEMS = 256
MAX_PATH = 4096
MAX_LABEL = 200
ON_LOST = ("retry", "hold", "fail")


class JobSpec(Placement):
    """One unit of work as its submitter wants it.

    `command` is a shell line or the words of an argv. `at_ms` is a time since 1970, the
    other `_ms` are durations and 0 is none; `deadline_ms` counts from submit to start.
    `env`, `secrets` and `labels` are pairs; `args` is whatever the job type reads.
    """

    command: str | tuple[str, ...] = ""
    name: str = ""
    priority: int = 0
    retry: RetryPolicy = NO_RETRY
    timeout_ms: int = 0
    deadline_ms: int = 0
    delay_ms: int = 0
    at_ms: int = 0
    after: tuple[Dependency, ...] = ()
    array: ArraySpec | None = None
    unique: Unique | None = None
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    cwd: str = ""
    stdin: str = ""
    inputs: tuple[Blob, ...] = ()
    outputs: tuple[str, ...] = ()
    keep_output_bytes: int = KEEP_OUTPUT_BYTES
    on_lost: str = "retry"
    grace_ms: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    notify: tuple[Notice, ...] = ()
    args: Any = None

    def __post_init__(self) -> None:
        Placement.__post_init__(self)
        _check_command(self)
        _check_numbers(self)
        _check_environment(self)
        _check_files(self)
        _check_parts(self)

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> JobSpec:
        """Read the JSON of a job spec; fields that are null count as not given."""
        given = {name: value for name, value in read_map(mapping, "spec").items() if value is not None}
        refuse_unknown(given, FIELDS, "the job spec")
        fields = {}
        for name, value in given.items():
            if name in _CODECS:
                attribute, read, _ = _CODECS[name]
                fields[attribute] = read(value, name)
        if not given.keys().isdisjoint(RETRY_FIELDS):
            fields["retry"] = RetryPolicy.from_dict(given)
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the spec: what differs from the defaults; `from_dict` reads it back."""
        given = {
            name: write(value)
            for name, attribute, write, default in _WRITERS
            if (value := getattr(self, attribute)) is not default and value != default
        }
        return {**given, **self.retry.to_dict()}


def routing(spec: JobSpec, job: str) -> dict[str, Any]:
    """What the hub must know, under short keys; what is empty or the default is left out."""
    array, unique = spec.array, spec.unique
    known = {
        "p": spec.priority,
        "d": spec.delay_ms,
        "at": spec.at_ms,
        "D": spec.deadline_ms,
        "m": spec.retry.attempts if spec.retry.attempts > 1 else 0,
        "f": spec.on_lost if spec.on_lost != "retry" else "",
        "g": spec.grace_ms,
        "in": [item.stored for item in spec.inputs],
        "af": [[item.job, item.on, item.mode] for item in spec.after],
        "nt": [item.repo.lower() for item in spec.notify],
        "n": array.size if array else 0,
        "n0": array.start if array else 0,
        "sq": int(array.sequential) if array else 0,
        "u": [unique.key, unique.mode, unique.window_ms] if unique else [],
    }
    if spec.keep_output_bytes != KEEP_OUTPUT_BYTES:
        known["k"] = spec.keep_output_bytes
    return {"i": job, "l": lane_of(spec).id, **{k: value for k, value in known.items() if value or k == "k"}}


def _read_command(value: object, field: str) -> str | tuple[str, ...]:
    return value if isinstance(value, str) else tuple(read_list(value, field))


def _read_pairs(value: object, field: str) -> tuple[tuple[str, Any], ...]:
    return tuple(read_map(value, field, MAX_ITEMS).items())


def _read_limits(value: object, field: str) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(_read_pairs(value, field)))


def _read_needs(value: object, field: str) -> Needs:
    return parse_needs(value if isinstance(value, str) else read_list(value, field), field)


def _read_prefer(value: object, field: str) -> tuple[str, ...]:
    return parse_prefer(value if isinstance(value, str) else read_list(value, field), field)


def _read_each(read: Callable[[object], Any]) -> Callable[[Any, str], tuple[Any, ...]]:
    return lambda value, field: tuple(read(item) for item in read_list(value, field, MAX_ITEMS))


def _write_each(items: Iterable[Any]) -> list[Any]:
    return [item.to_json() for item in items]


def _same(value: Any, *_: str) -> Any:
    return value


def _to_json(value: Any) -> Any:
    return value.to_json()


# JSON name -> attribute, how it is read, how it is written.
_CODECS: dict[str, tuple[str, Callable[[Any, str], Any], Callable[[Any], Any]]] = {
    "command": (
        "command",
        _read_command,
        lambda command: command if isinstance(command, str) else [*command],
    ),
    "type": ("type", _same, _same),
    "name": ("name", _same, _same),
    "queue": ("queue", _same, _same),
    "needs": ("needs", _read_needs, Needs.to_list),
    "prefer": ("prefer", _read_prefer, list),
    "prefer_wait": ("prefer_wait_ms", parse_duration_ms, spell_duration),
    "priority": ("priority", _same, _same),
    "timeout": ("timeout_ms", parse_duration_ms, spell_duration),
    "deadline": ("deadline_ms", parse_duration_ms, spell_duration),
    "delay": ("delay_ms", parse_duration_ms, spell_duration),
    "at": ("at_ms", parse_moment_ms, spell_moment),
    "after": ("after", _read_each(Dependency.from_json), _write_each),
    "array": ("array", lambda value, _: ArraySpec.from_json(value), _to_json),
    "unique": ("unique", lambda value, _: Unique.from_json(value), _to_json),
    "limits": ("limits", _read_limits, dict),
    "rates": ("rates", read_rates, spell_rates),
    "share": ("share", _same, _same),
    "env": ("env", _read_pairs, dict),
    "secrets": ("secrets", _read_pairs, dict),
    "cwd": ("cwd", _same, _same),
    "stdin": ("stdin", _same, _same),
    "inputs": ("inputs", _read_each(Blob.from_json), _write_each),
    "outputs": ("outputs", _read_each(_same), list),
    "keep_output": ("keep_output_bytes", parse_size, spell_size),
    "on_lost": ("on_lost", _same, _same),
    "grace": ("grace_ms", parse_duration_ms, spell_duration),
    "labels": ("labels", _read_pairs, dict),
    "notify": ("notify", _read_each(Notice.from_json), _write_each),
    "args": ("args", _same, _same),
}
# The names that the JSON of a job spec may have.
FIELDS = frozenset((*_CODECS, *RETRY_FIELDS))
_WRITERS = [
    (name, attribute, write, JobSpec.DEFAULTS[attribute]) for name, (attribute, _, write) in _CODECS.items()
]

# Attribute, field, smallest, largest.
_RANGES = (
    ("priority", "priority", -MAX_PRIORITY, MAX_PRIORITY),
    ("timeout_ms", "timeout", 0, MAX_DURATION_MS),
    ("deadline_ms", "deadline", 0, MAX_DURATION_MS),
    ("delay_ms", "delay", 0, MAX_DURATION_MS),
    ("at_ms", "at", 0, MAX_MOMENT_MS),
    ("keep_output_bytes", "keep_output", 0, MAX_KEEP_OUTPUT_BYTES),
    ("grace_ms", "grace", 0, MAX_DURATION_MS),
)


def _check_command(spec: JobSpec) -> None:
    words = (spec.command,) if isinstance(spec.command, str) else spec.command
    for word in words:
        check_text(word, "command", MAX_BODY_BYTES)
    if spec.type == "shell" and not (words and words[0].strip()):
        raise SpecError("the command is empty (field 'command')")


def _check_numbers(spec: JobSpec) -> None:
    for attribute, field, low, high in _RANGES:
        if (value := getattr(spec, attribute)) != 0:
            check_int(value, field, low, high)
    check_choice(spec.on_lost, "on_lost", ON_LOST)


def _check_environment(spec: JobSpec) -> None:
    for field, pairs in (("env", spec.env), ("secrets", spec.secrets)):
        for name, value in pairs:
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", check_text(name, field, MAX_LABEL)):
                raise SpecError(f"{shown(name)} is not the name of a variable (field '{field}')")
            if name.startswith("RELAYQ_"):
                raise SpecError(f"{name} is refused: RELAYQ_... is set by the worker (field '{field}')")
            check_text(value, f"{field}.{name}", MAX_BODY_BYTES)
    for name, value in spec.labels:
        check_line(value, f"labels.{check_name(name, 'labels')}", MAX_LABEL)


def _check_files(spec: JobSpec) -> None:
    # Most jobs have none of it: what is empty needs no judge, in thousands of specs a second.
    if spec.name != "":
        check_line(spec.name, "name", MAX_LABEL)
    if spec.cwd != "":
        check_text(spec.cwd, "cwd", MAX_PATH)
    if spec.stdin != "":
        check_text(spec.stdin, "stdin", MAX_BODY_BYTES)
    for pattern in spec.outputs:
        parts = check_line(pattern, "outputs", MAX_PATH).split("/")
        if parts[0] == "" or ".." in parts:
            raise SpecError(f"{shown(pattern)} leads out of the work directory (field 'outputs')")
    if spec.args is not None:
        check_depth(spec.args, "the field 'args'")


def _check_parts(spec: JobSpec) -> None:
    if spec.retry is not NO_RETRY:
        spec.retry.check()
    if len(spec.notify) > MAX_NOTICES:
        raise SpecError(f"{len(spec.notify)} notices are too many: at most {MAX_NOTICES} (field 'notify')")
    for part in (*spec.after, *spec.inputs, *spec.notify, spec.array, spec.unique):
        if part:
            part.check()
    if spec.inputs:
        _check_names([item.name.casefold() for item in spec.inputs])
    if spec.delay_ms and spec.at_ms:
        raise SpecError("a delay and a time exclude each other (field 'at')")
    if spec.array is None and any(item.mode == "index" for item in spec.after):
        raise SpecError("only an array job can wait index to index (field 'after.mode')")


def _check_names(names: list[str]) -> None:
    if twice := {name for name in names if names.count(name) > 1}:
        raise SpecError(f"two input files are named {shown(min(twice))} (field 'inputs.name')")
