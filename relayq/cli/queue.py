"""`relayq queue pause | resume | weight`: steer one queue."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_lines, say
from relayq.cli.session import with_client
from relayq.errors import UsageError

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("pause", "resume", "weight"), help="what to do with it")
    parser.add_argument("name", metavar="NAME", help="the queue")
    parser.add_argument(
        "weight",
        nargs="?",
        type=float,
        metavar="N",
        help="its jobs age N times as fast as others: 0.01 to 100",
    )


def run(args: argparse.Namespace) -> int:
    """Do it and say so."""
    if (args.action == "weight") != (args.weight is not None):
        raise UsageError("a weight is what `relayq queue weight NAME N` takes, and only that")
    is_known = with_client(args, lambda client: _steer(client, args))
    if not is_known and args.action != "resume":
        say(f"no job stands in a queue called {args.name!r}: this holds for those that come")
    done = {"pause": "is paused", "resume": "goes on", "weight": f"has weight {args.weight or 1:g}"}
    print_lines([f"queue {args.name} {done[args.action]}"])
    return OK


async def _steer(client: AsyncClient, args: argparse.Namespace) -> bool:
    """Do it; whether any job has made the queue known before."""
    known = {name for _, name, _, _ in (await client.queues.stats())["lanes"]}
    match args.action:
        case "pause":
            await client.queues.pause(args.name)
        case "resume":
            await client.queues.resume(args.name)
        case _:
            await client.queues.weight(args.name, args.weight)
    return args.name in known
