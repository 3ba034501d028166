"""`relayq show`: everything about one job."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_facts, print_json
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.model.duration import format_duration, format_size

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.model.job import JobSpec
    from relayq.store.records import AttemptRecord, Explanation, JobRecord


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    add_json(parser, "one JSON object")


def run(args: argparse.Namespace) -> int:
    """Show the job."""
    from relayq.cli.views import job_json
    from relayq.client.explain import sentences

    explanation, now_ms = with_client(args, lambda client: _fetch(client, args.id))
    why = sentences(explanation, now_ms)
    if args.json:
        print_json({**job_json(explanation.record), "explain": why})
    else:
        print_facts(_facts(explanation.record, now_ms))
        for sentence in why:
            print_facts([("", sentence)])
    return OK


async def _fetch(client: AsyncClient, text: str) -> tuple[Explanation, int]:
    return await (await client.job(text)).explain(), await client.now_ms()


def _facts(record: JobRecord, now_ms: int) -> Iterator[tuple[str, str]]:
    from relayq.cli.views import ELEMENT_COUNTS, local_time, run_time
    from relayq.client.glance import glance

    yield "id", record.id
    yield "state", f"{record.state.value} ({record.reason})" if record.reason else record.state.value
    yield from _spec_facts(glance(record.envelope))
    yield "queue", record.lane.queue
    yield "needs", ",".join(record.lane.needs.to_list())
    yield "priority", str(record.priority) if record.priority else ""
    yield "worker", record.worker
    yield "exit code", "" if record.exit_code is None else str(record.exit_code)
    if record.array:
        counts = ((name, getattr(record.array, name)) for name in ELEMENT_COUNTS)
        yield "elements", ", ".join(f"{number} {name}" for name, number in counts if number)
    yield "result", record.doubt
    yield "progress", progress_text(record.progress, record.message)
    yield "submitted", local_time(record.submitted_ms)
    yield "started", local_time(record.started_ms)
    yield "ended", local_time(record.ended_ms)
    yield "run time", run_time(record, now_ms).replace("-", "")
    yield "files", ", ".join(f"{name} ({format_size(size)})" for name, (_, size) in record.outputs.items())
    for attempt in record.attempts:
        yield f"attempt {attempt.number}", _attempt_text(attempt, now_ms)


def _spec_facts(spec: JobSpec | None) -> Iterator[tuple[str, str]]:
    if spec is None:
        yield "spec", "cannot be read by this version"
        return
    yield "name", spec.name
    yield "command", spec.command if isinstance(spec.command, str) else " ".join(spec.command)
    yield "type", spec.type if spec.type != "shell" else ""
    yield "cwd", spec.cwd
    yield "attempts", str(spec.retry.attempts) if spec.retry.attempts > 1 else ""
    yield "timeout", format_duration(spec.timeout_ms) if spec.timeout_ms else ""
    yield "after", ", ".join(f"{item.job} ({item.on})" for item in spec.after)
    yield "labels", ", ".join(f"{name}={value}" for name, value in spec.labels)


def progress_text(progress: float | None, message: str) -> str:
    """Progress as a job told it: `42 % encoding`."""
    return " ".join(filter(None, ("" if progress is None else f"{progress:g} %", message)))


def _attempt_text(attempt: AttemptRecord, now_ms: int) -> str:
    took = format_duration(max(0, (attempt.ended_ms or now_ms) - attempt.started_ms))
    if attempt.ended_ms is None:
        return f"on {attempt.worker}, running for {took}"
    code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
    return f"on {attempt.worker}, {attempt.reason or 'ok'}{code} after {took}"
