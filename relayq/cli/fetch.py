"""`relayq fetch`: write the files that a job left into a directory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_lines, say
from relayq.cli.session import with_client

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient


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
    written = with_client(args, lambda client: _fetch(client, args))
    for path in written:
        if args.json:
            print_json({"path": str(path), "size": path.stat().st_size})
        else:
            print_lines([str(path)])
    if not written:
        say("the job left no files; `--out GLOB` says which ones are kept")
    return OK


async def _fetch(client: AsyncClient, args: argparse.Namespace) -> list[Path]:
    job = await client.job(args.id)
    return await job.fetch(args.to, args.names or None, force=args.force)
