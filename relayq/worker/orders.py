"""What the hub tells a worker to do to running work, obeyed only as far as somebody signed it.

The hub may say "cancel", "kill", "quiet" or "stop" as often as it likes: the worker asks for
the order behind it and looks at the signature. A job is ended by the owner or by whoever
submitted it; only the owner (or a key that this worker's own configuration trusts) commands
the worker. An order to a worker is for one session, and no older than the last one obeyed;
an order to end a job is no older than the retry that let it run again: it was given for that
run, however often that is tried by its retry policy.
"""

from __future__ import annotations

import logging

from relayq.errors import Refused
from relayq.trust.envelope import Op, open_order
from relayq.worker.attempt import Attempt
from relayq.worker.credentials import Credentials
from relayq.worker.session import Session

log = logging.getLogger("relayq.worker")


class Orders:
    """Asks for the signed order behind what the hub says."""

    def __init__(self, session: Session, credentials: Credentials, fleet: str) -> None:
        self._session, self._credentials, self._fleet = session, credentials, fleet
        self._told: set[str] = set()
        self._obeyed_s = 0

    async def may_end(self, attempt: Attempt, *, at_once: bool) -> bool:
        """Has somebody who may signed that this job ends (and, if so, at once)? Raises HubError."""
        words = ("kill",) if at_once else ("cancel", "kill")
        job, mine = attempt.job, (attempt.job, attempt.job.partition(":")[0])
        for envelope in await self._session.cancel_orders(job):
            found = self._opened(envelope)
            if found is None:
                continue
            kid, op = found
            is_theirs = self._credentials.may_command(kid) or kid == attempt.admitted.kid
            is_of_this_run = op.iat >= attempt.admitted.again_s
            if is_of_this_run and op.op in words and op.id in mine and is_theirs:
                return True
        self._refuse(f"cancel {job}", "the hub wants a job to end, but nobody who may has signed that")
        return False

    async def may_command(self, word: str) -> bool:
        """Has the owner signed this for this session, and nothing later been obeyed? Raises HubError."""
        found = self._opened(await self._session.order())
        if found is not None:
            kid, op = found
            is_meant = op.op == f"worker-{word}" and op.id == self._session.id
            if is_meant and op.iat >= self._obeyed_s and self._credentials.may_command(kid):
                self._obeyed_s = op.iat
                return True
        self._refuse(f"command {word}", f"the hub commands {word!r}, but the owner has not signed that")
        return False

    def _opened(self, envelope: bytes) -> tuple[str, Op] | None:
        try:
            kid, op = open_order(envelope, self._credentials.ring)
        except Refused:
            return None
        return (kid, op) if op.fleet == self._fleet else None

    def _refuse(self, what: str, why: str) -> None:
        """Say it once: the hub repeats itself."""
        if what not in self._told:
            self._told.add(what)
            log.warning("%s", why, extra={"order": what})
