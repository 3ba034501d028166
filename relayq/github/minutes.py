"""Count the minutes of a month out of runs and their jobs: the first source, live.

Runs are listed by slices of their creation, because a filtered list ends at 1,000
(docs.github.com, "List workflow runs", read 2026-11). A run may be run again for 30
days and is billed again, so the list begins that much before the month and jobs are
read with `filter=all`. What an ended run used never changes: it is kept in the hub by
repository, run and attempt, and not asked for again.

Left out: skipped jobs, jobs on self-hosted runners, jobs that never got a runner, and
all of public repositories. Where failed jobs alone were run again, a later attempt may
list the others once more as they were: on the same runner from the same second to the
same second, they are one job. A job that still runs has used what it has used so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relayq.errors import GitHubError, GitHubMissing, GitHubUnavailable
from relayq.github.api import PAGE, GitHub, listed
from relayq.github.crons import cron_runs
from relayq.github.moments import moment_ms, spelled
from relayq.github.repos import Repo
from relayq.model.budget import DAY_MS, MINUTE_MS, Minutes, Month, Usage, add_up, billed_minutes
from relayq.model.cronruns import CronRuns
from relayq.model.steps import workflow_file
from relayq.model.systems import system_of

MOST_LISTED = 1000
RERUN_MS = 30 * DAY_MS
SLICE_MS = 7 * DAY_MS
NOT_PAID = ("spending limit", "payments have failed", "budget")

Tell = Callable[[str], None]


@dataclass(slots=True)
class Count:
    """What was counted: the usage, the runs that have ended by name (to keep), and what went wrong.

    `crons` are the runs that GitHub's clock made, by repository; `missing` are those that GitHub
    does not show.
    """

    usage: Usage
    ended: dict[str, Any]
    crons: dict[str, CronRuns]
    missing: list[str]
    failed: GitHubError | None = None


@dataclass(slots=True)
class _Tally:
    minutes: list[Minutes] = field(default_factory=list)
    ended: dict[str, Any] = field(default_factory=dict)
    crons: dict[str, CronRuns] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blocked: tuple[int, str, int] | None = None
    last_started_ms: int = 0
    unnamed: set[str] = field(default_factory=set)


async def count(
    github: GitHub, repos: Sequence[Repo], month: Month, kept: Mapping[str, Any], tell: Tell
) -> Count:
    """Count a month. When GitHub stops answering on the way, what was counted so far is noted as less."""
    tally = _Tally()
    tally.notes += [f"{one.name} is public: its minutes are free" for one in repos if not one.is_private]
    failed = None
    for one in repos:
        if one.is_private and failed is None:
            try:
                await _count_repo(github, one, month, kept, tally, tell)
            except GitHubError as error:
                failed = error
                tally.notes.append(f"incomplete, more was used: {error}")
    usage = add_up("runs", month, github.now_ms(), tally.minutes)
    if tally.unnamed:
        tally.notes.append(
            f"runners with names of their own are counted as Linux: {', '.join(sorted(tally.unnamed))}"
        )
    is_blocked = failed is None and await _is_blocked(github, tally)
    return Count(
        replace(usage, notes=tuple(tally.notes), is_blocked=is_blocked),
        tally.ended,
        tally.crons,
        tally.missing,
        failed,
    )


async def _count_repo(
    github: GitHub, repo: Repo, month: Month, kept: Mapping[str, Any], tally: _Tally, tell: Tell
) -> None:
    runs = await _runs(github, repo, month, tally)
    if made := cron_runs(runs):
        tally.crons[repo.name] = CronRuns.of(made, github.now_ms(), is_whole=False)
    for number, run in enumerate(runs, 1):
        tell(f"{repo.name}: run {number} of {len(runs)}")
        name = f"{repo.name} {run['id']}"
        before = kept.get(name)
        if before and before["mark"] == _mark(run):
            tally.minutes += [Minutes(*fields) for fields in before["jobs"]]
            tally.last_started_ms = max([tally.last_started_ms, *(fields[5] for fields in before["jobs"])])
            continue
        jobs, may_be_blocked = await _jobs(github, repo, run, tally)
        tally.minutes += jobs
        if run.get("status") == "completed" and not may_be_blocked:
            tally.ended[name] = {"mark": _mark(run), "jobs": [list(job) for job in jobs]}


def _mark(run: Mapping[str, Any]) -> str:
    return f"{run.get('run_attempt', 1)} {run.get('updated_at', '')}"


async def _runs(github: GitHub, repo: Repo, month: Month, tally: _Tally) -> list[dict[str, Any]]:
    """The runs that may have used minutes in the month, each once."""
    found: dict[Any, dict[str, Any]] = {}
    end_ms = min(month.end_ms, github.now_ms() + DAY_MS)
    start_ms = month.start_ms - RERUN_MS
    while start_ms < end_ms:
        until_ms = min(start_ms + SLICE_MS, end_ms)
        try:
            for run in await _slice(github, repo, start_ms, until_ms, tally):
                if _is_number(run.get("id")) and moment_ms(run.get("updated_at")) >= month.start_ms:
                    found[run["id"]] = run
        except GitHubMissing:
            tally.missing.append(repo.name)
            tally.notes.append(f"{repo.name} has no Actions, or the token may not read them")
            return []
        start_ms = until_ms
    return list(found.values())


async def _slice(
    github: GitHub, repo: Repo, start_ms: int, until_ms: int, tally: _Tally
) -> list[dict[str, Any]]:
    """The runs created in a span, which is halved until GitHub lists all of it."""
    path = f"/repos/{repo.name}/actions/runs"
    params = {
        "created": f"{spelled(start_ms)}..{spelled(until_ms - 1000)}",
        "exclude_pull_requests": "true",
        "per_page": PAGE,
    }
    first = await github.get(path, {**params, "page": 1})
    runs = listed(first, "workflow_runs", path)
    total = first.get("total_count")
    if not _is_number(total):
        raise GitHubUnavailable(f"GitHub's answer to GET {path} does not say how many there are")
    if total > MOST_LISTED and until_ms - start_ms > MINUTE_MS:
        middle_ms = start_ms + (until_ms - start_ms) // 2000 * 1000
        early = await _slice(github, repo, start_ms, middle_ms, tally)
        return early + await _slice(github, repo, middle_ms, until_ms, tally)
    if total > MOST_LISTED:
        tally.notes.append(f"incomplete, more was used: {total} runs of {repo.name} began within a minute")
    page = 2
    while len(runs) < min(total, MOST_LISTED):
        more = listed(await github.get(path, {**params, "page": page}), "workflow_runs", path)
        if not more:
            break
        runs += more
        page += 1
    return runs


async def _jobs(
    github: GitHub, repo: Repo, run: Mapping[str, Any], tally: _Tally
) -> tuple[list[Minutes], bool]:
    """What the jobs of a run used, all its attempts; and whether one never got a runner."""
    path = f"/repos/{repo.name}/actions/runs/{int(run['id'])}/jobs"
    workflow = workflow_file(str(run.get("path", ""))) or str(run.get("name", "?"))
    used, was_refused, seen = [], False, dict[tuple[str, ...], Any]()
    async for job in github.pages(path, {"filter": "all"}, "jobs"):
        labels = _labels(job)
        system = system_of(labels)
        started_ms, ended_ms = moment_ms(job.get("started_at")), moment_ms(job.get("completed_at"))
        if _never_ran(job):
            if job.get("conclusion") == "failure" and _is_number(job.get("id")):
                was_refused = True
                tally.blocked = max(tally.blocked or (0, "", 0), (started_ms, repo.name, job["id"]))
            continue
        attempt = job.get("run_attempt")
        if ended_ms and seen.setdefault(_likeness(job), attempt) != attempt:
            continue
        if job.get("conclusion") == "skipped" or system == "self-hosted" or not started_ms:
            continue
        tally.last_started_ms = max(tally.last_started_ms, started_ms)
        if not system:
            tally.unnamed.update(labels[:1] or ["(no label)"])
        until_ms = ended_ms or github.now_ms()
        used.append(
            Minutes(
                repo=repo.name,
                workflow=workflow,
                job=str(job.get("name", "?")),
                system=system or "linux",
                minutes=billed_minutes(started_ms, until_ms),
                started_ms=started_ms,
                run=int(run["id"]),
                seconds=max(0, until_ms - started_ms) / 1000,
                event=str(run.get("event", "")),
            )
        )
    return used, was_refused


def _likeness(job: Mapping[str, Any]) -> tuple[str, ...]:
    """What two jobs of a run never share."""
    return tuple(str(job.get(name)) for name in ("name", "runner_id", "started_at", "completed_at"))


def _labels(job: Mapping[str, Any]) -> list[str]:
    given = job.get("labels")
    return [str(label)[:80] for label in given] if isinstance(given, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _never_ran(job: Mapping[str, Any]) -> bool:
    """It has ended, or waits, and no runner ever had it."""
    return not job.get("runner_id") and not job.get("steps") and job.get("status") != "in_progress"


async def _is_blocked(github: GitHub, tally: _Tally) -> bool:
    """Did GitHub refuse the last job for want of money? It says so in an annotation of that job."""
    if tally.blocked is None or tally.blocked[0] < tally.last_started_ms:
        return False
    _, repo, job = tally.blocked
    try:
        notes = [note async for note in github.pages(f"/repos/{repo}/check-runs/{job}/annotations")]
    except GitHubError:
        return False
    return any(words in str(note.get("message", "")) for note in notes for words in NOT_PAID)
