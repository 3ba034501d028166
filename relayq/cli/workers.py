"""`relayq workers`: which workers there are and what they do."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.cli.session import with_client
from relayq.model.duration import format_duration, format_size

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.store.records import WorkerRecord

HEADERS = ("WORKER", "STATE", "JOBS", "CPUS", "MEMORY", "ISOLATION", "LABELS", "SEEN")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the workers."""
    workers, now_ms = with_client(args, _fetch)
    if args.json:
        from relayq.store.fleet import worker_facts

        for worker in workers:
            print_json(worker_facts(worker))
    elif workers:
        print_table(HEADERS, [_row(worker, now_ms) for worker in workers])
    else:
        say("no worker is known; start one with `relayq worker`")
    return OK


async def _fetch(client: AsyncClient) -> tuple[list[WorkerRecord], int]:
    return await client.workers.list(), await client.now_ms()


def _state(worker: WorkerRecord, now_ms: int) -> str:
    """`online`, or what it does not do and why; of one that is late nobody knows whether it lives."""
    from relayq.store.fleet import silent_ms

    if not worker.online:
        return "offline"
    if late_ms := silent_ms(worker, now_ms):
        return f"silent for {format_duration(late_ms)}"
    return worker.command or worker.facts.get("takes_nothing") or "online"


def _row(worker: WorkerRecord, now_ms: int) -> list[str]:
    from relayq.store.fleet import offer_of

    offer = offer_of(worker.offer)
    return [
        worker.name,
        _state(worker, now_ms),
        str(len(worker.running)),
        f"{offer.cpus_milli / 1000:g}",
        format_size(offer.memory_bytes) if offer.memory_bytes else "-",
        worker.facts.get("isolation", "").partition(" (")[0] or "-",
        ",".join(sorted(offer.labels)),
        f"{format_duration(max(0, now_ms - worker.seen_ms))} ago" if worker.seen_ms else "-",
    ]
