"""Updates as JSON: to remember them for the next start, and to record and replay a whole session.

A recording is a file of lines: a header, then each update with the milliseconds since
the recording began. What is at its default is left out. There is no output of jobs in
it and no spec.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from relayq.errors import ConfigError, UsageError
from relayq.model.lifecycle import State
from relayq.store.records import ArrayCounts
from relayq.text import safe
from relayq_tui.feed import (
    BudgetChanged,
    Connection,
    Counts,
    EventsSeen,
    JobsChanged,
    JobsGone,
    Post,
    SchedulesChanged,
    Series,
    Snapshot,
    Update,
    WorkersChanged,
)
from relayq_tui.rows import BudgetView, EventRow, JobRow, Sample, ScheduleRow, WorkerRow

VERSION = 1
UPDATES = {
    one.__name__: one
    for one in (Snapshot, JobsChanged, JobsGone, WorkersChanged, Counts, Series, Connection, EventsSeen,
                SchedulesChanged, BudgetChanged)
}  # fmt: skip


def dump(update: Update) -> dict[str, Any]:
    """An update as JSON."""
    return {"kind": type(update).__name__, **_plain(update)}


def load(document: Mapping[str, Any]) -> Update:
    """The update that was dumped; ValueError, KeyError or TypeError when it is none."""
    given = dict(document)
    update: Update = _built(UPDATES[given.pop("kind")], given)
    return update


def _plain(value: Any) -> Any:
    """Dataclasses as objects without what is at its default, sequences as lists."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = {field.name: getattr(value, field.name) for field in fields(value)}
        defaults = _defaults(value.__class__)
        return {name: _plain(one) for name, one in pairs.items() if one != defaults.get(name, MISSING)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _rows(cls: type) -> Callable[[Any], list[Any]]:
    return lambda given: [_built(cls, one) for one in given]


def _built(cls: Any, given: Mapping[str, Any]) -> Any:
    """An object of the class."""
    return cls(**{name: READERS.get((cls, name), _same)(value) for name, value in given.items()})


@cache
def _defaults(cls: type) -> dict[str, Any]:
    """What is left out when it is this."""
    return {field.name: field.default for field in fields(cls) if field.default is not MISSING}


def _same(value: Any) -> Any:
    return tuple(map(_same, value)) if isinstance(value, list) else value


def _harmless(value: Any) -> Any:
    """The same with every text safe for a terminal."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list):
        return [_harmless(one) for one in value]
    if isinstance(value, dict):
        return {safe(name): _harmless(one) for name, one in value.items()}
    return value


def _states(given: Mapping[str, int]) -> dict[State, int]:
    return {State(name): count for name, count in given.items()}


READERS: dict[tuple[type, str], Callable[[Any], Any]] = {
    (Snapshot, "jobs"): _rows(JobRow),
    (JobsChanged, "jobs"): _rows(JobRow),
    (WorkersChanged, "workers"): _rows(WorkerRow),
    (EventsSeen, "events"): _rows(EventRow),
    (SchedulesChanged, "schedules"): _rows(ScheduleRow),
    (BudgetChanged, "budget"): lambda given: given and _built(BudgetView, given),
    (Counts, "by_state"): _states,
    (JobRow, "state"): State,
    (JobRow, "array"): lambda given: _built(ArrayCounts, given),
    (WorkerRow, "history"): lambda given: tuple(_built(Sample, one) for one in given),
    (ScheduleRow, "last_state"): State,
}


class Recorder:
    """Writes what a feed posts into a file, on its way to the store."""

    def __init__(self, path: Path, name: str, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._began_ms = now_ms()
        try:
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}") from error
        self._write({"relayq": VERSION, "name": name, "at_ms": self._began_ms})

    def post(self, update: Update) -> None:
        """Write an update down."""
        self._write({"ms": self._now_ms() - self._began_ms, "update": dump(update)})

    def tee(self, post: Post) -> Post:
        """Write down and pass on."""

        def both(update: Update) -> None:
            self.post(update)
            post(update)

        return both

    def close(self) -> None:
        """The recording is over."""
        self._file.close()

    def _write(self, document: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(document, separators=(",", ":")) + "\n")


class Recording(NamedTuple):
    """A recording that was opened: whose it is, when it began, and its lines."""

    name: str
    at_ms: int
    path: Path

    def updates(self) -> Iterator[tuple[int, Update]]:
        """(milliseconds since it began, update) in order; ConfigError at the first that is none.

        Whoever recorded it may be a stranger: what its texts would tell a terminal is taken out.
        """
        number = 1
        try:
            with self.path.open(encoding="utf-8") as file:
                next(file)
                for line in file:
                    number += 1
                    document = _harmless(json.loads(line))
                    yield int(document["ms"]), load(document["update"])
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"the recording is damaged in line {number}: it ends here") from error


def opened(path: Path) -> Recording:
    """Open a recording; UsageError when the file is none."""
    try:
        with path.open(encoding="utf-8") as file:
            header = json.loads(file.readline())
        if header["relayq"] != VERSION:
            raise UsageError(f"{path} was recorded by another version of RelayQ: record it again")
        return Recording(safe(str(header["name"])), int(header["at_ms"]), path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no recording: make one with `relayq tui --record FILE`") from error
