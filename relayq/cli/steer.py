"""`relayq quiet | stop`: tell a worker to take nothing new, or to finish and leave."""

from __future__ import annotations

import argparse

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_lines
from relayq.cli.session import with_client
from relayq.errors import UnknownName

DONE = {
    "quiet": "takes nothing new",
    "resume": "takes jobs again",
    "stop": "finishes and leaves",
    "kill": "ends its jobs and leaves",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", metavar="NAME", help="the worker, as `relayq workers` shows it")
    if parser.get_default("command") == "quiet":
        parser.add_argument(
            "--off", dest="word", action="store_const", const="resume", help="take jobs again"
        )
    else:
        parser.add_argument(
            "--kill", dest="word", action="store_const", const="kill", help="end its running jobs too"
        )


def run(args: argparse.Namespace) -> int:
    """Tell the worker."""
    word = args.word or args.command
    if not with_client(args, lambda client: client.workers.command(args.name, word)):
        raise UnknownName(f"no worker {args.name!r} is online; `relayq workers` lists them")
    print_lines([f"worker {args.name} {DONE[word]}"])
    return OK
