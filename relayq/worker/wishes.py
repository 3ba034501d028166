"""What a submit-only user orders through its inbox: the end of a job of its own, or another place in line.

An order counts when whoever's inbox it is has signed it, is let in now, and names a job of its
own. The worker says so before the hub does anything: everything else is refused and kept with
the reason. That a queue is paused, or somebody else's job held, nobody can order this way.
"""

from __future__ import annotations

import time

from relayq.errors import Refused
from relayq.model.job import MAX_PRIORITY
from relayq.store.inbox import Handful
from relayq.trust.envelope import Op, open_order
from relayq.trust.steering import HOLD, RELEASE, priority_of
from relayq.worker.credentials import Credentials
from relayq.worker.spool import Spool


class Wishes:
    """Judges the orders that come through inboxes."""

    def __init__(self, credentials: Credentials, fleet: str, spool: Spool) -> None:
        self._credentials, self._fleet, self._spool = credentials, fleet, spool

    def cancel(self, envelope: bytes, handful: Handful) -> str:
        """The job that an order wants cancelled; raises Refused."""
        op = self._opened(envelope, handful)
        _require(op.op == "cancel", "the op is not a cancel in this fleet")
        return op.id

    def steer(self, envelope: bytes, handful: Handful) -> tuple[str, str, int]:
        """What an order wants of a job that waits: verb, id and value; raises Refused."""
        op = self._opened(envelope, handful)
        priority = priority_of(op.op)
        if priority is None:
            _require(op.op in (HOLD, RELEASE), "the op is none that a submit-only user may give")
            return op.op, op.id, 0
        _require(abs(priority) <= MAX_PRIORITY, f"priority {priority} is out of range")
        return "reprioritise", op.id, priority

    def _opened(self, envelope: bytes, handful: Handful) -> Op:
        kid, op = open_order(envelope, self._credentials.ring)
        if member := self._credentials.member_of(kid):
            now_s = self._spool.high_water_s(int(time.time()))
            _require(member.name == handful.name, f"{member.name} has signed the op, whose inbox it is not")
            _require(member.is_current(now_s), f"the time of key {kid} ({member.name}) has run out")
        _require(op.fleet == self._fleet, f"the op was signed for fleet {op.fleet!r}")
        _require(
            op.id.startswith(handful.mark), f"job {op.id} does not carry the mark of who wants it changed"
        )
        return op


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise Refused(why)
