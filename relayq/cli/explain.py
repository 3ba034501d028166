"""`relayq explain`: why a job stands where it stands, worker by worker."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_lines
from relayq.cli.parser import add_json
from relayq.cli.session import with_client

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    add_json(parser, "one JSON object")


def run(args: argparse.Namespace) -> int:
    """Explain the job."""
    job, state, why = with_client(args, lambda client: _explain(client, args.id))
    if args.json:
        print_json({"id": job, "state": state, "explain": why})
    else:
        print_lines([f"job {job} is {state}", *(f"  {sentence}" for sentence in why)])
    return OK


async def _explain(client: AsyncClient, text: str) -> tuple[str, str, list[str]]:
    from relayq.client.explain import sentences

    explanation = await (await client.job(text)).explain()
    record = explanation.record
    return record.id, record.state.value, sentences(explanation, await client.now_ms())
