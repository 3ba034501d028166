"""Who may do what in a fleet: the entries of a roster, and how each is read.

Everything here comes from a signed roster, and is read as strictly as if it came
from a stranger: what is not exactly what `to_json` writes is Refused.
"""

from __future__ import annotations

import re
from typing import Any

from relayq.errors import ConfigError, Refused
from relayq.model.record import Record
from relayq.trust.boxes import raw_box
from relayq.trust.keys import PublicKey

ROLES = ("worker", "submit", "viewer")
EVENTS = ("push", "schedule", "workflow_dispatch")
TEXT_MAX = 256
LIST_MAX = 64
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@/-]{0,63}")
# Compiled when they are first used: most fleets have no rule for GitHub.
_EVENT = r"[a-z_]{1,40}"
_NUMBER = r"[1-9][0-9]{0,18}"
REPOSITORY = r"[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}"


class Member(Record):
    """Somebody the owner let in.

    `sign` and `box` are public keys (43 letters). A `submit` key may be held to some
    `queues` and `types` (none named: all) and end at `exp` (Unix seconds, 0: never).
    """

    role: str
    name: str
    sign: str
    box: str
    queues: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    exp: int = 0

    @property
    def kid(self) -> str:
        """The 8 hex digits that the signing key is looked up by."""
        return PublicKey(self.sign).kid

    def is_current(self, now_s: int) -> bool:
        """Has its time not run out?"""
        return not self.exp or now_s <= self.exp

    def to_json(self) -> dict[str, Any]:
        """What stands in the roster; what restricts nothing is left out."""
        fields: dict[str, Any] = {"role": self.role, "name": self.name, "sign": self.sign, "box": self.box}
        rest = {"queues": list(self.queues), "types": list(self.types), "exp": self.exp}
        return fields | {name: value for name, value in rest.items() if value}

    @classmethod
    def from_json(cls, value: object) -> Member:
        """Read one member; Refused for anything else."""
        fields = read_fields(value, ("role", "name", "sign", "box"), ("queues", "types", "exp"), "a member")
        member = cls(
            role=read_text(fields["role"], "a role"),
            name=read_text(fields["name"], "a name"),
            sign=read_text(fields["sign"], "a key"),
            box=read_text(fields["box"], "a key"),
            queues=read_texts(fields.get("queues", []), "queues"),
            types=read_texts(fields.get("types", []), "types"),
            exp=read_int(fields.get("exp", 0), "exp"),
        )
        member.check()
        return member

    def check(self) -> None:
        """Refused for a role, a name or a key that is none."""
        if self.role not in ROLES:
            raise Refused(f"{self.role[:40]!a} is not one of {', '.join(ROLES)}")
        for name in (self.name, *self.queues, *self.types):
            if not _NAME.fullmatch(name):
                raise Refused(f"{name[:70]!a} is not a name: letters, digits and _.+@/-, at most 64")
        check_keys(self.sign, self.box)


class GithubRule(Record):
    """Which runs of GitHub Actions may submit, by the claims of their identity token.

    Repository and owner are matched by number: names can be given away. `ref` is a full
    ref (refs/heads/main) or empty when an `environment` decides; `workflow` is a
    job_workflow_ref or empty. With `approve` each job waits for the owner's word.
    """

    repository: str
    repository_id: str
    owner_id: str
    ref: str = "refs/heads/main"
    environment: str = ""
    workflow: str = ""
    events: tuple[str, ...] = EVENTS
    approve: bool = False
    queues: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What stands in the roster."""
        fields: dict[str, Any] = {
            "repository": self.repository,
            "repository_id": self.repository_id,
            "owner_id": self.owner_id,
            "events": list(self.events),
        }
        rest = {
            "ref": self.ref,
            "environment": self.environment,
            "workflow": self.workflow,
            "approve": self.approve,
            "queues": list(self.queues),
            "types": list(self.types),
        }
        return fields | {name: value for name, value in rest.items() if value}

    @classmethod
    def from_json(cls, value: object) -> GithubRule:
        """Read one rule; Refused for anything else."""
        fields = read_fields(
            value,
            ("repository", "repository_id", "owner_id", "events"),
            ("ref", "environment", "workflow", "approve", "queues", "types"),
            "a GitHub rule",
        )
        approve = fields.get("approve", False)
        if not isinstance(approve, bool):
            raise Refused("approve in a GitHub rule is neither true nor false")
        texts = {
            name: read_text(fields.get(name, ""), name)
            for name in ("repository", "repository_id", "owner_id", "ref", "environment", "workflow")
        }
        events, queues, types = (
            read_texts(fields.get(name, []), name) for name in ("events", "queues", "types")
        )
        rule = cls(**texts, events=events, queues=queues, types=types, approve=approve)
        rule.check()
        return rule

    def check(self) -> None:
        """Refused for a rule that would let in more than somebody meant."""
        check_repository(self.repository)
        if not re.fullmatch(_NUMBER, self.repository_id) or not re.fullmatch(_NUMBER, self.owner_id):
            raise Refused(f"the rule for {self.repository} needs the numbers of repository and owner")
        if not self.ref and not self.environment:
            raise Refused(f"the rule for {self.repository} names neither a branch nor an environment")
        if not self.events or not all(re.fullmatch(_EVENT, event) for event in self.events):
            raise Refused(f"the rule for {self.repository} names no event")


def check_repository(repository: str) -> None:
    """Refused unless it is OWNER/NAME."""
    if not re.fullmatch(REPOSITORY, repository):
        raise Refused(f"{repository[:80]!a} is not a repository: OWNER/NAME")


def check_keys(sign: str, box: str) -> None:
    """Refused unless these are public keys."""
    try:
        PublicKey(sign)
    except ConfigError as error:
        raise Refused(str(error)) from None
    check_box(box)


def check_box(box: str) -> None:
    """Refused unless this is a public box key."""
    try:
        raw_box(box)
    except ConfigError as error:
        raise Refused(str(error)) from None


def read_fields(
    value: object, needed: tuple[str, ...], optional: tuple[str, ...], what: str
) -> dict[str, Any]:
    """An object with exactly these fields."""
    if not isinstance(value, dict) or not set(needed) <= value.keys() <= {*needed, *optional}:
        raise Refused(f"{what} of the roster does not have the fields {', '.join(needed)}")
    return value


def read_text(value: object, what: str) -> str:
    """Printable text of bounded length."""
    if not isinstance(value, str) or len(value) > TEXT_MAX or not (value.isprintable() and value.isascii()):
        raise Refused(f"{what} in the roster is not plain text of at most {TEXT_MAX} letters")
    return value


def read_texts(value: object, what: str) -> tuple[str, ...]:
    """A short list of texts."""
    return tuple(read_text(item, what) for item in read_items(value, what, LIST_MAX))


def read_items(value: object, what: str, most: int) -> list[Any]:
    """A list of bounded length."""
    if not isinstance(value, list) or len(value) > most:
        raise Refused(f"{what} in the roster is not a list of at most {most}")
    return value


def read_int(value: object, what: str, low: int = 0) -> int:
    """A whole number of at most 53 bits."""
    if type(value) is not int or not low <= value < 1 << 53:
        raise Refused(f"{what} in the roster is not a whole number")
    return value
