"""Who is told on GitHub how the job ended: words of a step made into wishes of a job spec.

The step says `status`, `check`, `comment` or `dispatch`; the spec names the commit, the issue or
pull request, or the repository. Whoever holds a token for that repository tells it
when the job has ended; no token and no address is in the job.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from relayq.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

KINDS = ("status", "check", "comment", "dispatch")
_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}/[A-Za-z0-9._-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def notices(words: str, environ: Mapping[str, str], event: Mapping[str, Any]) -> list[str]:
    """`status:OWNER/REPO@SHA` and the like; UsageError for a word that is none, or cannot be said here."""
    kinds = [word for word in re.split(r"[\s,]+", words) if word and word != "none"]
    if wrong := [kind for kind in kinds if kind not in KINDS]:
        raise UsageError(f"notify={wrong[0][:40]!r} is none of {', '.join(KINDS)} and none (input 'notify')")
    repo = environ.get("GITHUB_REPOSITORY", "")
    if kinds and not _REPO.fullmatch(repo):
        raise UsageError("this step is in no repository of GitHub: nobody can be told (input 'notify')")
    return [_notice(kind, repo, environ, event) for kind in dict.fromkeys(kinds)]


def _notice(kind: str, repo: str, environ: Mapping[str, str], event: Mapping[str, Any]) -> str:
    if kind == "dispatch":
        return f"dispatch:{repo}"
    if kind == "comment":
        number = _number(event)
        if number is None:
            raise UsageError("this run belongs to no issue or pull request to comment on (input 'notify')")
        return f"comment:{repo}#{number}"
    sha = _head(event) or environ.get("GITHUB_SHA", "")
    if not _SHA.fullmatch(sha):
        raise UsageError(f"this run belongs to no commit for a {kind} (input 'notify')")
    return f"{kind}:{repo}@{sha}"


def _head(event: Mapping[str, Any]) -> str:
    """The commit that a pull request, or the run before this one, is about.

    GITHUB_SHA is then a merge that is thrown away, or the default branch (GitHub Docs, events
    that trigger workflows): nobody looks at a status there.
    """
    pull, run = event.get("pull_request"), event.get("workflow_run")
    head = pull.get("head") if isinstance(pull, dict) else None
    sha = head.get("sha") if isinstance(head, dict) else run.get("head_sha") if isinstance(run, dict) else ""
    return sha if isinstance(sha, str) else ""


def _number(event: Mapping[str, Any]) -> int | None:
    """The number of the issue or pull request that the run is about, or that its inputs name."""
    for name in ("issue", "pull_request"):
        item = event.get(name)
        if isinstance(item, dict) and type(item.get("number")) is int:
            return int(item["number"])
    number = event.get("number")
    return number if type(number) is int else None
