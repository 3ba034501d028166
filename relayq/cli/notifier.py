"""`relayq notifier`: tell GitHub how jobs ended, until interrupted.

A worker does the same beside its work where `github.notify` names repositories.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import OK
from relayq.cli.output import say
from relayq.cli.parser import add_trust
from relayq.config import Config
from relayq.errors import ConfigError, HubUnreachable, Refused

if TYPE_CHECKING:
    from relayq.github.notifier import Eyes

AWAY_S = 3.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--repos", metavar="LIST", help="repositories: OWNER/NAME or OWNER/* (default: github.notify)"
    )
    add_trust(parser, "an owner (public key) whose fleet this may be")
    parser.add_argument("--once", action="store_true", help="leave when nothing is left to tell")
    parser.add_argument("--log-json", action="store_true", help="log as JSON, one object a line")


def run(args: argparse.Namespace) -> int:
    """Tell until interrupted; 0."""
    from relayq import log
    from relayq.config import load
    from relayq.hub import choose_url

    config = load({"hub.url": args.url, "hub.fleet": args.fleet, "github.notify": args.repos})
    log.setup(json=args.log_json)
    if not config.values["github.notify"]:
        raise ConfigError(
            "no repository is named to which results may be posted: "
            "write --repos OWNER/NAME, or set github.notify"
        )
    work = notifying(config, choose_url(config)[0], tuple(args.trust), once=args.once)
    asyncio.run(work() if args.once else _for_ever(work))
    return OK


async def _for_ever(work: Callable[[], Coroutine[None, None, None]]) -> None:
    """A hub that is away comes back; what was not told is told then."""
    while True:
        try:
            await work()
        except HubUnreachable as error:
            say(f"{error}; tried again in {AWAY_S:.0f} s")
        await asyncio.sleep(AWAY_S)


def notifying(
    config: Config, url: str, trust: tuple[str, ...], *, once: bool = False
) -> Callable[[], Coroutine[None, None, None]]:
    """What tells notices by this configuration; GitHubDenied at once when there is no token."""
    from relayq.github.api import Manners
    from relayq.github.notifier import Notifier
    from relayq.github.opening import open_github
    from relayq.github.repos import check_repo

    patterns = config.values["github.notify"]
    repos = tuple(map(str, patterns)) if isinstance(patterns, tuple) else ()
    for pattern in repos:
        check_repo(pattern.removesuffix("/*") + "/x" if pattern.endswith("/*") else pattern)
    connection = open_github(config, os.environ, Manners(patience_s=0))

    async def work() -> None:
        async with connection as github:
            eyes = _eyes(config, url, trust)
            notifier = Notifier(github, url=url, fleet=config.fleet, repos=repos, eyes=eyes)
            await notifier.run(once=once)

    return work


def _eyes(config: Config, url: str, trust: tuple[str, ...]) -> Callable[[], Eyes]:
    """What looks at the roster of the fleet, whichever of the owners that are trusted here signed it."""
    from relayq.client.dispatch import Dispatcher
    from relayq.client.standing import Standing
    from relayq.github.notifier import Eyes
    from relayq.store.desk import Foreign, no_roster
    from relayq.trust.boxes import BoxKey

    ask = Dispatcher(url, config.fleet).ask
    owners = [config.trust_owner] if config.trust_owner else ["", *config.trust_keys, *trust]
    standings = [Standing(Config(**{**vars(config), "trust_owner": owner}), ask) for owner in owners]

    def look() -> Eyes:
        foreign = Refused(no_roster(config.fleet))
        for standing in standings:
            try:
                roster = standing.desk.seen()
            except Foreign as error:
                foreign = error
                continue
            if roster is not None:
                is_reader = BoxKey.of(standing.key).public in roster.readers()
                return Eyes(
                    roster.submitters(), standing.runs.by(roster.github), standing.reader(), is_reader
                )
        raise foreign

    return look
