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
    from relayq.store.elements import FailedElement
    from relayq.store.records import AttemptRecord, Explanation, JobRecord

WORTH_RECKONING = 0.01  # dollars, or whatever the kWh was priced in


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    add_json(parser, "one JSON object")


def run(args: argparse.Namespace) -> int:
    """Show the job."""
    from relayq.cli.elementviews import failed_json
    from relayq.cli.views import job_json
    from relayq.client.explain import sentences
    from relayq.model.price import tag

    explanation, failed, now_ms, kwh_price = with_client(args, lambda client: _fetch(client, args.id))
    why = sentences(explanation, now_ms)
    if args.json:
        record = explanation.record
        price = tag(record.took, kwh_price).to_json() if record.took.run_s else None
        elements = {"failed_elements": failed_json(failed)} if record.array else {}
        print_json({**job_json(record), **elements, "explain": why, "price": price})
    else:
        record = explanation.record
        print_facts([*_facts(record, failed, now_ms), *_prices(record, kwh_price)])
        for sentence in why:
            print_facts([("", sentence)])
    return OK


async def _fetch(
    client: AsyncClient, text: str
) -> tuple[Explanation, list[FailedElement], int, float | None]:
    price = client.submitter.config.values["budget.kwh_price"]
    kwh_price = price if isinstance(price, float) else None
    explanation = await (await client.job(text)).explain()
    failed = await client.elements.failed(explanation.record)
    return explanation, failed, await client.now_ms(), kwh_price


def _facts(record: JobRecord, failed: list[FailedElement], now_ms: int) -> Iterator[tuple[str, str]]:
    from relayq.cli.elementviews import counts_text, failed_facts
    from relayq.cli.views import local_time, run_time
    from relayq.client.glance import asked_by, glance

    yield "id", record.id
    yield "state", f"{record.state.value} ({record.reason})" if record.reason else record.state.value
    yield from _spec_facts(glance(record.envelope))
    yield "asked by", asked_by(record.envelope)
    yield "queue", record.lane.queue
    yield "needs", ",".join(record.lane.needs.to_list())
    yield "priority", str(record.priority) if record.priority else ""
    yield "worker", record.worker
    yield "exit code", "" if record.exit_code is None else str(record.exit_code)
    if record.array:
        yield "elements", counts_text(record.array)
        yield from failed_facts(failed, record.array.failed)
    yield "result", record.doubt
    yield "progress", progress_text(record.progress, record.message)
    yield "submitted", local_time(record.submitted_ms)
    yield "started", local_time(record.started_ms)
    yield "ended", local_time(record.ended_ms)
    yield "run time", run_time(record, now_ms).replace("-", "")
    yield "files", ", ".join(f"{name} ({format_size(one.size)})" for name, one in record.outputs.items())
    for notice in record.notices:
        yield "told", f"{notice.word} {local_time(notice.at_ms)}: {notice.detail}"
    for attempt in record.attempts:
        yield f"attempt {attempt.number}", _attempt_text(attempt, now_ms)


def _prices(record: JobRecord, kwh_price: float | None) -> Iterator[tuple[str, str]]:
    """What the same work would have cost elsewhere, all its attempts together; next to nothing in a line."""
    if not record.took.run_s:
        return
    from relayq.cli.budgetviews import price_facts
    from relayq.model.price import tag

    price = tag(record.took, kwh_price)
    if max(price.fargate_x86, price.fargate_arm, price.hosted, price.home or 0) < WORTH_RECKONING:
        yield "price", f"under {WORTH_RECKONING:g} anywhere (--json says how much)"
        return
    for name, text in price_facts(price):
        yield f"price {name}", text


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
    yield "notify", ", ".join(notice.to_json() for notice in spec.notify)


def progress_text(progress: float | None, message: str) -> str:
    """Progress as a job told it: `42 % encoding`."""
    return " ".join(filter(None, ("" if progress is None else f"{progress:g} %", message)))


def _attempt_text(attempt: AttemptRecord, now_ms: int) -> str:
    took = format_duration(max(0, (attempt.ended_ms or now_ms) - attempt.started_ms))
    if attempt.ended_ms is None:
        return f"on {attempt.worker}, running for {took}"
    code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
    return f"on {attempt.worker}, {attempt.reason or 'ok'}{code} after {took}"
