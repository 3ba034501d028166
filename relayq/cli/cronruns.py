"""What GitHub's clock did with the cron lines of the repository that one stands in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from relayq.cli.output import say
from relayq.errors import ConfigError, GitHubError
from relayq.model.duration import format_duration

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.config import Config
    from relayq.model.cronruns import CronRuns
    from relayq.workflows import Found

FRESH_MS = 15 * 60_000


async def cron_runs(client: AsyncClient, found: Found) -> dict[str, CronRuns]:
    """As the hub knows it by repository, read anew where that is old and a token is here."""
    now_ms, known = await client.budget.crons()
    repo = found.repo.lower()
    if not repo or (repo in known and now_ms - known[repo].read_ms <= FRESH_MS):
        return known
    try:
        if fresh := await _asked(client.submitter.config, found.repo):
            await client.budget.keep_crons(repo, fresh)
            return {**known, repo: fresh}
    except (GitHubError, ConfigError) as error:
        say(f"what GitHub's clock did cannot be read: {error}")
    if repo in known:
        say(f"what GitHub's clock did is known as of {format_duration(now_ms - known[repo].read_ms)} ago")
    return known


async def _asked(config: Config, repo: str) -> CronRuns | None:
    """What GitHub says; None without a token."""
    from relayq.github.opening import token_of

    if token_of(config, os.environ) is None:
        return None
    from relayq.github.api import Manners
    from relayq.github.crons import scheduled
    from relayq.github.opening import open_github
    from relayq.github.repos import check_repo

    async with open_github(config, os.environ, Manners(patience_s=0)) as github:
        return await scheduled(github, check_repo(repo))
