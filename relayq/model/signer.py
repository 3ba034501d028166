"""Who signed a job, as the worker that judges it needs to know: the kind of key, and its name.

The owner's own keys are `owner`. A key that the owner has let in under a name is a
`member`, and a workflow on GitHub is known by its repository.
"""

from __future__ import annotations

from typing import NamedTuple

OWNER, MEMBER, GITHUB = "owner", "member", "github"
KINDS = (OWNER, MEMBER, GITHUB)


class Signer(NamedTuple):
    """`kind` is one of KINDS; `name` is a member's name or `OWNER/REPO`, empty for the owner."""

    kind: str
    name: str = ""

    @property
    def is_owner(self) -> bool:
        """Is it the owner of the worker?"""
        return self.kind == OWNER

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else self.kind

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Read what `str` writes; a word that is no kind is the name of a member."""
        kind, _, name = text.partition(":")
        return cls(kind, name) if kind in KINDS else cls(MEMBER, text)


THE_OWNER = Signer(OWNER)
