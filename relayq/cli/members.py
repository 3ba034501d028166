"""`relayq revoke` and `relayq rotate`: the owner's two ways to shut somebody out of a fleet."""

from __future__ import annotations

import argparse

from relayq.config import load


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    if parser.get_default("command") == "revoke":
        parser.add_argument("name", metavar="NAME", help="the member's name, or the id of its key")


def run(args: argparse.Namespace) -> int:
    """Revoke one member, or begin a new epoch."""
    from relayq.cli import hub_owner

    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    return hub_owner.revoke(config, args.name) if args.command == "revoke" else hub_owner.rotate(config)
