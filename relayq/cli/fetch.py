"""`relayq fetch`: write the files that a job left into a directory, and overwrite nothing there unasked."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.logs import elements_of
from relayq.cli.output import print_json, print_lines, say, waiting
from relayq.cli.session import with_client
from relayq.errors import Refused
from relayq.model.ids import short
from relayq.model.lifecycle import FINAL

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.store.records import JobRecord


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("id", metavar="ID", help="the job, or the last four or more characters of its id")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="only these files (default: all that --out kept)"
    )
    parser.add_argument("--to", default=".", metavar="DIR", help="where to write them (default: here)")
    parser.add_argument("--force", action="store_true", help="overwrite what is there already")
    parser.add_argument("--json", action="store_true", help="print one JSON object a file")


def run(args: argparse.Namespace) -> int:
    """Fetch and print what was written."""
    with waiting("fetching files", is_shown=not sys.stdout.isatty()):
        record, written = with_client(args, lambda client: _fetch(client, args))
    for path in written:
        if args.json:
            print_json({"path": str(path), "size": path.stat().st_size})
        else:
            print_lines([str(path)])
    if not written:
        say(_why_none(record))
    return OK


async def _fetch(client: AsyncClient, args: argparse.Namespace) -> tuple[JobRecord, list[Path]]:
    """The files of a job, or those of each element of an array in a directory of its index."""
    job = await client.job(args.id)
    record = await job.info()
    if record.array is None:
        return record, await job.fetch(args.to, args.names or None, force=args.force)
    written = []
    for name in elements_of(record):
        element = await client.jobs.record(name)
        if element and element.doubt:
            raise Refused(element.doubt)
        wanted = [one for one in args.names or () if element and one in element.outputs]
        if element and element.outputs and (wanted or not args.names):
            below = Path(args.to, name.partition(":")[2])
            written += await client.handle(name).fetch(below, wanted or None, force=args.force)
    return record, written


def _why_none(record: JobRecord) -> str:
    if record.state not in FINAL:
        return f"job {record.id} has not ended yet; `relayq wait {short(record.id)}` waits for it"
    return f"job {record.id} left no files; `--out GLOB` says which ones are kept"
