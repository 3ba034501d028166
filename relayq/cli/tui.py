"""`relayq tui`: the terminal UI."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from typing import TYPE_CHECKING, cast

from relayq.cli.exit_codes import OK
from relayq.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from relayq.config import Config
    from relayq_tui.app import Options
    from relayq_tui.feed import Feed

THEMES = ("dark", "light", "ansi", "mono")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--demo", action="store_true", help="show a home that is made up; no hub is needed")
    source.add_argument("--replay", metavar="FILE", help="play a recording back")
    parser.add_argument("--record", metavar="FILE", help="record what is shown, without output of jobs")
    parser.add_argument("--read-only", action="store_true", help="look only: nothing can be changed")
    parser.add_argument("--ascii", action="store_true", default=None, help="draw with plain ASCII characters")
    parser.add_argument("--theme", choices=THEMES, help="colours: dark (default), light, ansi or mono")


def run(args: argparse.Namespace) -> int:
    """Show the screens until the person leaves."""
    _check_terminal()
    gc.disable()  # until everything is imported: among fresh modules there is nothing to collect
    config = _loaded(args)
    if not (args.demo or args.replay):
        from relayq_tui.setup import is_first_run

        if is_first_run(config):
            if not _set_up(args, config):
                return OK
            config = _loaded(args)
    from relayq_tui.app import RelayQApp

    app = RelayQApp(_feed(args, config), _options(args, config))
    gc.freeze()
    gc.enable()
    app.run()
    return app.return_code or OK


def _loaded(args: argparse.Namespace) -> Config:
    from relayq.config import load

    return load(
        {"hub.url": args.url, "hub.fleet": args.fleet, "tui.theme": _theme(args), "tui.ascii": args.ascii}
    )


def _set_up(args: argparse.Namespace, config: Config) -> bool:
    """Nothing is set up here: ask what is wanted; False when the person left."""
    from relayq_tui.screens.wizard import Wizard

    style, is_ascii = str(config.values["tui.theme"]), bool(config.values["tui.ascii"])
    choice = Wizard(config, style, is_ascii=is_ascii).run()
    if choice is not None:
        args.demo = choice.kind == "demo"
        args.url = choice.url or args.url
    return choice is not None


def _options(args: argparse.Namespace, config: Config) -> Options:
    from pathlib import Path

    from relayq_tui.app import Options
    from relayq_tui.keymap import keymap
    from relayq_tui.views import checked

    given = {
        name.removeprefix("tui."): value for name, value in config.values.items() if name.startswith("tui.")
    }
    views, keys = cast("dict[str, str]", given["views"]), cast("dict[str, str]", given["keys"])
    return Options(
        theme=str(given["theme"]),
        ascii=bool(given["ascii"]),
        read_only=args.read_only or bool(args.replay),
        cache=None if args.demo or args.replay else _cache(config),
        record=Path(args.record) if args.record else None,
        views=checked(views),
        keymap=tuple(keymap(keys).items()),
    )


def _feed(args: argparse.Namespace, config: Config) -> Feed:
    if args.demo:
        from relayq_tui.demo import DemoFeed

        return DemoFeed(is_live=True)
    if args.replay:
        from pathlib import Path

        from relayq_tui.replay import ReplayFeed

        return ReplayFeed(Path(args.replay))
    from relayq_tui.hubfeed import HubFeed

    return HubFeed(config, read_only=args.read_only)


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


def _theme(args: argparse.Namespace) -> str | None:
    """What was asked for; without colours when the person wants none (no-color.org)."""
    return args.theme or ("mono" if os.environ.get("NO_COLOR") else None)
