"""`relayq version`: print the version."""

from __future__ import annotations

import argparse

from relayq import __version__
from relayq.cli.exit_codes import OK


def configure(parser: argparse.ArgumentParser) -> None:
    """There is nothing to configure."""


def run(_: argparse.Namespace) -> int:
    """Print it."""
    print(f"relayq {__version__}")
    return OK
