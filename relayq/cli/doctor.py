"""`relayq doctor`: check the hub and this machine, one line each, with a remedy for what is wrong."""

from __future__ import annotations

import argparse

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_json, print_table
from relayq.cli.parser import add_json
from relayq.config import load


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser, "one JSON object a check")


def run(args: argparse.Namespace) -> int:
    """Check everything; 1 when something is bad."""
    from relayq.cli.checks import BAD, check_all

    checks = list(check_all(load({"hub.url": args.url, "hub.fleet": args.fleet})))
    if args.json:
        for check in checks:
            print_json(check._asdict())
    else:
        print_table(
            ("", "CHECK", "FOUND"),
            [
                (check.verdict, check.name, check.found + (f"; {check.remedy}" if check.remedy else ""))
                for check in checks
            ],
        )
    return FAILED if any(check.verdict == BAD for check in checks) else OK
