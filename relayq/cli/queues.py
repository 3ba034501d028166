"""`relayq queues`: what stands in each queue."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table, say
from relayq.cli.parser import add_json
from relayq.cli.session import with_client

if TYPE_CHECKING:
    from relayq.store.records import QueueInfo

HEADERS = ("QUEUE", "RUNNABLE", "ALIVE", "WEIGHT", "")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List the queues."""
    queues = with_client(args, lambda client: client.queues.list())
    if args.json:
        for queue in queues:
            print_json({name: getattr(queue, name) for name in queue.__slots__})
    elif queues:
        rows = (
            (
                queue.name,
                str(queue.runnable),
                str(queue.living),
                f"{queue.weight:g}",
                _told(queue),
            )
            for queue in queues
        )
        print_table(HEADERS, rows)
    else:
        say("no job has been submitted yet")
    return OK


def _told(queue: QueueInfo) -> str:
    if queue.alarm:
        return f"ALARM: {queue.alarm}"
    return f"paused by {queue.paused_by}" if queue.paused else ""
