"""The runs that GitHub's clock made in a repository, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from relayq.github.api import GitHub, listed
from relayq.github.moments import moment_ms
from relayq.model.cronruns import MOST_RUNS, CronRun, CronRuns
from relayq.model.steps import workflow_file


async def scheduled(github: GitHub, repo: str) -> CronRuns:
    """The last hundred of them, in one request; raises GitHubError."""
    path = f"/repos/{repo}/actions/runs"
    params = {"event": "schedule", "exclude_pull_requests": "true", "per_page": MOST_RUNS}
    body = await github.get(path, params)
    runs = listed(body, "workflow_runs", path)
    return CronRuns.of(cron_runs(runs), github.now_ms(), is_whole=body.get("total_count") == len(runs))


def cron_runs(runs: Iterable[Mapping[str, Any]]) -> list[CronRun]:
    """Those of these runs that a cron started."""
    return [
        CronRun(
            workflow_file(str(run.get("path", ""))) or str(run.get("name", "")),
            made_ms,
            str(run.get("conclusion") or run.get("status") or ""),
        )
        for run in runs
        if run.get("event") == "schedule" and (made_ms := moment_ms(run.get("created_at")))
    ]
