"""Read both of GitHub's sources for the month that GitHub's clock shows, and keep them in the hub.

What cannot be read is said in one sentence and leaves what was read before where it is,
with its age: an old figure with its mark is better than a wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from relayq.config import Config
from relayq.errors import GitHubError
from relayq.github.api import GitHub
from relayq.github.billing import bill
from relayq.github.minutes import count
from relayq.github.repos import Owner, Repo, owner, private_repos, repo
from relayq.model.budget import Month, Usage
from relayq.store.budget import Budget

# So many requests of the hour are left to whoever else uses the token.
RESERVE = 200


@dataclass(slots=True)
class Refreshed:
    """What became of it: the month, and a sentence for each thing that could not be read."""

    month: Month
    problems: list[str] = field(default_factory=list)


async def refresh(
    github: GitHub, budget: Budget, config: Config, included: int, tell: Callable[[str], None]
) -> Refreshed:
    """Count and read; raises GitHubError only when nothing at all can be read."""
    whose = await owner(github, str(config.values["github.owner"] or ""))
    done = Refreshed(Month.of(github.now_ms()))
    repos = await _repos(github, whose, config, done)
    kept = await budget.ended_runs(done.month)
    counted = await count(github, repos, done.month, kept, tell)
    await budget.keep_runs(done.month, counted.ended)
    for name, runs in counted.crons.items():
        await budget.keep_crons(name, runs)
    if counted.failed is not None:
        done.problems.append(str(counted.failed))
    if repos and not (counted.failed is not None and await _knew_more(budget, counted.usage)):
        await budget.keep(counted.usage, included, whose.login)
    try:
        booked = await bill(github, whose, done.month)
        if booked is not None:
            await budget.keep(booked, included, whose.login)
    except GitHubError as error:
        done.problems.append(str(error))
    return done


async def _knew_more(budget: Budget, part: Usage) -> bool:
    """Does the hub hold more of the month than what was counted before GitHub stopped answering?"""
    known = (await budget.read(part.month)).runs
    return not part.jobs or (known is not None and known.month == part.month and known.used >= part.used)


async def _repos(github: GitHub, whose: Owner, config: Config, done: Refreshed) -> list[Repo]:
    named = config.values["github.repos"]
    if not isinstance(named, tuple) or not named:
        return await private_repos(github, whose)
    found = []
    for name in named:
        try:
            found.append(await repo(github, str(name)))
        except GitHubError as error:
            done.problems.append(str(error))
    return found
