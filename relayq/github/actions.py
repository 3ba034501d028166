"""Start a workflow from here, see its runs, cancel one.

`return_run_details` makes GitHub answer with the id of the run it started, so that it
can be followed without guessing (docs.github.com, "Create a workflow dispatch event",
read 2026-11); a server that does not know it answers 204 and no id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from relayq.errors import GitHubInvalid, GitHubUnavailable, UsageError
from relayq.github.api import OK, GitHub, listed
from relayq.model.steps import workflow_file

INPUTS_MAX = 25
INPUTS_CHARS_MAX = 65_535
_WORKFLOW = re.compile(r"[A-Za-z0-9._-]{1,200}")


class Run(NamedTuple):
    """A run of a workflow. `conclusion` is empty until it has ended; times as GitHub writes them."""

    id: int
    workflow: str
    title: str
    event: str
    branch: str
    status: str
    conclusion: str
    attempt: int
    created: str

    @property
    def has_ended(self) -> bool:
        """Has it ended?"""
        return self.status == "completed"


async def dispatch(
    github: GitHub, repo: str, workflow: str, ref: str, inputs: Mapping[str, str]
) -> int | None:
    """Start a workflow on a branch or tag; the id of its run, None when GitHub does not tell it."""
    check_inputs(inputs)
    path = f"/repos/{repo}/actions/workflows/{check_workflow(workflow)}/dispatches"
    answer = await github.post(path, {"ref": ref, "inputs": dict(inputs), "return_run_details": True})
    if answer.status != OK:
        return None
    run = answer.body.get("workflow_run_id") if isinstance(answer.body, dict) else None
    if not isinstance(run, int):
        raise GitHubUnavailable("the workflow was started, but GitHub's answer does not tell its run")
    return run


def check_inputs(inputs: Mapping[str, str]) -> None:
    """Refuse what GitHub would: more than 25 inputs, or more than 65,535 characters of them."""
    if len(inputs) > INPUTS_MAX:
        raise UsageError(f"{len(inputs)} inputs are too many for a workflow: at most {INPUTS_MAX}")
    size = len(json.dumps(dict(inputs), ensure_ascii=False))
    if size > INPUTS_CHARS_MAX:
        raise UsageError(f"the inputs are {size} characters together: at most {INPUTS_CHARS_MAX}")


def check_workflow(text: str) -> str:
    """The file name or number of a workflow, as it may stand in a path."""
    name = workflow_file(text) or text
    if not _WORKFLOW.fullmatch(name) or name in (".", ".."):
        raise UsageError(f"{text[:80]!r} is not a workflow: write its file's name, such as ci.yml")
    return name


async def runs(github: GitHub, repo: str, workflow: str = "", most: int = 20) -> list[Run]:
    """The newest runs, of one workflow or of all."""
    part = f"workflows/{check_workflow(workflow)}/runs" if workflow else "runs"
    path = f"/repos/{repo}/actions/{part}"
    body = await github.get(path, {"per_page": min(most, 100), "exclude_pull_requests": "true"})
    return [read_run(item) for item in listed(body, "workflow_runs", path)][:most]


async def run_of(github: GitHub, repo: str, run: int) -> Run:
    """One run."""
    return read_run(await github.get(f"/repos/{repo}/actions/runs/{int(run)}"))


async def cancel(github: GitHub, repo: str, run: int) -> bool:
    """Ask for a run to be cancelled; False when it has ended already."""
    try:
        await github.post(f"/repos/{repo}/actions/runs/{int(run)}/cancel", {})
    except GitHubInvalid as error:
        if "(409)" in str(error):
            return False
        raise
    return True


def read_run(given: Any) -> Run:
    """A run out of GitHub's answer."""
    if not isinstance(given, dict) or not isinstance(given.get("id"), int):
        raise GitHubUnavailable("GitHub's answer about a run is not what it should be")

    def text(name: str) -> str:
        return str(given.get(name) or "")

    attempt = given.get("run_attempt")
    return Run(
        id=given["id"],
        workflow=workflow_file(text("path")) or text("name"),
        title=text("display_title"),
        event=text("event"),
        branch=text("head_branch"),
        status=text("status"),
        conclusion=text("conclusion"),
        attempt=attempt if isinstance(attempt, int) else 1,
        created=text("created_at"),
    )
