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
from relayq.github.minutes import Count, count
from relayq.github.repos import Owner, Repo, owner, private_repos, repo
from relayq.model.budget import Month
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
    done.problems += [f"{name} has no Actions, or the token may not read them" for name in counted.missing]
    await _keep_bill(github, budget, whose, included, done)
    # The count last: it speaks before the bill when the month is remembered.
    if repos and not await _knew_more(budget, counted):
        await budget.keep(counted.usage, included, whose.login)
    return done


async def _keep_bill(github: GitHub, budget: Budget, whose: Owner, included: int, done: Refreshed) -> None:
    try:
        booked = await bill(github, whose, done.month)
    except GitHubError as error:
        done.problems.append(str(error))
        return
    if booked is not None:
        await budget.keep(booked, included, whose.login)


async def _knew_more(budget: Budget, counted: Count) -> bool:
    """Does the hub hold more of the month than this count, should GitHub not have let it be whole?"""
    part = counted.usage
    if counted.failed is None and not counted.missing:
        return False
    if not part.jobs:
        return True
    known = (await budget.read(part.month)).runs
    if known is None or known.month != part.month:
        return False
    return known.used >= part.used if counted.failed else known.used > part.used


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
