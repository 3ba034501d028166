"""Who is told how a job ended: a wish in the signed spec, without address and without token.

    status:OWNER/REPO@SHA       a commit status, which branch rules can ask for
    check:OWNER/REPO@SHA        a check on the commit; GitHub takes it from a GitHub App's token only
    comment:OWNER/REPO#NUMBER   a comment on an issue or pull request
    dispatch:OWNER/REPO[@TYPE]  a repository_dispatch, which starts workflows (a minute each)

Whoever holds a token for the repository and a key that trusts the signature may tell it:
a worker or `relayq notifier`. That it is told once is the hub's and GitHub's business
(`store/lua/notices.lua`, `github/notices.py`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from relayq.errors import SpecError
from relayq.model.reading import shown

MAX_NOTICES = 8
DISPATCH_TYPE = "relayq"
# Compiled where a notice is read, not at import: a plain submit has none.
_FORM = (
    r"(?P<kind>status|check|comment|dispatch):"
    r"(?P<repo>[A-Za-z0-9][A-Za-z0-9_-]{0,38}/(?!\.{1,2}(?:[@#]|$))[A-Za-z0-9._-]{1,100})"
    r"(?:(?P<mark>[@#])(?P<target>[A-Za-z0-9._-]{1,100}))?"
)
_TARGETS = {
    "status": ("@", r"[0-9a-f]{40}|[0-9a-f]{64}", "@ and the whole SHA of a commit"),
    "check": ("@", r"[0-9a-f]{40}|[0-9a-f]{64}", "@ and the whole SHA of a commit"),
    "comment": ("#", r"[1-9][0-9]{0,9}", "# and the number of an issue or pull request"),
    "dispatch": ("@", r".{1,100}", "nothing, or @ and an event type"),
}


class Notice(NamedTuple):
    """One wish. `target` is a SHA, a number or an event type by the kind."""

    kind: str
    repo: str
    target: str

    @classmethod
    def from_json(cls, value: object) -> Notice:
        """Read `status:OWNER/REPO@SHA`; SpecError for what is none."""
        found = re.fullmatch(_FORM, value) if isinstance(value, str) else None
        if found is None:
            raise SpecError(
                f"{shown(value)} is no notice: write status:OWNER/REPO@SHA, check:OWNER/REPO@SHA, "
                "comment:OWNER/REPO#NUMBER or dispatch:OWNER/REPO (field 'notify')"
            )
        kind, target = found["kind"], found["target"]
        mark, form, words = _TARGETS[kind]
        if target is None and kind == "dispatch":
            return cls(kind, found["repo"], DISPATCH_TYPE)
        if target is None or found["mark"] != mark or not re.fullmatch(form, target):
            raise SpecError(
                f"{shown(value)} is no notice: behind {kind}:OWNER/REPO stands {words} (field 'notify')"
            )
        return cls(kind, found["repo"], target)

    def to_json(self) -> str:
        """As it is written."""
        return f"{self.kind}:{self.repo}{_TARGETS[self.kind][0]}{self.target}"

    def check(self) -> None:
        """Refuse what `from_json` would not have read."""
        if Notice.from_json(self.to_json()) != self:
            raise SpecError(f"{shown(self.to_json())} is no notice (field 'notify')")


def wants(patterns: tuple[str, ...], repo: str) -> bool:
    """Does `OWNER/NAME` or `OWNER/*` in `patterns` name the repository?"""
    name = repo.lower()
    return any(
        pattern == name or (pattern.endswith("/*") and name.startswith(pattern[:-1]))
        for pattern in map(str.lower, patterns)
    )
