"""`relayq reprioritise`: move a waiting job forward or back."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from relayq.cli.change import DONE, ask, code_of, refusal
from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_lines
from relayq.cli.session import with_client
from relayq.model.job import MAX_PRIORITY
from relayq.model.reading import check_int
from relayq.trust.steering import priority_order

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    parser.add_argument(
        "priority", type=int, metavar="N", help="-100 to 100; a step is worth ten minutes of waiting"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Set the priority."""
    job, answer = with_client(args, lambda client: _reprioritise(client, args))
    done = answer in ("done", "pushed")
    if args.json:
        print_json({"id": job, "answer": answer})
    else:
        said = DONE.get(answer) or (f"priority {args.priority}" if done else refusal(answer))
        print_lines([f"{job}  {said}"])
    return OK if done else code_of([answer])


async def _reprioritise(client: AsyncClient, args: argparse.Namespace) -> tuple[str, str]:
    job = (await client.job(args.id)).id
    if client.submitter.is_narrow:
        check_int(args.priority, "priority", -MAX_PRIORITY, MAX_PRIORITY)
        return job, await ask(client, priority_order(args.priority), job)
    return job, await client.jobs.reprioritise(job, args.priority)
