"""`relayq up | down`: the local hub and one worker, in the background."""

from __future__ import annotations

import argparse
import asyncio

from relayq import hub
from relayq.cli.exit_codes import OK
from relayq.cli.hub import refuse_url, stop_hub
from relayq.cli.output import say
from relayq.client.local import LocalWorker
from relayq.config import Config, load
from relayq.errors import HubError, UsageError
from relayq.model.duration import format_duration
from relayq.model.ids import short
from relayq.model.lifecycle import State

NAMED_MAX = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    if parser.get_default("command") == "up":
        parser.add_argument("--scheduler", action="store_true", help="let the worker fire schedules as well")
        return
    parser.add_argument(
        "--kill", action="store_true", help="end running jobs at once; they go back to their queue"
    )
    parser.add_argument(
        "--force", action="store_true", help="stop the hub even if its latest changes are lost"
    )


def run(args: argparse.Namespace) -> int:
    """Start both, or stop both: what was started is stopped, whichever hub is configured by now."""
    refuse_url(args, args.command)
    config = load({"hub.fleet": args.fleet})
    if args.command == "down":
        _stop_worker(config, kill=args.kill)
        say(stop_hub(config, force=args.force))
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
    worker = LocalWorker(config, url)
    was_started = worker.start(idle_exit="", scheduler=scheduler)
    say(f"the hub runs at {url}")
    if was_started:
        worker.await_ready()
    say("a worker was started in the background" if was_started else "the background worker runs already")
    if scheduler and not was_started:
        say("whether it fires schedules was decided when it was started: relayq down, then this again")
    say("try: relayq run -- 'echo hello from $(hostname)'")


def _stop_worker(config: Config, *, kill: bool) -> None:
    """End the background worker; what runs on it is named, and so is what becomes of that."""
    worker = LocalWorker(config, "")
    if not worker.is_there():
        say("no background worker was running")
        return
    if (running := _running(config)) and not kill:
        longest = format_duration(config.worker.stop_deadline_ms)
        say(f"waiting up to {longest} for {running} to end; `relayq down --kill` does not wait")
    worker.stop(kill=kill)
    say("the background worker has left")
    if left := _running(config):
        say(f"{left} may go on without it: the next worker on this machine takes over what it left")


def _running(config: Config) -> str:
    """The jobs that run on the background worker, by their short ids; empty when there are none."""
    url = hub.running(config)
    if url is None:
        return ""
    try:
        jobs = asyncio.run(_jobs_here(url, config))
    except HubError:
        return ""
    more = f" and {len(jobs) - NAMED_MAX} more" if len(jobs) > NAMED_MAX else ""
    return f"{'job' if len(jobs) == 1 else 'jobs'} {', '.join(jobs[:NAMED_MAX])}{more}" if jobs else ""


async def _jobs_here(url: str, config: Config) -> list[str]:
    """An array runs wherever its elements do, so it counts as well."""
    from relayq.store.hub import Hub
    from relayq.store.jobs import Jobs

    far = Hub(url, config.fleet)
    try:
        records = await Jobs(far).list_jobs((State.RUNNING, State.UNREACHABLE), limit=1000)
    finally:
        await far.close()
    return [short(one.id) for one in records if one.array or one.worker == config.worker.name]
