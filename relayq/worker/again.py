"""A job that has ended runs again when its owner has signed that, and not before.

The signed retry says up to which attempt it holds, and when it was given. What the ledger
knows is compared with the one; orders to end the job are compared with the other, because
what was ordered of an earlier run means nothing for this one.
"""

from __future__ import annotations

import time
from contextlib import suppress

from relayq.errors import Refused
from relayq.store.records import Claim
from relayq.trust.envelope import Op, open_order
from relayq.worker.credentials import Credentials
from relayq.worker.spool import Past, Spool


class Retries:
    """Judges the signed retry that comes with a claim."""

    def __init__(self, credentials: Credentials, fleet: str, spool: Spool) -> None:
        self._credentials, self._fleet, self._spool = credentials, fleet, spool

    def allow(self, claim: Claim, past: Past) -> bool:
        """Does it let the job begin anew after what has ended here? Refused for one of another job."""
        return bool(claim.retry_op) and self._opened(claim)[1].attempt >= past.attempt < claim.attempt

    def given_s(self, claim: Claim) -> int:
        """When the owner gave it, in Unix seconds and not in the future; 0 without one.

        By a clock that is ahead it would make this run deaf to orders that come later.
        """
        if not claim.retry_op:
            return 0
        with suppress(Refused):
            kid, op = self._opened(claim)
            if self._credentials.may_command(kid):
                return min(op.iat, self._spool.high_water_s(int(time.time())))
        return 0

    def _opened(self, claim: Claim) -> tuple[str, Op]:
        kid, op = open_order(claim.retry_op, self._credentials.ring)
        if op.op != "retry" or op.fleet != self._fleet:
            raise Refused("the op is not a retry in this fleet")
        if op.id not in (claim.job, claim.job.partition(":")[0]):
            raise Refused("the retry was signed for another job")
        return kid, op
