"""`relayq scheduler`: fire the fleet's schedules until told to leave."""

from __future__ import annotations

import argparse
import asyncio
import signal
from functools import partial
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import print_lines, say
from relayq.cli.parser import add_trust
from relayq.config import load
from relayq.errors import WorkerError

if TYPE_CHECKING:
    from relayq.client.submitter import Submitter
    from relayq.config import Config
    from relayq.scheduling import Scheduler, SchedulerOptions


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--name", metavar="NAME", help="its name in the history (default: this machine's)")
    parser.add_argument("--once", action="store_true", help="fire what is due now, say what, and leave")
    add_trust(parser, "fire schedules of this key too")
    parser.add_argument("--log-json", action="store_true", help="log as JSON, one object a line")


def run(args: argparse.Namespace) -> int:
    """Fire slots."""
    from relayq import log
    from relayq.scheduling import Scheduler

    config = load({"hub.url": args.url, "hub.fleet": args.fleet, "worker.name": args.name})
    options = options_of(config, args.trust)
    if args.once:
        decided = asyncio.run(Scheduler(options).run_once())
        print_lines(f"{name} {slot.word} {slot.job}".rstrip() for name, slot in decided)
        return OK
    log.setup(json=args.log_json, level="info")
    asyncio.run(_until_told(options))
    return OK


def options_of(config: Config, trust: list[str]) -> SchedulerOptions:
    """What a scheduler on this machine needs to know."""
    from relayq.client.submitter import Submitter
    from relayq.scheduling import SchedulerOptions

    submitter = Submitter(config)
    # The embedded hub's own worker leaves when it is idle, and must be there for what is fired.
    tend = partial(_tend, submitter) if submitter.is_embedded else None
    return SchedulerOptions(
        url=submitter.url,
        fleet=config.fleet,
        name=config.worker.name,
        tend=tend,
        believed=lambda: {*trust, *config.trust_keys, *submitter.believed()},
    )


def _tend(submitter: Submitter) -> None:
    """See that a worker is there for what was fired; that none can be is no reason to stop firing."""
    try:
        submitter.tend()
    except WorkerError as error:
        say(str(error))


async def _until_told(options: SchedulerOptions) -> None:
    from relayq.scheduling import Scheduler

    scheduler: Scheduler = Scheduler(options)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, scheduler.stop)
    await scheduler.run()
