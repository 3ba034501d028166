"""`relayq tui`: the terminal UI."""

from __future__ import annotations

import argparse
import os
import sys

from relayq.cli.exit_codes import OK
from relayq.errors import UsageError

THEMES = ("dark", "light", "ansi", "mono")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--demo", action="store_true", help="show a home that is made up; no hub is needed")
    parser.add_argument("--read-only", action="store_true", help="look only: nothing can be changed")
    parser.add_argument("--ascii", action="store_true", help="draw with plain ASCII characters")
    parser.add_argument("--theme", choices=THEMES, help="colours: dark (default), light, ansi or mono")


def run(args: argparse.Namespace) -> int:
    """Show the screens until the person leaves."""
    _check_terminal()
    from relayq_tui.app import Options, RelayQApp
    from relayq_tui.demo import DemoFeed

    options = Options(theme=_theme(args), ascii=args.ascii, read_only=args.read_only)
    RelayQApp(DemoFeed(is_live=True), options).run()
    return OK


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("relayq tui needs a terminal; for scripts there is `relayq jobs --json`")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("this terminal cannot draw screens (TERM=dumb); use `relayq jobs` instead")


def _theme(args: argparse.Namespace) -> str:
    if args.theme:
        return str(args.theme)
    return "mono" if os.environ.get("NO_COLOR") else "dark"
