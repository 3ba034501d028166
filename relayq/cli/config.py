"""`relayq config show | path`: the configuration in force, and where each value comes from."""

from __future__ import annotations

import argparse

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_json, print_table
from relayq.cli.parser import add_json
from relayq.config import load, user_file


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "action", choices=("show", "path"), help="show every value, or the path of your config file"
    )
    add_json(parser, "one JSON object")


def run(args: argparse.Namespace) -> int:
    """Show the configuration."""
    if args.action == "path":
        print(user_file())  # also when what stands in it is broken
        return OK
    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    shown = list(config.shown())
    if args.json:
        print_json({key: {"value": value, "source": source} for key, value, source in shown})
    else:
        print_table(("KEY", "VALUE", "FROM"), shown)
    return OK
