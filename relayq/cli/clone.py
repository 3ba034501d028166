"""`relayq clone`: submit a job again as a new one, changed where options or a command say so."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any

from relayq.cli.exit_codes import OK
from relayq.cli.options import add_job_options, command_of, fields_of, input_files
from relayq.cli.output import sending
from relayq.cli.session import with_client
from relayq.errors import SpecError
from relayq.model.job import JobSpec

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    add_job_options(parser)


def run(args: argparse.Namespace) -> int:
    """Submit the clone and print its id."""
    fields = fields_of(args)
    if args.command_line:
        fields["command"] = command_of(args)
    print(with_client(args, lambda client: _clone(client, args, fields)))
    return OK


async def _clone(client: AsyncClient, args: argparse.Namespace, fields: dict[str, Any]) -> str:
    from relayq.client.glance import glance

    record = await (await client.job(args.id)).info()
    spec = glance(record.envelope)
    if spec is None or record.is_sealed:
        raise SpecError(
            f"job {record.id} cannot be cloned: its spec is sealed to others, or from a newer RelayQ"
        )
    if files := input_files(args):
        with sending(files):
            fields["inputs"] = await asyncio.to_thread(client.submitter.put_files, files)
    return (await client.submit(JobSpec.from_dict({**spec.to_dict(), **fields}))).id
