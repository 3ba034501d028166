"""`relayq tui`: the terminal UI."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from relayq_tui.feed import Feed

    from relayq.config import Config

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

    from relayq.config import load

    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    options = Options(
        theme=_theme(args),
        ascii=args.ascii,
        read_only=args.read_only,
        cache=None if args.demo else _cache(config),
    )
    app = RelayQApp(_feed(args, config), options)
    app.run()
    return app.return_code or OK


def _feed(args: argparse.Namespace, config: Config) -> Feed:
    if args.demo:
        from relayq_tui.demo import DemoFeed

        return DemoFeed(is_live=True)
    from relayq_tui.hubfeed import HubFeed

    return HubFeed(config)


def _cache(config: Config) -> Path:
    """One file for each fleet and address."""
    import hashlib

    name = hashlib.sha256(f"{config.url} {config.fleet}".encode()).hexdigest()[:16]
    return config.cache_dir / f"tui-{name}.json"


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("relayq tui needs a terminal; for scripts there is `relayq jobs --json`")
    if os.environ.get("TERM", "") in ("", "dumb"):
        raise UsageError("this terminal cannot draw screens (TERM=dumb); use `relayq jobs` instead")


def _theme(args: argparse.Namespace) -> str:
    if args.theme:
        return str(args.theme)
    return "mono" if os.environ.get("NO_COLOR") else "dark"
