"""The schedule: a rule that says when, a job spec that says what, and how to treat the slots that went wrong.

A *slot* is one firing by its nominal time, which is computed from the rule alone. The
job of a slot has an id derived from fleet, schedule and slot time, so whoever fires it,
and however often, makes the same job. A schedule is signed as a whole; the job of a slot
needs no further signature, because everything in it follows from the signed schedule
and the slot time (`slot_halves`), and a worker checks that the rule has such a slot.

What is due and late is judged by the hub's clock. The rule for missed slots (*misfire*)
looks at all slots that are due together: with `skip` the last one runs if it is at most
`late` behind its time, with `once` the last one runs however late it is, with `all` the last N run.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from relayq.errors import SpecError
from relayq.model.body import Submitted, halves, joined, split
from relayq.model.cron import Cron, slot_id
from relayq.model.duration import (
    MAX_DURATION_MS,
    MAX_MOMENT_MS,
    parse_duration_ms,
    parse_moment_ms,
    spell_duration,
    spell_moment,
)
from relayq.model.job import JobSpec
from relayq.model.reading import (
    check_choice,
    check_int,
    check_line,
    check_name,
    read_json,
    read_map,
    refuse_unknown,
    shown,
)
from relayq.model.rule import Rule, check_rule, parse_rule, read_rule, write_rule

__all__ = [
    "RUNS_MAX",
    "Plan",
    "Rule",
    "Schedule",
    "SignedSchedule",
    "check_slot",
    "labelled",
    "parse_rule",
    "parse_schedule",
    "schedule_halves",
    "slot_halves",
]

MISFIRE = ("once", "skip", "all")
OVERLAP = ("skip", "allow", "queue", "cancel")
LATE_MS = 60_000
RUNS_MAX = 100
LABEL = "schedule"
SEALED = "(sealed)"
_GAPS_LOOKED_AT = 50
# A hub may not have a slot run long before its time; a worker's clock may be this far behind.
EARLY_S = 3_600


class Plan(NamedTuple):
    """What to do about the slots that are due: run these, pass over `missed` others, up to `upto_ms`."""

    run: tuple[int, ...]
    missed: int
    upto_ms: int


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One schedule, right by construction: anything else is a SpecError that names the field.

    `_ms` are moments since 1970 (`start_ms`, `end_ms`, 0 is none) or durations. An interval
    counts from `start_ms`, or from 1970, so that every machine counts alike. `runs_max` is
    the N of `all`. `github` is the cron line of the workflow that fires it too, "" without.
    """

    name: str
    rule: Rule
    spec: JobSpec
    start_ms: int = 0
    end_ms: int = 0
    jitter_ms: int = 0
    misfire: str = "once"
    runs_max: int = RUNS_MAX
    late_ms: int = LATE_MS
    overlap: str = "skip"
    github: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "name")
        check_choice(self.misfire, "misfire", MISFIRE)
        check_choice(self.overlap, "overlap", OVERLAP)
        check_int(self.runs_max, "misfire", 1, RUNS_MAX)
        check_line(self.github, "github", 200)
        for field in ("start_ms", "end_ms"):
            check_int(getattr(self, field), field.removesuffix("_ms"), 0, MAX_MOMENT_MS)
        for field in ("jitter_ms", "late_ms"):
            check_int(getattr(self, field), field.removesuffix("_ms"), 0, MAX_DURATION_MS)
        if self.end_ms and self.end_ms <= self.start_ms:
            raise SpecError(f"schedule '{self.name}' ends before it starts (field 'end')")
        check_rule(self.rule)
        _check_spec(self.spec)
        self._check_firings()

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Schedule:
        """Read the JSON of a schedule."""
        given = {name: value for name, value in read_map(mapping, "schedule").items() if value is not None}
        refuse_unknown(given, ("name", "rule", "spec", *_CODECS), "the schedule")
        fields: dict[str, Any] = {
            attribute: read(given[name], name)
            for name, (attribute, read, _) in _CODECS.items()
            if name in given
        }
        if isinstance(fields.get("misfire"), str) and fields["misfire"].startswith("all:"):
            fields["misfire"], fields["runs_max"] = "all", _runs(fields["misfire"])
        rule = read_rule(given.get("rule"))
        return cls(
            name=check_name(given.get("name"), "name"),
            rule=rule,
            spec=JobSpec.from_dict(read_map(given.get("spec"), "spec")),
            **fields,
        )

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the schedule; `from_dict` reads it back."""
        given = {
            name: write(value)
            for name, (attribute, _, write) in _CODECS.items()
            if (value := getattr(self, attribute)) != getattr(Schedule, attribute)
        }
        if self.misfire == "all":
            given["misfire"] = f"all:{self.runs_max}"
        return {"name": self.name, "rule": write_rule(self.rule), **given, "spec": self.spec.to_dict()}

    # -- time

    def slots(self, after_ms: int) -> Iterator[int]:
        """The slots after a moment, in order, up to the end."""
        first_ms = max(after_ms, self.start_ms - 1)
        for slot_ms in self._rule_slots(first_ms):
            if self.end_ms and slot_ms > self.end_ms:
                return
            yield slot_ms

    def latest(self, now_ms: int) -> int | None:
        """The last slot at or before a moment, None when there was none."""
        rule, until_ms = self.rule, min(now_ms, self.end_ms or now_ms)
        if rule.cron:
            found_s = self._cron.latest(until_ms // 1000)
            found = None if found_s is None else found_s * 1000
        elif rule.every_ms:
            found = until_ms - (until_ms - self.start_ms) % rule.every_ms
        else:
            found = max((at_ms for at_ms in rule.at_ms if at_ms <= until_ms), default=None)
        return found if found is not None and found >= max(1, self.start_ms) else None

    def has_slot(self, slot_ms: int) -> bool:
        """Does the rule fire at exactly this moment?"""
        return next(self.slots(slot_ms - 1), None) == slot_ms

    def due_ms(self, slot_ms: int) -> int:
        """When a slot is to be fired: its time and its jitter, which every scheduler draws alike."""
        if not self.jitter_ms:
            return slot_ms
        digest = hashlib.sha256(f"{self.name} {slot_ms}".encode()).digest()
        return slot_ms + int.from_bytes(digest[:8], "big") % (self.jitter_ms + 1)

    def next_due_ms(self, floor_ms: int) -> int | None:
        """When the first slot after `floor_ms` is to be fired, None when nothing comes any more."""
        slot_ms = next(self.slots(floor_ms), None)
        return None if slot_ms is None else self.due_ms(slot_ms)

    def plan(self, floor_ms: int, now_ms: int) -> Plan | None:
        """What to do about the slots after `floor_ms` that are due; None when none is."""
        count, last = self._due(floor_ms, now_ms)
        if not last:
            return None
        run = tuple(last)[-self.runs_max :] if self.misfire == "all" else (last[-1],)
        if self.misfire == "skip" and now_ms - self.due_ms(last[-1]) > self.late_ms:
            run = ()
        return Plan(run=run, missed=count - len(run), upto_ms=last[-1])

    def _due(self, floor_ms: int, now_ms: int) -> tuple[int, deque[int]]:
        """How many slots are due, and the last of them."""
        count, last = 0, deque[int](maxlen=RUNS_MAX)
        floor_ms = max(floor_ms, self.start_ms - 1)
        if self.rule.every_ms:  # counted, not walked: a second's rule has millions of slots in a month
            newest = self.latest(now_ms)
            skipped = ((newest or 0) - floor_ms) // self.rule.every_ms - RUNS_MAX
            if skipped > 0:
                count, floor_ms = skipped, floor_ms + skipped * self.rule.every_ms
        for slot_ms in self.slots(floor_ms):
            if self.due_ms(slot_ms) > now_ms:
                break
            count += 1
            last.append(slot_ms)
        return count, last

    @cached_property
    def _cron(self) -> Cron:
        return Cron(self.rule.cron, self.rule.zone)

    def _rule_slots(self, after_ms: int) -> Iterator[int]:
        rule = self.rule
        if rule.cron:
            yield from (slot_s * 1000 for slot_s in self._cron.after(after_ms // 1000))
        elif rule.every_ms:
            slot_ms = after_ms - (after_ms - self.start_ms) % rule.every_ms + rule.every_ms
            while slot_ms <= MAX_MOMENT_MS:
                yield slot_ms
                slot_ms += rule.every_ms
        else:
            yield from (at_ms for at_ms in rule.at_ms if at_ms > after_ms)

    def _check_firings(self) -> None:
        slots = self.slots(self.start_ms)
        before = next(slots, None)
        if before is None and not self.has_slot(self.start_ms):
            raise SpecError(
                f"schedule '{self.name}' has no firing between its start and its end (field 'end')"
            )
        for _, slot_ms in zip(range(_GAPS_LOOKED_AT if self.jitter_ms else 0), slots, strict=False):
            if before is not None and slot_ms - before <= self.jitter_ms:
                raise SpecError(
                    f"a jitter of {spell_duration(self.jitter_ms)} is too large: it must be shorter than "
                    f"the {spell_duration(slot_ms - before)} between two firings (field 'jitter')"
                )
            before = slot_ms


# -- the signed body


class SignedSchedule(NamedTuple):
    """A signed schedule as read: `iat` is seconds since 1970 by the signer's clock.

    `by` and `reply` are those of a job's body. Whoever cannot open the hidden half knows when
    the schedule fires, and not what it runs: the command is SEALED.
    """

    fleet: str
    iat: int
    by: str
    schedule: Schedule
    reply: str = ""


def schedule_halves(schedule: Schedule, who: Submitted, iat_s: int) -> tuple[bytes, dict[str, Any]]:
    """The open half as the bytes to sign, and the hidden half: what a job of it is (model/body.py)."""
    shown_fields, hidden = split(schedule.spec)
    document = {"op": "schedule", "fleet": who.fleet, "iat": iat_s, "by": who.by}
    if who.reply:
        document["reply"] = who.reply
    document |= {**schedule.to_dict(), "spec": shown_fields}
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode(), hidden


def parse_schedule(head: bytes, hidden: dict[str, Any] | None = None) -> SignedSchedule:
    """Read a signed schedule, without its hidden half if need be; anything else is a SpecError."""
    document = read_map(read_json(head, "the signed schedule"), "schedule")
    if missing := [name for name in ("op", "fleet", "iat", "by", "spec") if name not in document]:
        raise SpecError(f"the signed schedule has no field '{missing[0]}'")
    check_choice(document.pop("op"), "op", ("schedule",))
    fleet = check_name(document.pop("fleet"), "fleet")
    iat = check_int(document.pop("iat"), "iat", 0, MAX_MOMENT_MS)
    by = check_line(document.pop("by"), "by", 80)
    reply = check_line(document.pop("reply", ""), "reply", 43)
    fields = read_map(document["spec"], "spec")
    spec = joined(fields, {"command": SEALED} if hidden is None else hidden)
    return SignedSchedule(fleet, iat, by, Schedule.from_dict({**document, "spec": spec}), reply)


def slot_halves(signed: SignedSchedule, slot_ms: int) -> tuple[bytes, dict[str, Any]]:
    """Both halves of the job of a slot, as if the schedule's owner had submitted it at that moment."""
    job = slot_id(signed.fleet, signed.schedule.name, slot_ms)
    who = Submitted(fleet=signed.fleet, by=signed.by, reply=signed.reply)
    return halves(signed.schedule.spec, job, who, slot_ms // 1000)


def check_slot(signed: SignedSchedule, slot_ms: int, now_s: int) -> None:
    """SpecError unless the schedule has this slot and its time has come.

    A clock that stands before the schedule was signed is wrong, and nothing is judged by it.
    """
    schedule = signed.schedule
    if not schedule.has_slot(slot_ms):
        raise SpecError(f"schedule '{schedule.name}' does not fire at {spell_moment(slot_ms)}")
    if now_s >= signed.iat and slot_ms // 1000 > now_s + EARLY_S:
        raise SpecError(f"the slot {spell_moment(slot_ms)} of schedule '{schedule.name}' has not come yet")


def labelled(spec: JobSpec, schedule: str) -> JobSpec:
    """The spec with the schedule's name where it has none, and as a label to find its jobs by."""
    labels = (*(pair for pair in spec.labels if pair[0] != LABEL), (LABEL, schedule))
    return spec.but(name=spec.name or schedule, labels=labels)


# -- reading and judging


def _check_spec(spec: JobSpec) -> None:
    """What belongs to one job alone cannot belong to many."""
    if spec.at_ms or spec.after:
        field = "at" if spec.at_ms else "after"
        raise SpecError(f"the jobs of a schedule start by its rule and wait for no job (field '{field}')")
    if spec.inputs:
        raise SpecError(
            "a schedule carries no input files, because the hub forgets them with their last job: "
            "keep them on the worker, or send text with --stdin (field 'inputs')"
        )


def _runs(text: str) -> int:
    number = text.partition(":")[2]
    if not number.isdecimal() or len(number) > 4:
        raise SpecError(
            f"{shown(text)} is no misfire policy: write once, skip, all or all:5 (field 'misfire')"
        )
    return int(number)


def _same(value: Any, *_: str) -> Any:
    return value


# JSON name -> attribute, how it is read, how it is written.
_CODECS: dict[str, tuple[str, Any, Any]] = {
    "start": ("start_ms", parse_moment_ms, spell_moment),
    "end": ("end_ms", parse_moment_ms, spell_moment),
    "jitter": ("jitter_ms", parse_duration_ms, spell_duration),
    "misfire": ("misfire", _same, _same),
    "late": ("late_ms", parse_duration_ms, spell_duration),
    "overlap": ("overlap", _same, _same),
    "github": ("github", _same, _same),
}
