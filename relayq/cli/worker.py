"""`relayq worker`: be a worker until told to leave, with a small live view of it in a terminal.

Log lines take the view's place where there is no terminal to draw on, where they are
asked for, and where the screens are not installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from relayq.cli.output import say
from relayq.cli.parser import add_trust
from relayq.config import load
from relayq.errors import ConfigError, GitHubDenied, UsageError
from relayq.hub import choose_url
from relayq.model.duration import parse_duration_ms

if TYPE_CHECKING:
    from relayq.config import Config
    from relayq.worker.options import WorkerOptions


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--headless", action="store_true", help="log lines only, as services want it")
    parser.add_argument("--name", metavar="NAME", help="its name in the fleet (default: this machine's)")
    parser.add_argument(
        "--labels", metavar="LIST", help="labels beside those it finds out by itself: heavy,room=attic"
    )
    parser.add_argument(
        "--slots", type=int, metavar="N", help="how many jobs at once (default: the CPUs decide)"
    )
    parser.add_argument("--queues", metavar="LIST", help="the queues it serves (default: all)")
    parser.add_argument(
        "--max-memory", metavar="SIZE", help="the memory for jobs (default: what the machine has)"
    )
    add_trust(parser, "run jobs signed by this public key")
    parser.add_argument("--scheduler", action="store_true", help="fire the fleet's schedules as well")
    parser.add_argument("--idle-exit", metavar="TIME", help="leave after so long without a job")
    parser.add_argument("--once", action="store_true", help="leave when nothing is left to do")
    parser.add_argument(
        "--kill", action="store_true", help="when it leaves, end running jobs at the deadline"
    )
    parser.add_argument("--log-json", action="store_true", help="log as JSON, one object a line")
    parser.add_argument(
        "--log-level", default="info", choices=("debug", "info", "warning", "error"), help="what to log"
    )


def run(args: argparse.Namespace) -> int:
    """Work until told to leave; 1 when jobs were left running."""
    from relayq import log
    from relayq.model.needs import parse_labels
    from relayq.worker.options import WorkerOptions
    from relayq.worker.worker import run_worker

    config = load(
        {
            "hub.url": args.url,
            "hub.fleet": args.fleet,
            "worker.name": args.name,
            "worker.slots": args.slots,
            "worker.queues": args.queues,
            "worker.max_memory": args.max_memory,
        }
    )
    labels = parse_labels(args.labels or "", "--labels")
    idle_exit_s = parse_duration_ms(args.idle_exit, "--idle-exit") / 1000 if args.idle_exit else None
    os.umask(0o077)  # nothing that a worker writes is anybody else's business
    log.setup(json=args.log_json, level=args.log_level)
    url = choose_url(config, say)[0]
    options = WorkerOptions(
        url=url,
        labels=labels,
        trust=tuple(args.trust),
        headless=args.headless,
        idle_exit_s=idle_exit_s,
        kill_on_stop=args.kill,
        once=args.once,
        beside=_beside(config, url, tuple(args.trust)),
    )
    show = None if args.log_json else _view(args)
    with _scheduler(config, options) if args.scheduler else nullcontext():
        if show is None:
            return asyncio.run(run_worker(config, options))
        code, last_word = show(config, options)
    print(last_word)
    return code


def _beside(config: Config, url: str, trust: tuple[str, ...]) -> tuple[Callable[[], Awaitable[None]], ...]:
    """What this machine does beside running jobs: telling GitHub how they ended, where that is wanted."""
    if not config.values["github.notify"]:
        return ()
    from relayq.cli.notifier import notifying

    try:
        return (notifying(config, url, trust),)
    except (GitHubDenied, ConfigError, UsageError) as error:
        say(f"GitHub is not told from here how jobs end: {error}")
        return ()


def _scheduler(config: Config, options: WorkerOptions) -> AbstractContextManager[None]:
    """A scheduler beside the worker."""
    from relayq.cli.scheduler import options_of
    from relayq.scheduling import Beside

    return Beside(options_of(config, list(options.trust)))


def _view(args: argparse.Namespace) -> Callable[[Config, WorkerOptions], tuple[int, str]] | None:
    """What runs the worker under a live view; None where lines must do."""
    is_drawable = (
        sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
    )
    if args.headless or not is_drawable:
        return None
    try:
        from relayq_tui.workerview import run_with_view
    except ImportError:
        return None
    return run_with_view
