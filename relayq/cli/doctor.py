"""`relayq doctor`: check the hub and this machine, one line each, with a remedy for what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_json, print_table
from relayq.cli.parser import add_json
from relayq.config import load
from relayq.errors import ConfigError

if TYPE_CHECKING:
    from relayq.cli.checks import Check


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_json(parser, "one JSON object a check")


def run(args: argparse.Namespace) -> int:
    """Check everything; 1 when something is bad."""
    from relayq.cli.checks import BAD

    checks = list(_checks(args))
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


def _checks(args: argparse.Namespace) -> Iterator[Check]:
    """Every check; what can be checked without it when the configuration is broken."""
    from relayq.cli.checks import check_all, check_without_config

    try:
        config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    except ConfigError as error:
        return check_without_config(error)
    return check_all(config)
