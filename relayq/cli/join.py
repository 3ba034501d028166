"""`relayq join`: belong to a fleet, by a string that its owner has made."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import say
from relayq.config import load
from relayq.errors import UsageError

if TYPE_CHECKING:
    from relayq.config import Config
    from relayq.trust.ticket import Ticket

READ_CHARS_MAX = 65_536


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "string",
        nargs="?",
        metavar="STRING | - | @FILE",
        help="the join string; - reads it from stdin, @FILE from a file, so that no history keeps it",
    )
    parser.add_argument(
        "--address", metavar="HOST:PORT", help="where the hub is reached from here, if elsewhere"
    )
    parser.add_argument("--replace", action="store_true", help="give up the hub that was joined before")
    parser.add_argument("--leave", action="store_true", help="forget the hub that was joined, and its keys")


def run(args: argparse.Namespace) -> int:
    """Join, or leave; 1 when there was nothing to leave."""
    from relayq.hub.joining import join, joined_as, leave
    from relayq.hub.place import has_private_hub

    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    if args.leave:
        was_there = leave(config)
        say("this machine belongs to no hub any more" if was_there else "this machine had joined no hub")
        if was_there and not load({}).url and has_private_hub(config):
            say("commands speak with its private hub again, which has kept its jobs and schedules")
        return OK if was_there else FAILED
    if not args.string:
        raise UsageError("`relayq join` wants a join string: `relayq join -`, and paste it")
    if (before := joined_as(config)) and not args.replace:
        raise UsageError(f"this machine has joined already, as {before}: add --replace to join another hub")
    join(config, _ticket(args), say)
    if not config.url and has_private_hub(config):
        _tell_what_stays_behind(config)
    return OK


def _tell_what_stays_behind(config: Config) -> None:
    """The private hub that was used until now: commands show its jobs no more."""
    from relayq.hub import running

    say("the jobs and schedules that were submitted here so far stay in this machine's private hub, unseen:")
    say("commands speak with the joined hub now; `relayq join --leave` goes back to the private one")
    if running(config):
        say("it and its worker go on with what they have: `relayq down` ends them, their jobs are kept")


def _ticket(args: argparse.Namespace) -> Ticket:
    from relayq.trust.ticket import check_address, read_ticket

    ticket = read_ticket(_text(args.string))
    return ticket._replace(address=check_address(args.address)) if args.address else ticket


def _text(word: str) -> str:
    """The string itself; it is never part of an error."""
    if word == "-":
        if sys.stdin.isatty():
            from getpass import getpass

            return getpass("the join string (it is not shown): ")
        return sys.stdin.read(READ_CHARS_MAX)
    if not word.startswith("@"):
        return word
    try:
        with Path(word[1:]).open() as file:
            return file.read(READ_CHARS_MAX)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{word[1:]} cannot be read: {getattr(error, 'strerror', '') or 'it is no text'}"
        ) from None
