"""Turn the hub's records into rows, every text made safe on the way.

What a job is called stands in its signed spec. It is read without checking the
signature, for showing only, and read once: a row that is replaced by a newer one
keeps what the spec said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from relayq.client.explain import sentences
from relayq.client.glance import asked_by, peek
from relayq.store.events import Event
from relayq.store.fleet import silent_ms
from relayq.store.records import AttemptRecord, Explanation, JobRecord, WorkerRecord
from relayq.text import safe
from relayq_tui.feed import JobDetail
from relayq_tui.rows import NO_LABELS, AttemptRow, EventRow, JobRow, Sample, WorkerRow

COMMAND_SHOWN = 300
HISTORY = 60
MASK = "***"


def job_row(record: JobRecord, before: JobRow | None = None) -> JobRow:
    """One job; `before` is the row it had, whose spec is the same."""
    if before is None:
        return _fresh(record, peek(record.envelope))
    return replace(before, **_moving(record))


def _moving(record: JobRecord) -> dict[str, Any]:
    """What changes while a job lives."""
    submitted_ms, ready_ms = record.submitted_ms, record.due_ms or record.ready_ms
    return {
        "state": record.state,
        "reason": safe(record.reason),
        "worker": safe(record.worker),
        "priority": record.priority,
        "attempt": record.attempt,
        "exit_code": record.exit_code,
        "ready_ms": submitted_ms if ready_ms == submitted_ms else ready_ms,
        "started_ms": record.started_ms,
        "ended_ms": record.ended_ms,
        "array": record.array,
        "progress": record.progress,
        "message": safe(record.message),
        "cancel_asked": record.cancel_asked,
    }


def _fresh(record: JobRecord, spec: Mapping[str, Any]) -> JobRow:
    command = spec.get("command", "")
    text = command if isinstance(command, str) else " ".join(map(str, command))
    labels = spec.get("labels")
    return JobRow(
        id=record.id,
        name=safe(str(spec.get("name", ""))),
        command=safe(text[:COMMAND_SHOWN]) if spec else "(unreadable spec)",
        queue=safe(record.lane.queue),
        max_attempts=_whole(spec.get("attempts"), 1),
        submitted_ms=record.submitted_ms,
        labels=_labels(labels) if isinstance(labels, dict) else NO_LABELS,
        needs=safe(",".join(record.lane.needs.to_list())),
        after=tuple(_dependencies(spec.get("after"))),
        unique=safe(_unique(spec.get("unique"))),
        **_moving(record),
    )


def _whole(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _labels(given: Mapping[str, object]) -> Mapping[str, str]:
    return _shared_labels(tuple((safe(str(name)), safe(str(value))) for name, value in given.items()))


@lru_cache(maxsize=4_096)
def _shared_labels(pairs: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """Equal labels are one mapping, which nobody changes: a dict of one takes as much as the job's row."""
    return MappingProxyType(dict(pairs))


def _dependencies(given: object) -> Iterator[str]:
    for item in given if isinstance(given, list) else ():
        job = item.get("job") if isinstance(item, dict) else item
        if isinstance(job, str):
            yield job.partition(":")[0]


def _unique(given: object) -> str:
    return str(given.get("key", "")) if isinstance(given, dict) else str(given or "")


def worker_row(record: WorkerRecord, before: WorkerRow | None, now_ms: int) -> WorkerRow:
    """One worker; what was heard of it before is its history."""
    facts = {name: safe(str(value)) for name, value in record.facts.items()}
    history = before.history if before else ()
    if record.online and (before is None or before.facts != facts or before.seen_ms != record.seen_ms):
        history = (*history[1 - HISTORY :], _sample(facts, record.offer, now_ms))
    return WorkerRow(
        name=safe(record.name),
        session=record.session,
        online=record.online,
        seen_ms=record.seen_ms or (before.seen_ms if before else 0),
        since_ms=record.started_ms,
        offer=record.offer,
        facts=facts,
        running=record.running,
        command=record.command,
        history=history,
        silent_ms=silent_ms(record, now_ms),
    )


def _sample(facts: Mapping[str, str], offer: Mapping[str, object], now_ms: int) -> Sample:
    cpu, free = _number(facts.get("cpu_percent")), _number(facts.get("memory_free_bytes"))
    memory = _number(str(offer.get("memory_bytes", "")))
    return Sample(
        at_ms=now_ms,
        cpu=None if cpu is None else cpu / 100,
        memory=None if not memory or free is None else min(1.0, max(0.0, 1 - free / memory)),
        celsius=_number(facts.get("temperature_c")),
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def event_row(event: Event) -> EventRow:
    """One event."""
    return EventRow(event.id, event.kind, safe(event.subject), safe(event.detail))


def job_detail(
    told: Explanation, row: JobRow, now_ms: int, dependents: list[str], elements: Iterable[AttemptRecord] = ()
) -> JobDetail:
    """Everything about one job."""
    record = told.record
    return JobDetail(
        row=row,
        spec=shown_spec(record.envelope),
        attempts=[_attempt(attempt) for attempt in record.attempts],
        explain=[safe(line) for line in sentences(told, now_ms)],
        dependents=dependents,
        result=safe(record.doubt or record.result.decode("utf-8", "replace"), keep_newlines=True),
        elements=[_attempt(element) for element in elements],
        asker=safe(asked_by(record.envelope)),
        likeness=record.likeness,
    )


def shown_spec(envelope: bytes) -> Mapping[str, object]:
    """The spec's JSON without the values of its secrets. Not made safe: whoever draws it does that."""
    spec = dict(peek(envelope))
    if isinstance(spec.get("secrets"), dict):
        spec["secrets"] = dict.fromkeys(spec["secrets"], MASK)
    return spec


def _attempt(record: AttemptRecord) -> AttemptRow:
    return AttemptRow(
        number=record.number, worker=safe(record.worker), started_ms=record.started_ms,
        ended_ms=record.ended_ms, exit_code=record.exit_code, reason=safe(record.reason),
    )  # fmt: skip
