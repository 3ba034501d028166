"""Records of the hub as rows for people and as JSON for programs.

What a job is called stands in its signed spec, which the hub only carries; it is
read here without checking the signature, for showing only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from relayq.client.glance import glance, title_of
from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.query import run_ms
from relayq.store.records import AttemptRecord, JobRecord

JOB_HEADERS = ("ID", "STATE", "NAME", "QUEUE", "WORKER", "ATT", "EXIT", "TIME", "SUBMITTED")
TITLE_WIDTH = 48


def job_row(record: JobRecord, now_ms: int) -> list[str]:
    """One line of `relayq jobs`."""
    return [
        short(record.id),
        record.state.value,
        cut(title_of(glance(record.envelope)), TITLE_WIDTH),
        record.lane.queue,
        record.worker or "-",
        str(record.attempt or "-"),
        "-" if record.exit_code is None else str(record.exit_code),
        run_time(record, now_ms),
        f"{format_duration(max(0, now_ms - record.submitted_ms))} ago",
    ]


def job_json(record: JobRecord) -> dict[str, Any]:
    """One job as JSON: the fields of its spec, and what became of it."""
    spec = glance(record.envelope)
    fields = spec.to_dict() if spec else {}
    if "attempts" in fields:
        fields["attempts_max"] = fields["attempts"]
    if "secrets" in fields:
        fields["secrets"] = dict.fromkeys(fields["secrets"], "***")
    return {
        **fields,
        "id": record.id,
        "state": record.state.value,
        "reason": record.reason,
        "queue": record.lane.queue,
        "priority": record.priority,
        "worker": record.worker,
        "exit_code": record.exit_code,
        "attempt": record.attempt,
        "attempts": [attempt_json(attempt) for attempt in record.attempts],
        "crashes": record.crashes,
        "times": {
            "submitted": iso(record.submitted_ms),
            "ready": iso(record.ready_ms),
            "started": iso(record.started_ms),
            "ended": iso(record.ended_ms),
        },
        "progress": record.progress,
        "message": record.message,
        "sealed": record.is_sealed,
        "doubt": record.doubt,
        "held_by": record.held_by,
        "alarm": record.alarm,
        "cancel_asked": record.cancel_asked,
        "cancel_why": record.cancel_why,
        "notices": [
            {"word": told.word, "at": iso(told.at_ms), "detail": told.detail} for told in record.notices
        ],
        "files": {name: {"sha256": one.sha256, "size": one.size} for name, one in record.outputs.items()},
        **({"elements": elements_json(record)} if record.array else {}),
    }


def attempt_json(attempt: AttemptRecord) -> dict[str, Any]:
    """One attempt as JSON."""
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "started": iso(attempt.started_ms),
        "ended": iso(attempt.ended_ms),
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
    }


def elements_json(record: JobRecord) -> dict[str, int]:
    """How the elements of an array stand; empty for a plain job."""
    counts = record.array
    if counts is None:
        return {}
    return {name: getattr(counts, name) for name in ELEMENT_COUNTS}


ELEMENT_COUNTS = ("size", "start", "waiting", "running", "succeeded", "failed", "cancelled", "skipped")


def run_time(record: JobRecord, now_ms: int) -> str:
    """How long the job has run, or `-`."""
    ms = run_ms(record, now_ms)
    return "-" if ms is None else format_duration(ms)


def iso(ms: int | None) -> str | None:
    """A time of the hub's clock as ISO 8601 in UTC; None for a time that has not come."""
    if not ms:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(ms: int | None) -> str:
    """A time of the hub's clock in this machine's zone, empty for none."""
    return datetime.fromtimestamp(ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S") if ms else ""


def cut(text: str, width: int) -> str:
    """At most `width` characters on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
