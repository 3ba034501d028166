"""Post how a job ended, once: look first whether it stands there, then post.

Each end of a job has a mark, its id and the moment it ended. A status carries it in its
description, a check as its external id, a comment in a line that is not shown. Whoever
tells a notice looks for the mark first, so that a post whose answer was lost, or whose
poster died, is found and not made again. A `repository_dispatch` leaves nothing to look
for: where it is in doubt it is not made again, and said to be unsure.

Public is what is posted: names, states and times, never a command, an output or a secret.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, NamedTuple

from relayq.errors import GitHubDenied, GitHubError
from relayq.github.api import GitHub
from relayq.github.moments import spelled
from relayq.model.duration import format_duration
from relayq.model.lifecycle import State
from relayq.model.notice import Notice
from relayq.text import safe

MOST_TEXT = 140  # characters of a status's description (docs.github.com, "Create a commit status")
Still = Callable[[], bool]


class Ending(NamedTuple):
    """What is told of a job."""

    id: str
    name: str
    state: State
    reason: str
    exit_code: int | None
    worker: str
    took_ms: int
    ended_ms: int

    @property
    def mark(self) -> str:
        """What tells this end from every other."""
        return f"{self.id}.{self.ended_ms}"

    @property
    def sentence(self) -> str:
        """`succeeded after 4m12s on pi4`."""
        code = f" with exit code {self.exit_code}" if self.exit_code and self.state is State.FAILED else ""
        why = f" ({self.reason})" if self.reason and self.reason not in ("exit", "cancelled") else ""
        took = f" after {format_duration(self.took_ms)}" if self.took_ms else ""
        where = f" on {self.worker}" if self.worker else ""
        return f"{self.state.value.lower()}{code}{why}{took}{where}"

    @property
    def context(self) -> str:
        """The name under which a status or check stands, the same for every run of such a job."""
        return f"relayq/{_plain(self.name)}" if self.name else "relayq"


async def tell(github: GitHub, notice: Notice, ending: Ending, still: Still) -> str:
    """Tell one notice; `posted`, or `there` when it stood there already.

    `still` says whether it is still ours to post. Raises GitHubError.
    """
    look, post = _WAYS[notice.kind]
    if look is not None and await look(github, notice, ending):
        return "there"
    if not still():
        raise GitHubError("the lease was over before the post: somebody else tells it")
    await post(github, notice, ending)
    return "posted"


async def _look_for_status(github: GitHub, notice: Notice, ending: Ending) -> bool:
    path = f"/repos/{notice.repo}/commits/{notice.target}/statuses"
    return await _finds(github, path, "", lambda item: ending.mark in str(item.get("description")))


async def _post_status(github: GitHub, notice: Notice, ending: Ending) -> None:
    states = {State.SUCCEEDED: "success", State.FAILED: "failure"}
    room = MOST_TEXT - len(ending.mark) - 3
    body = {
        "state": states.get(ending.state, "error"),
        "context": ending.context,
        "description": f"{_plain(ending.sentence)[:room]} [{ending.mark}]",
    }
    await github.post(f"/repos/{notice.repo}/statuses/{notice.target}", body)


async def _look_for_check(github: GitHub, notice: Notice, ending: Ending) -> bool:
    path = f"/repos/{notice.repo}/commits/{notice.target}/check-runs"
    return await _finds(github, path, "check_runs", lambda item: item.get("external_id") == ending.mark)


async def _post_check(github: GitHub, notice: Notice, ending: Ending) -> None:
    conclusions = {
        State.SUCCEEDED: "success",
        State.FAILED: "failure",
        State.CANCELLED: "cancelled",
        State.SKIPPED: "skipped",
    }
    body = {
        "name": ending.context,
        "head_sha": notice.target,
        "status": "completed",
        "conclusion": conclusions.get(ending.state, "neutral"),
        "external_id": ending.mark,
        "completed_at": spelled(ending.ended_ms),
        "output": {
            "title": _plain(ending.sentence),
            "summary": f"Job {ending.id} {_plain(ending.sentence)}.",
        },
    }
    try:
        await github.post(f"/repos/{notice.repo}/check-runs", body)
    except GitHubDenied as error:
        raise GitHubDenied(
            f"{error}; GitHub takes checks from a GitHub App's token only: ask for a status"
        ) from None


async def _look_for_comment(github: GitHub, notice: Notice, ending: Ending) -> bool:
    path = f"/repos/{notice.repo}/issues/{notice.target}/comments"
    since = spelled(ending.ended_ms - int(timedelta(days=1).total_seconds() * 1000))
    return await _finds(github, path, "", lambda item: _hidden(ending) in str(item.get("body")), since=since)


async def _post_comment(github: GitHub, notice: Notice, ending: Ending) -> None:
    name = f" `{_plain(ending.name)}`" if ending.name else ""
    text = f"Job{name} {_plain(ending.sentence)}.\n\n`{ending.id}` on RelayQ\n{_hidden(ending)}"
    await github.post(f"/repos/{notice.repo}/issues/{notice.target}/comments", {"body": text})


async def _post_dispatch(github: GitHub, notice: Notice, ending: Ending) -> None:
    payload = {
        "job": ending.id,
        "name": ending.name,
        "state": ending.state.value,
        "reason": ending.reason,
        "exit_code": ending.exit_code,
        "worker": ending.worker,
        "took_s": round(ending.took_ms / 1000, 3),
        "mark": ending.mark,
    }
    body = {"event_type": notice.target, "client_payload": payload}
    await github.post(f"/repos/{notice.repo}/dispatches", body)


_Look = Callable[[GitHub, Notice, Ending], Awaitable[bool]]
_Post = Callable[[GitHub, Notice, Ending], Awaitable[None]]
_WAYS: dict[str, tuple[_Look | None, _Post]] = {
    "status": (_look_for_status, _post_status),
    "check": (_look_for_check, _post_check),
    "comment": (_look_for_comment, _post_comment),
    "dispatch": (None, _post_dispatch),
}


async def _finds(
    github: GitHub, path: str, key: str, is_it: Callable[[dict[str, Any]], bool], **params: str
) -> bool:
    async for item in github.pages(path, params, key):
        if is_it(item):
            return True
    return False


def _hidden(ending: Ending) -> str:
    return f"<!-- relayq {ending.mark} -->"


def _plain(text: str) -> str:
    """Text that is no Markdown, no mention and one line."""
    return "".join(letter for letter in safe(text) if letter not in "`<>@|[]*\n\\")[:100]
