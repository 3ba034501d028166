"""What a job demands of a worker, what a worker offers, and the rule that matches them.

Jobs that differ in nothing of their `Placement` stand in one lane: one ready queue
in the hub. The worker, not the hub, decides which lanes it can serve, so the rule
is plain Python and may look for tools on the PATH. `unserved` judges the empty
worker: could this ever run there? What is free right now is arithmetic on `cost`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple

from relayq.errors import SpecError
from relayq.model.duration import MAX_DURATION_MS, format_size, parse_size, spell_size
from relayq.model.reading import (
    check_int,
    check_line,
    check_name,
    read_json,
    read_list,
    read_map,
    refuse_unknown,
    shown,
)
from relayq.model.record import Record

MAX_WORDS = 32
MAX_WORD = 64
MAX_CPUS = 4096
MAX_COUNT = 1_000_000
MEMORY_STEP = 64 << 20
PREFER_WAIT_MS = 5_000

_LABEL = r"[A-Za-z0-9_][A-Za-z0-9_.+@/-]*(?:=[A-Za-z0-9_.+@/-]+)?"
_MISSPELT = {
    "cpu": "cpus=N",
    "mem": "memory=SIZE",
    "gpus": "gpu=N",
    "hosts": "host=NAME",
    "exclusive": "exclusive",
}
_Limits = tuple[tuple[str, int], ...]
_Rates = tuple[tuple[str, int, int], ...]
_Facts = tuple[str, str, "Needs", tuple[str, ...], int, _Limits, _Rates, str]


class Needs(NamedTuple):
    """What a job demands of a worker; every clause must hold. `host` is a worker's or a machine's name."""

    labels: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    cpus_milli: int = 1000
    memory_bytes: int = 0
    gpus: int = 0
    host: str = ""
    counters: tuple[tuple[str, int], ...] = ()
    exclusive: bool = False

    def to_list(self) -> list[str]:
        """The canonical words, which `parse_needs` reads back."""
        words = [*self.labels, *(f"tool:{tool}" for tool in self.tools)]
        if self.cpus_milli != 1000:
            words.append(f"cpus={_spell_cpus(self.cpus_milli)}")
        if self.memory_bytes:
            words.append(f"memory={spell_size(self.memory_bytes)}")
        if self.gpus:
            words.append(f"gpu={self.gpus}")
        if self.host:
            words.append(f"host={self.host}")
        words += [f"count:{name}={count}" for name, count in self.counters]
        return [*words, "exclusive"] if self.exclusive else words


NO_NEEDS = Needs()


class Offer(Record):
    """What a worker offers when it is empty. `queues` None serves every queue."""

    labels: frozenset[str] = frozenset()
    name: str = ""
    host: str = ""
    cpus_milli: int = 1000
    memory_bytes: int = 0
    gpus: int = 0
    counters: tuple[tuple[str, int], ...] = ()
    types: frozenset[str] = frozenset({"shell"})
    queues: frozenset[str] | None = None


class Placement(Record):
    """Everything of a job that decides its lane: where it may run, and beside what.

    `limits` are (name, at most so many running), `rates` (name, count, period in ms).
    """

    type: str = "shell"
    queue: str = "default"
    needs: Needs = NO_NEEDS
    prefer: tuple[str, ...] = ()
    prefer_wait_ms: int = PREFER_WAIT_MS
    limits: _Limits = ()
    rates: _Rates = ()
    share: str = ""

    def __post_init__(self) -> None:
        check_name(self.type, "type")
        check_name(self.queue, "queue")
        check_int(self.prefer_wait_ms, "prefer_wait", 0, MAX_DURATION_MS)
        if self.needs is not NO_NEEDS:
            _check_needs(self.needs)
        if self.prefer and parse_prefer(self.prefer) != self.prefer:
            raise SpecError("the preference is not canonical: build it with parse_prefer (field 'prefer')")
        if self.limits or self.rates:
            _check_limits(self.limits, self.rates)
        if self.share != "":
            check_name(self.share, "share")


class Lane(Placement):
    """A placement as the hub knows it: canonical JSON, named by its digest."""

    id: str
    json: str

    @classmethod
    def from_json(cls, text: str | bytes) -> Lane:
        """Read a lane from the hub; SpecError when it is none, or a newer version wrote it."""
        document = read_map(read_json(text, "a lane of the hub"), "lane")
        refuse_unknown(document, ("q", "t", "n", "p", "pw", "l", "r", "s"), "a lane of the hub")
        text = text.decode() if isinstance(text, bytes) else text
        return cls(
            id=hashlib.sha256(text.encode()).hexdigest()[:10],
            json=text,
            type=document.get("t", ""),
            queue=document.get("q", ""),
            needs=parse_needs(read_list(document.get("n", []), "needs")),
            prefer=parse_prefer(read_list(document.get("p", []), "prefer")),
            prefer_wait_ms=document.get("pw", PREFER_WAIT_MS),
            limits=tuple(sorted(read_map(document.get("l", {}), "limits").items())),
            rates=tuple(sorted(_rate(*item) for item in read_map(document.get("r", {}), "rates").items())),
            share=document.get("s", ""),
        )


def parse_needs(words: str | Iterable[str], field: str = "needs") -> Needs:
    """Read `mac,tool:ffmpeg,cpus=2,memory=1G,gpu=1,host=macmini,count:license=1,exclusive`, or a list of it.

    Any other word or `key=value` is a label. Repeated words count once; order does not matter.
    """
    words = _words(words, field)
    once = {key: _only(words, key, field) for key in ("cpus", "memory", "gpu", "host")}
    return Needs(
        labels=tuple(_label(word, field) for word in words if not _is_clause(word)),
        tools=tuple(check_name(word[5:], field) for word in words if word.startswith("tool:")),
        cpus_milli=_cpus(once["cpus"] or "1", field),
        memory_bytes=parse_size(once["memory"] or 0, field),
        gpus=_count(once["gpu"] or "0", field),
        host=check_name(once["host"], field) if once["host"] else "",
        counters=_counters(words, field),
        exclusive="exclusive" in words,
    )


def parse_prefer(words: str | Iterable[str], field: str = "prefer") -> tuple[str, ...]:
    """Read the labels (or `host=NAME`) of a soft preference."""
    return tuple(_label(word, field) for word in _words(words, field))


def parse_labels(words: str | Iterable[str], field: str = "labels") -> tuple[str, ...]:
    """Read the labels of a worker; a word that no job could need is refused."""
    found = _words(words, field)
    if clauses := [word for word in found if _is_clause(word)]:
        raise SpecError(f"{clauses[0]!r} is no label: a worker finds that out by itself (field '{field}')")
    return tuple(_label(word, field) for word in found)


def unserved(lane: Placement, offer: Offer, find_tool: Callable[[str], bool]) -> list[str]:
    """Why the worker can never serve the lane, clause by clause; empty when it can."""
    reasons = []
    if offer.queues is not None and lane.queue not in offer.queues:
        reasons.append(f"does not serve queue '{lane.queue}'")
    if lane.type not in offer.types:
        reasons.append(f"does not offer job type '{lane.type}'")
    return reasons + unmet(lane.needs, offer, find_tool)


def unmet(needs: Needs, offer: Offer, find_tool: Callable[[str], bool]) -> list[str]:
    """The needs that the worker could not meet even when it is empty, as reasons for people."""
    reasons = [f"has no label '{label}'" for label in needs.labels if label not in offer.labels]
    reasons += [f"has no tool '{tool}' on its PATH" for tool in needs.tools if not find_tool(tool)]
    if needs.host and not _is_host(needs.host, offer):
        reasons.append(f"is not host '{needs.host}'")
    if needs.cpus_milli > offer.cpus_milli:
        reasons.append(_short_of("cpus", _spell_cpus(needs.cpus_milli), _spell_cpus(offer.cpus_milli)))
    if _stepped(needs.memory_bytes) > offer.memory_bytes:
        has_memory = offer.memory_bytes and format_size(offer.memory_bytes)
        reasons.append(_short_of("memory", spell_size(needs.memory_bytes), has_memory))
    if needs.gpus > offer.gpus:
        reasons.append(_short_of("gpus", needs.gpus, offer.gpus))
    has = dict(offer.counters)
    reasons += [
        _short_of(f"'{n}'", count, has.get(n, 0)) for n, count in needs.counters if count > has.get(n, 0)
    ]
    return reasons


def preferred(lane: Placement, offer: Offer) -> bool:
    """Does the worker have everything the lane prefers? The others wait for `prefer_wait_ms`."""
    return all(
        _is_host(word[5:], offer) if word.startswith("host=") else word in offer.labels
        for word in lane.prefer
    )


def cost(needs: Needs, offer: Offer | None = None) -> dict[str, int]:
    """What one job takes: `c` milli-cpus, `m` MiB (in steps of 64), `g` gpus, `k:<counter>`.

    An exclusive job takes every cpu of the `offer`; as each job takes some, nothing runs beside it.
    """
    cpus = max(needs.cpus_milli, offer.cpus_milli) if needs.exclusive and offer else needs.cpus_milli
    taken = {"c": cpus, "m": _stepped(needs.memory_bytes) >> 20, "g": needs.gpus}
    taken |= {f"k:{name}": count for name, count in needs.counters}
    return {key: amount for key, amount in taken.items() if amount}


def capacity(offer: Offer) -> dict[str, int]:
    """What the empty worker has, under the keys of `cost`."""
    return {
        "c": offer.cpus_milli,
        "m": offer.memory_bytes >> 20,
        "g": offer.gpus,
        **{f"k:{name}": count for name, count in offer.counters},
    }


def lane_of(placement: Placement) -> Lane:
    """The lane of a job spec. Memory is rounded up in steps of 64 MiB, so that lanes stay few."""
    p = placement
    return _lane((p.type, p.queue, p.needs, p.prefer, p.prefer_wait_ms, p.limits, p.rates, p.share))


@lru_cache(maxsize=512)
def _lane(facts: _Facts) -> Lane:
    """Cached by value: in a bulk submit thousands of jobs share a lane."""
    kind, queue, needs, prefer, prefer_wait_ms, limits, rates, share = facts
    document: dict[str, object] = {
        "q": queue,
        "t": kind,
        "n": needs._replace(memory_bytes=_stepped(needs.memory_bytes)).to_list(),
        "p": prefer,
        "l": dict(limits),
        "r": {name: [count, period_ms] for name, count, period_ms in rates},
        "s": share,
    }
    document = {key: value for key, value in document.items() if value}
    if prefer:
        document["pw"] = prefer_wait_ms
    return Lane.from_json(json.dumps(document, sort_keys=True, separators=(",", ":")))


def _check_needs(needs: Needs) -> None:
    if not isinstance(needs, Needs) or not _is_canonical(needs):
        raise SpecError("the needs are not canonical: build them with parse_needs (field 'needs')")


@lru_cache(maxsize=512)
def _is_canonical(needs: Needs) -> bool:
    return parse_needs(needs.to_list()) == needs


def _check_limits(limits: _Limits, rates: _Rates) -> None:
    for name, most in limits:
        check_int(most, f"limits.{check_name(name, 'limits')}", 1, MAX_COUNT)
    for name, count, period_ms in rates:
        check_int(count, f"rates.{check_name(name, 'rates')}", 1, MAX_COUNT)
        check_int(period_ms, f"rates.{name}", 1, MAX_DURATION_MS)


def _words(words: str | Iterable[str], field: str) -> list[str]:
    """The sorted set of the words of a list, or of a text with commas."""
    items = words.split(",") if isinstance(words, str) else words
    found = {check_line(word, field, MAX_WORD).strip() for word in items} - {""}
    if len(found) > MAX_WORDS:
        raise SpecError(f"{len(found)} words are too many: at most {MAX_WORDS} (field '{field}')")
    return sorted(found)


def _rate(name: str, value: object) -> tuple[str, int, int]:
    items = read_list(value, "rates")
    if len(items) == 2 and all(isinstance(item, int) for item in items):
        return name, items[0], items[1]
    raise SpecError(f"{shown(value)} is not [count, milliseconds] (field 'rates')")


def _is_clause(word: str) -> bool:
    return word == "exclusive" or word.startswith(("tool:", "count:", "cpus=", "memory=", "gpu=", "host="))


def _only(words: list[str], key: str, field: str) -> str:
    """The value of a `key=value` that may stand once, or empty."""
    values = [word.partition("=")[2] for word in words if word.startswith(key + "=")]
    if len(values) > 1:
        raise SpecError(f"{key} is given twice: {' and '.join(values)} (field '{field}')")
    if values == [""]:
        raise SpecError(f"{key}= has no value (field '{field}')")
    return values[0] if values else ""


def _label(word: str, field: str) -> str:
    key = word.partition("=")[0]
    if "=" in word and key in _MISSPELT:
        raise SpecError(f"{word!r} is refused: write {_MISSPELT[key]} (field '{field}')")
    if not re.fullmatch(_LABEL, word):
        raise SpecError(
            f"{word!r} is not a label: a word or key=value of letters, digits and ._+@/- (field '{field}')"
        )
    return word


def _count(text: str, field: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}", text) or int(text) > MAX_COUNT:
        raise SpecError(f"{text!r} is not a count from 0 to {MAX_COUNT} (field '{field}')")
    return int(text)


def _cpus(text: str, field: str) -> int:
    milli = round(float(text) * 1000) if re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) else 0
    if not 1 <= milli <= MAX_CPUS * 1000:
        raise SpecError(f"cpus={text} is refused: 0.001 to {MAX_CPUS} (field '{field}')")
    return milli


def _spell_cpus(milli: int) -> str:
    return f"{milli / 1000:.3f}".rstrip("0").rstrip(".")


def _counters(words: list[str], field: str) -> tuple[tuple[str, int], ...]:
    counters: dict[str, int] = {}
    for word in words:
        if not word.startswith("count:"):
            continue
        name, _, count = word[6:].partition("=")
        if check_name(name, field) in counters:
            raise SpecError(f"count:{name} is given twice (field '{field}')")
        counters[name] = _count(count, field)
    return tuple(sorted(counters.items()))


def _is_host(name: str, offer: Offer) -> bool:
    return name.lower() in (offer.name.lower(), offer.host.lower())


def _short_of(what: str, wanted: object, has: object) -> str:
    return f"has {has} {what}, not {wanted}" if has else f"has no {what}"


def _stepped(size: int) -> int:
    return -(-size // MEMORY_STEP) * MEMORY_STEP
