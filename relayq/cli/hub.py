"""`relayq hub start | stop | status`: the local hub by itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from relayq.cli.exit_codes import FAILED, OK
from relayq.cli.output import print_facts, print_json, say
from relayq.cli.parser import add_json
from relayq.config import Config, load
from relayq.model.duration import format_duration, format_size


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("action", choices=("start", "stop", "status"), help="what to do")
    add_json(parser, "one JSON object (status)")


def run(args: argparse.Namespace) -> int:
    """Start, stop or look."""
    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    match args.action:
        case "start":
            return _start(config)
        case "stop":
            return _stop(config)
    return _status(args, config)


def _start(config: Config) -> int:
    from relayq.hub import start

    print(start(config))
    return OK


def _stop(config: Config) -> int:
    from relayq.hub import stop

    say("the hub has stopped; its jobs are kept" if stop(config) else "no local hub was running")
    return OK


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
