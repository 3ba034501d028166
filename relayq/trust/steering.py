"""Orders about what waits: who gave them, and whether that somebody may.

Where a job stands in line is the hub's own business, and no worker could tell a hub that
was told to keep a job back from one that does so by itself. So the signature under a hold, a
new priority or a pause stops nobody: it says who gave the order and when, and an order that
nobody who may has signed is an alarm for whoever looks.

The owner orders everything; a submitter moves the jobs that it submitted, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import Refused
from relayq.trust.envelope import open_order
from relayq.trust.keys import PublicKey

if TYPE_CHECKING:
    from relayq.trust.roster import Roster

OWNER = "the owner"
HOLD, RELEASE, PAUSE, RESUME, FORGET = "hold", "release", "pause", "resume", "forget"
_PRIORITY, _WEIGHT = "priority:", "weight:"


class Given(NamedTuple):
    """An order as it was signed: by whom (a name of the roster), and when (Unix seconds, by that clock)."""

    by: str
    at_s: int


def priority_order(priority: int) -> str:
    """The word that is signed for a new priority."""
    return f"{_PRIORITY}{priority}"


def weight_order(weight: float) -> str:
    """The word that is signed for the weight of a queue."""
    return f"{_WEIGHT}{weight:.14g}"  # as Lua writes it


def priority_of(word: str) -> int | None:
    """The priority that a word orders; None for another order."""
    head, _, number = word.partition(":")
    is_meant = head + ":" == _PRIORITY and number.removeprefix("-").isdecimal() and len(number) < 5
    return int(number) if is_meant and number.isascii() else None


def given(envelope: bytes, word: str, subject: str, roster: Roster, submitter: str = "") -> Given:
    """Who ordered `word` for `subject`; Refused when nobody did who may.

    `submitter` is the key id that submitted the job, which may move it; nobody but the owner
    orders queues.
    """
    if not envelope:
        raise Refused("nobody has signed that")
    kid, op = open_order(envelope, roster.submitters())
    if (op.op, op.id, op.fleet) != (word, subject, roster.fleet):
        raise Refused("what was signed is another order")
    if kid == PublicKey(roster.owner).kid:
        return Given(OWNER, op.iat)
    name = next((one.name for one in roster.of_role("submit") if one.kid == kid), kid)
    if kid != submitter:
        raise Refused(f"{name} (key {kid}) has signed that, who may not")
    return Given(name, op.iat)
