"""`relayq approve`: the owner's word for a job that waits for it; shown first, then signed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from relayq.cli.change import refusal
from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_json, print_lines
from relayq.cli.session import with_client

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Approve the job as it stands, and say what it is."""
    job, title, asker, answer = with_client(args, lambda client: _approve(client, args.id))
    if args.json:
        print_json({"id": job, "job": title, "asked_by": asker, "answer": answer})
    else:
        said = f"may run: {title}" + (f", asked for by {asker}" if asker else "")
        print_lines([f"{job}  {said if answer == 'released' else refusal(answer)}"])
    return OK if answer == "released" else FAILED


async def _approve(client: AsyncClient, text: str) -> tuple[str, str, str, str]:
    from relayq.client.glance import asked_by, glance, title_of

    record = await (await client.job(text)).info()
    title, asker = title_of(glance(record.envelope)), asked_by(record.envelope)
    return record.id, title, asker, await client.jobs.approve(record.id, record.likeness)
