"""What a step of GitHub Actions tells the hub about itself when it submits: the third source.

It needs no token. The runner's variables say which run and job it is and on which
system; the hub adds its own time. A step is billed from the start of its job to the
job's end, which it cannot know: what is counted is the time until it was last heard,
rounded up to whole minutes, one for a step that submits and leaves.

The record is one field of the hash `st:<day>`, written by the function `step`:
{"key": "<run>.<attempt>.<job>.<runner>", "repo", "workflow", "job", "run", "attempt", "runner",
"system", "hosted", "private" (null: not known), "started_ms"} and, by the hub, "seen_ms".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from relayq.model.budget import Minutes, Month, Usage, add_up, billed_minutes
from relayq.model.systems import FACTORS, RUNNER_OS

MAX_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """One job of a run as its step told it; times in ms since 1970, `seen_ms` by the hub's clock."""

    repo: str
    workflow: str
    job: str
    run: int
    attempt: int = 1
    runner: str = ""
    system: str = "linux"
    hosted: bool = True
    private: bool | None = None
    started_ms: int
    seen_ms: int = 0

    @property
    def key(self) -> str:
        """What tells it from every other job: those of a matrix have one name, and a runner each."""
        return f"{self.run}.{self.attempt}.{self.job}.{self.runner}"

    def to_request(self) -> dict[str, object]:
        """What the hub's function `step` is given."""
        fields = asdict(self)
        del fields["seen_ms"]
        return {"key": self.key, **fields}

    @classmethod
    def read(cls, text: bytes | str) -> StepReport | None:
        """Read one from the hub; None for what is none: anybody who may submit could have written it."""
        try:
            given = json.loads(text)
            return cls(
                repo=str(given["repo"])[:MAX_TEXT],
                workflow=str(given["workflow"])[:MAX_TEXT],
                job=str(given["job"])[:MAX_TEXT],
                run=int(given["run"]),
                attempt=int(given["attempt"]),
                runner=str(given.get("runner", ""))[:MAX_TEXT],
                system=given["system"] if given["system"] in FACTORS else "linux",
                hosted=given["hosted"] is True,
                private=given.get("private") if isinstance(given.get("private"), bool) else None,
                started_ms=int(given["started_ms"]),
                seen_ms=int(given.get("seen_ms", given["started_ms"])),
            )
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def step_of(environ: Mapping[str, str], started_ms: int, event: Mapping[str, Any]) -> StepReport | None:
    """The step in whose environment this process runs; None outside of GitHub Actions.

    `event` is the JSON of GITHUB_EVENT_PATH, which tells whether the repository is private.
    """
    if environ.get("GITHUB_ACTIONS") != "true" or not environ.get("GITHUB_RUN_ID", "").isdigit():
        return None
    repository = event.get("repository")
    private = repository.get("private") if isinstance(repository, Mapping) else None
    return StepReport(
        repo=environ.get("GITHUB_REPOSITORY", "")[:MAX_TEXT],
        workflow=workflow_file(environ.get("GITHUB_WORKFLOW_REF", ""))
        or environ.get("GITHUB_WORKFLOW", "")[:MAX_TEXT],
        job=environ.get("GITHUB_JOB", "")[:MAX_TEXT],
        run=int(environ["GITHUB_RUN_ID"]),
        attempt=int(environ.get("GITHUB_RUN_ATTEMPT", "1") or 1),
        runner=environ.get("RUNNER_NAME", "")[:MAX_TEXT],
        system=RUNNER_OS.get(environ.get("RUNNER_OS", ""), "linux"),
        hosted=environ.get("RUNNER_ENVIRONMENT", "github-hosted") != "self-hosted",
        private=private if isinstance(private, bool) else None,
        started_ms=started_ms,
    )


def workflow_file(path: str) -> str:
    """`ci.yml` of `.github/workflows/ci.yml` and of `o/r/.github/workflows/ci.yml@refs/heads/main`."""
    return path.partition("@")[0].rpartition("/")[2][:MAX_TEXT]


def used_by_steps(reports: Iterable[StepReport], month: Month, now_ms: int) -> Usage:
    """The minutes of the jobs that reported; a repository that may be private counts as one.

    A job that was heard before and after midnight has told on both days: the later word holds.
    """
    latest = {one.key: one for one in sorted(reports, key=lambda one: one.seen_ms)}
    billed = [
        Minutes(
            repo=one.repo,
            workflow=one.workflow,
            job=one.job,
            system=one.system,
            minutes=billed_minutes(one.started_ms, one.seen_ms),
            started_ms=one.started_ms,
            run=one.run,
            seconds=max(0, one.seen_ms - one.started_ms) / 1000,
        )
        for one in latest.values()
        if one.hosted and one.private is not False
    ]
    return add_up("steps", month, now_ms, billed)
