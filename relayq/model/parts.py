"""The compound fields of a job spec, each with the JSON it is written in.

Dependency   {"job": ID, "on": "ok|any|failed", "mode": "whole|index"}   or "ID", "ID:failed", "ID:index"
ArraySpec    100, "5-20", ["a.png", "b.png"]   or {"size", "start", "values", "sequential"}
Unique       "KEY"   or {"key", "mode", "window"}
Blob         {"name", "sha256", "size"}: an input file
rates        {"api": "10/1m"}
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from relayq.errors import SpecError
from relayq.model.duration import MAX_DURATION_MS, format_size, parse_duration_ms, spell_duration
from relayq.model.ids import check_id
from relayq.model.reading import (
    check_bool,
    check_choice,
    check_int,
    check_line,
    check_text,
    read_list,
    read_map,
    refuse_unknown,
    shown,
)

MAX_ARRAY = 10_000_000
MAX_INDEX = (1 << 31) - 1
MAX_VALUE = 4096
MAX_KEY = 200
MAX_FILE_BYTES = 16 << 20

ONS = ("ok", "any", "failed")
DEPENDENCY_MODES = ("whole", "index")
UNIQUE_MODES = ("until_done", "queued", "window", "replace")


class Dependency(NamedTuple):
    """Another job that must have ended first: `ok`, `any`how or `failed`.

    In mode `index` element k of this array waits for element k of that array only.
    """

    job: str
    on: str = "ok"
    mode: str = "whole"

    @classmethod
    def from_json(cls, value: object) -> Dependency:
        """Read one item of `after`."""
        if isinstance(value, str):
            return cls._from_words(*value.split(":"))
        fields = read_map(value, "after")
        refuse_unknown(fields, ("job", "on", "mode"), "'after'")
        return cls(job=fields.get("job", ""), on=fields.get("on", "ok"), mode=fields.get("mode", "whole"))

    @classmethod
    def _from_words(cls, job: str, *words: str) -> Dependency:
        """ID, ID:ON, ID:index or ID:ON:index; of an element only the hub can say that none waits for it."""
        rest = list(words)
        element = f":{rest.pop(0)}" if rest and rest[0].isdigit() else ""
        on = rest.pop(0) if rest and rest[0] in ONS else "ok"
        mode = rest.pop(0) if rest and rest[0] == "index" else "whole"
        if rest:
            raise SpecError(f"{shown(rest[0])} is not one of ok, any, failed, index (field 'after')")
        return cls(job=job + element, on=on, mode=mode)

    def to_json(self) -> dict[str, str]:
        """The item as JSON; defaults are left out."""
        fields = {"job": self.job}
        if self.on != "ok":
            fields["on"] = self.on
        if self.mode != "whole":
            fields["mode"] = self.mode
        return fields

    def check(self) -> None:
        """Refuse an id or a word that is none."""
        check_id(self.job, "after.job")
        check_choice(self.on, "after.on", ONS)
        check_choice(self.mode, "after.mode", DEPENDENCY_MODES)


class ArraySpec(NamedTuple):
    """An array job: elements `start` to `start + size - 1`, each with its value if there are `values`.

    A `sequential` array runs one element after the other, in order.
    """

    size: int
    start: int = 0
    sequential: bool = False
    values: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: object) -> ArraySpec:
        """Read a size, a range, a list of values or an object."""
        if isinstance(value, str):
            return cls._from_range(value)
        if isinstance(value, (list, tuple)):
            return cls(size=len(value), values=tuple(value))
        if isinstance(value, int):
            return cls(size=value)
        return cls._from_map(read_map(value, "array"))

    def to_json(self) -> object:
        """The shortest form that says it all."""
        if self.sequential:
            return {"sequential": True, **self._extent()}
        if self.values and not self.start:
            return list(self.values)
        if self.values:
            return self._extent()
        return f"{self.start}-{self.start + self.size - 1}" if self.start else self.size

    def check(self) -> None:
        """Refuse sizes and values that are out of bounds."""
        check_int(self.size, "array.size", 1, MAX_ARRAY)
        check_int(self.start, "array.start", 0, MAX_INDEX - MAX_ARRAY)
        check_bool(self.sequential, "array.sequential")
        for value in self.values:
            check_text(value, "array.values", MAX_VALUE)
        if self.values and len(self.values) != self.size:
            raise SpecError(
                f"{len(self.values)} values do not fit {self.size} elements (field 'array.values')"
            )

    @classmethod
    def _from_range(cls, text: str) -> ArraySpec:
        match = re.fullmatch(r"(?:([0-9]{1,10})-)?([0-9]{1,10})", text.strip())
        if not match:
            raise SpecError(f"{shown(text)} is not an array: write 100 or 5-20 (field 'array')")
        if match[1] is None:
            return cls(size=int(match[2]))
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise SpecError(f"{shown(text)} ends before it starts (field 'array')")
        return cls(size=last - first + 1, start=first)

    @classmethod
    def _from_map(cls, fields: dict[str, object]) -> ArraySpec:
        refuse_unknown(fields, ("size", "start", "values", "sequential"), "'array'")
        values = tuple(read_list(fields.get("values", ()), "array.values"))
        return cls(
            size=check_int(fields.get("size", len(values)), "array.size", 1, MAX_ARRAY),
            start=check_int(fields.get("start", 0), "array.start", 0, MAX_INDEX),
            sequential=check_bool(fields.get("sequential", False), "array.sequential"),
            values=values,
        )

    def _extent(self) -> dict[str, object]:
        fields: dict[str, object] = {"values": list(self.values)} if self.values else {"size": self.size}
        return {**fields, "start": self.start} if self.start else fields


class Unique(NamedTuple):
    """At most one job with this key: until it is done, while it is queued, or within a window.

    With `replace` the new job takes the place of the one that has not started.
    """

    key: str
    mode: str = "until_done"
    window_ms: int = 0

    @classmethod
    def from_json(cls, value: object) -> Unique:
        """Read a key or an object."""
        if isinstance(value, str):
            return cls(key=value)
        fields = read_map(value, "unique")
        refuse_unknown(fields, ("key", "mode", "window"), "'unique'")
        window_ms = parse_duration_ms(fields.get("window", 0), "unique.window")
        mode = fields.get("mode", "window" if "window" in fields else "until_done")
        return cls(key=fields.get("key", ""), mode=mode, window_ms=window_ms)

    def to_json(self) -> object:
        """The key alone, or an object."""
        if self.mode == "until_done":
            return self.key
        window = {"window": spell_duration(self.window_ms)} if self.window_ms else {}
        return {"key": self.key, "mode": self.mode, **window}

    def check(self) -> None:
        """Refuse an empty key, an unknown mode, and a window where none belongs."""
        if not check_line(self.key, "unique.key", MAX_KEY):
            raise SpecError("the key is empty (field 'unique.key')")
        check_choice(self.mode, "unique.mode", UNIQUE_MODES)
        check_int(self.window_ms, "unique.window", 0, MAX_DURATION_MS)
        if self.mode == "window" and not self.window_ms:
            raise SpecError("a window of no time keeps nothing out: write 1h (field 'unique.window')")
        if self.mode != "window" and self.window_ms:
            raise SpecError("a window belongs to mode 'window', and only to it (field 'unique.window')")


def unique_words(text: str) -> str | dict[str, str]:
    """`KEY`, or `KEY,HOW` with a mode or a window (`1h`) behind the last comma, as a spec's JSON has it."""
    key, comma, how = text.rpartition(",")
    if not comma:
        return text
    how = how.strip()
    return {"key": key, "window": how} if how[:1].isdecimal() else {"key": key, "mode": how}


