"""`relayq up | down`: the local hub and one worker, in the background."""

from __future__ import annotations

import argparse

from relayq import hub
from relayq.cli.exit_codes import OK
from relayq.cli.output import say
from relayq.client.local import LocalWorker
from relayq.config import Config, load
from relayq.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the argument of `up`; `down` has none."""
    if parser.get_default("command") == "up":
        parser.add_argument("--scheduler", action="store_true", help="let the worker fire schedules as well")


def run(args: argparse.Namespace) -> int:
    """Start both, or stop both: what was started is stopped, whichever hub is configured by now."""
    config = load({"hub.url": args.url, "hub.fleet": args.fleet})
    if args.command == "down":
        _down(config)
        return OK
    if config.url:
        raise UsageError(
            f"`relayq up` is for the local hub, but {config.sources['hub.url']} names "
            "another one; start a worker for it with `relayq worker`"
        )
    _up(config, scheduler=args.scheduler)
    return OK


def _up(config: Config, *, scheduler: bool) -> None:
    url = hub.start(config)
    was_started = LocalWorker(config, url).start(idle_exit="", scheduler=scheduler)
    say(f"the hub runs at {url}")
    say("a worker was started in the background" if was_started else "the background worker runs already")
    if scheduler and not was_started:
        say("whether it fires schedules was decided when it was started: relayq down, then this again")
    say("try: relayq run -- 'echo hello from $(hostname)'")


def _down(config: Config) -> None:
    had_worker = LocalWorker(config, "").stop()
    had_hub = hub.stop(config)
    say("the background worker has left" if had_worker else "no background worker was running")
    say("the hub has stopped; its jobs are kept" if had_hub else "no local hub was running")
