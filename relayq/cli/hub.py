"""`relayq hub`: the local hub by itself, and the hub that is installed for other machines.

`start`, `stop` and `status` are about the hub that the configuration names; `install` and
`uninstall` about this machine; the rest is the owner's, over the network.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_facts, print_json, say
from relayq.cli.parser import add_json
from relayq.config import Config, load
from relayq.errors import UsageError
from relayq.model.duration import format_duration, format_size

WORDS = {
    "start": "",
    "stop": "",
    "status": "",
    "install": "",
    "uninstall": "",
    "invite": "worker|submit|viewer NAME",
    "revoke": "NAME",
    "rotate": "",
    "upgrade": "",
    "backup": "FILE",
    "restore": "FILE",
}
INSTALLING = {"dry_run", "root", "address", "port", "listen", "max_memory", "show_join"}
OPTIONS = {
    "install": INSTALLING,
    "uninstall": {"dry_run", "root"},
    "invite": {"expires", "address", "queues", "types"},
    "status": {"json"},
    "stop": {"force"},
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=tuple(WORDS), help="what to do")
    parser.add_argument("words", nargs="*", metavar="ROLE NAME | FILE", help="whom to invite, or which file")
    add_json(parser, "one JSON object (status)")
    parser.add_argument("--expires", metavar="TIME", help="invite: how long it is good (default: for good)")
    parser.add_argument("--queues", metavar="LIST", help="invite submit: the only queues it may use")
    parser.add_argument("--types", metavar="LIST", help="invite submit: the only job types it may use")
    parser.add_argument(
        "--address",
        metavar="HOST:PORT",
        help="install, invite: where others reach the hub, if not as found out",
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="install: the port to listen on (default: 7379)"
    )
    parser.add_argument(
        "--listen", metavar="LIST", help="install: the addresses to listen on (default: all of this machine)"
    )
    parser.add_argument(
        "--max-memory", metavar="SIZE", help="install: the hub's memory (default: a quarter of the machine's)"
    )
    parser.add_argument(
        "--show-join", action="store_true", help="install: print the owner's join string again"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="install, uninstall: show every file and command"
    )
    parser.add_argument("--force", action="store_true", help="stop: even if its latest changes are lost")
    parser.add_argument("--root", metavar="DIR", help="install, uninstall: below DIR, and start nothing")


def run(args: argparse.Namespace) -> int:
    """Do one thing."""
    _check(args)
    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    handlers: dict[str, Callable[[argparse.Namespace, Config], int]] = {
        "start": _start,
        "stop": _stop,
        "status": _status,
    }
    if args.action in handlers:
        return handlers[args.action](args, config)
    from relayq.cli import hub_owner

    return hub_owner.run(args, config)


def _check(args: argparse.Namespace) -> None:
    """Refuse words and options that have nothing to do with the action."""
    wanted = WORDS[args.action]
    if len(args.words) != len(wanted.split()):
        raise UsageError(
            f"type it so: relayq hub {args.action} {wanted}".rstrip() + "; see `relayq hub --help`"
        )
    optional = {*INSTALLING, "expires", "queues", "types", "json", "force"}
    given = {name for name in optional if getattr(args, name) not in (None, False)}
    if extra := sorted(given - OPTIONS.get(args.action, set())):
        raise UsageError(f"`relayq hub {args.action}` has no use for --{extra[0].replace('_', '-')}")


def refuse_url(args: argparse.Namespace, what: str) -> None:
    """Only the local hub is started and stopped here; UsageError when another one is typed."""
    if args.url:
        raise UsageError(f"`relayq {what}` is for the local hub, but --url names another one: leave it out")


def _start(args: argparse.Namespace, config: Config) -> int:
    from relayq.hub import start

    refuse_url(args, "hub start")
    print(start(config))
    return OK


def _stop(args: argparse.Namespace, config: Config) -> int:
    refuse_url(args, "hub stop")
    say(stop_hub(config, force=args.force))
    return OK


def stop_hub(config: Config, *, force: bool) -> str:
    """Stop the local hub and say so; that its jobs are kept is said only where that was seen to."""
    from relayq.hub import stop

    if not stop(config, force=force):
        return "no local hub was running"
    return "the hub has stopped" if force else "the hub has stopped; its jobs are kept"


def _status(args: argparse.Namespace, config: Config) -> int:
    """Exit code 1 when the local hub is not running."""
    from relayq.hub import status

    facts = status(config)
    if args.json:
        print_json(facts)
    else:
        print_facts(_shown(facts))
    return OK if facts.get("running", True) else FAILED


def _shown(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        if value is None:
            continue
        label = name.replace("_", " ").removesuffix(" s").removesuffix(" bytes")
        yield label, _text(name, value)


def _text(name: str, value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text('', item)}" for key, item in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_bytes") and isinstance(value, int):
        return format_size(value)
    if name.endswith("_s") and isinstance(value, int):
        return format_duration(value * 1000)
    return str(value)