class Blob(NamedTuple):
    """An input file, named by what is in it; it lands in the work directory as `name`.

    `key` is what it is sealed with in the hub (trust/files.py), empty as long as it is not there.
    """

    name: str
    sha256: str
    size: int
    key: str = ""

    @classmethod
    def from_json(cls, value: object) -> Blob:
        """Read one item of `inputs`."""
        fields = read_map(value, "inputs")
        refuse_unknown(fields, cls._fields, "'inputs'")
        return cls(
            fields.get("name", ""), fields.get("sha256", ""), fields.get("size", -1), fields.get("key", "")
        )

    def to_json(self) -> dict[str, object]:
        """The item as JSON."""
        return {name: value for name, value in self._asdict().items() if value != "" or name != "key"}

    @property
    def stored(self) -> str:
        """What the hub calls it."""
        return stored_as(self.key)

    def check(self) -> None:
        """Refuse a name that leads out of the work directory, and a digest that is none."""
        if not check_line(self.name, "inputs.name", 255) or "/" in self.name or self.name in (".", ".."):
            raise SpecError(f"{shown(self.name)} is not a plain file name (field 'inputs.name')")
        if not re.fullmatch(r"[0-9a-f]{64}", check_text(self.sha256, "inputs.sha256", 64)):
            raise SpecError(f"{shown(self.sha256)} is not a SHA-256 in hex (field 'inputs.sha256')")
        check_int(self.size, "inputs.size", 0, MAX_FILE_BYTES)
        if self.key and not re.fullmatch(r"[A-Za-z0-9_-]{43}", check_text(self.key, "inputs.key", 43)):
            raise SpecError("the key of an input file is none (field 'inputs.key')")


def stored_as(key: str) -> str:
    """What the hub calls the file with this key: 64 hex digits that tell nothing about it."""
    return hashlib.sha256(b"relayq-file-1\n" + key.encode()).hexdigest()


def check_file_size(size: int, name: str) -> None:
    """SpecError for a file that is too large for the hub."""
    if size > MAX_FILE_BYTES:
        raise SpecError(
            f"{name} has {size} bytes: at most {format_size(MAX_FILE_BYTES)} go through the hub; "
            "share larger files another way and name them in the command"
        )


def read_rates(value: object, field: str = "rates") -> tuple[tuple[str, int, int], ...]:
    """Read `{"api": "10/1m"}` into (name, count, period in ms)."""
    return tuple(
        sorted((name, *_rate(rate, f"{field}.{name}")) for name, rate in read_map(value, field).items())
    )


def spell_rates(rates: tuple[tuple[str, int, int], ...]) -> dict[str, str]:
    """The JSON that `read_rates` reads."""
    return {name: f"{count}/{spell_duration(period_ms)}" for name, count, period_ms in rates}


def _rate(value: object, field: str) -> tuple[int, int]:
    count, slash, period = check_text(value, field, MAX_KEY).partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,7}", count.strip()):
        raise SpecError(f"{shown(value)} is not a rate: write 10/1m (field '{field}')")
    return int(count), parse_duration_ms(period, field)
