"""Let in what submit-only users sent: look into their inboxes, verify, submit.

A submit-only user can do nothing to the hub but push onto a list of its own. Any worker
takes the oldest entries, opens them with the same keys that would let them run here,
works out by itself where the jobs belong (what the sender says of that is not asked) and
submits them under their ids, which makes repeating it harmless. What is refused is kept
with the reason, for the owner to see.

The hub rings when somebody pushes. A ring that is lost costs at most one heartbeat:
every sync says whether something waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from relayq.errors import HubError, Refused, SpecError
from relayq.store.inbox import Handful, Inboxes, Verdict
from relayq.store.wire import CANCEL, FIRE, JOB, STEER
from relayq.worker.admission import Admission, TurnedAway
from relayq.worker.session import Patience, Session

log = logging.getLogger("relayq.worker")

LISTEN_S = 3600.0
FULL_S = 5.0


class Doorman:
    """Two tasks of a worker: `listen` for the bell, `serve` when it rang."""

    def __init__(self, session: Session, admission: Admission) -> None:
        self._session, self._admission = session, admission
        self._has_door = asyncio.Event()
        self._rung = asyncio.Event()

    def told(self, inboxes: int) -> None:
        """What the last sync said: -1 no inboxes, else how many have something in them."""
        if inboxes >= 0:
            self._has_door.set()
        if inboxes > 0:
            self._rung.set()

    async def listen(self) -> None:
        """Hear the bell for ever, once there is a door."""
        await self._has_door.wait()
        patience = Patience()
        while True:
            with contextlib.suppress(HubError):
                hub = await self._session.open_link()
                try:
                    inboxes = Inboxes(hub)
                    await inboxes.bell()
                    self._rung.set()
                    while True:
                        await inboxes.rung(LISTEN_S)
                        patience.reset()
                        self._rung.set()
                finally:
                    await hub.close()
            await patience.wait()

    async def serve(self) -> None:
        """Judge what waits whenever the bell rang; what fails now is seen again by a later sync."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            with contextlib.suppress(HubError):
                await self._empty()

    async def _empty(self) -> None:
        has_more = True
        while has_more:
            inboxes = await self._session.inboxes()
            handful, has_more = await inboxes.drain(self._session.id)
            if handful:
                await self._admission.learn(await inboxes.roster_version())
                await asyncio.to_thread(self._admission.judge_runs, [entry[1:] for entry in handful.entries])
                verdict = self._verdict(handful, await inboxes.schedules(handful))
                await inboxes.explain(verdict.jobs)
                word = await inboxes.admit(self._session.id, handful, verdict)
                if word in ("full", "lanes"):
                    log.warning("hub takes no jobs from inbox", extra={"inbox": handful.name, "word": word})
                    await asyncio.sleep(FULL_S)
                    return

    def _verdict(self, handful: Handful, schedules: Mapping[str, bytes]) -> Verdict:
        verdict, wishes = Verdict(), self._admission.wishes
        for entry in handful.entries:
            kind, envelope = entry[:1], entry[1:]
            try:
                if kind == JOB:
                    verdict.jobs.append(self._admission.inbox_job(envelope, handful.mark))
                elif kind == CANCEL:
                    verdict.cancels.append((wishes.cancel(envelope, handful), envelope))
                elif kind == STEER:
                    verdict.steers.append((wishes.steer(envelope, handful), envelope))
                elif kind == FIRE:
                    verdict.fires.append(self._admission.inbox_fire(envelope, schedules))
                else:
                    raise Refused("an entry is neither a job nor an op")
            except (Refused, SpecError) as error:
                log.warning("refused from inbox", extra={"inbox": handful.name, "why": str(error)})
                job = error.job if isinstance(error, TurnedAway) else ""
                verdict.refused.append((job, str(error)))
            except Exception:
                # No worker may die of what somebody sends, or one entry would end them all in turn.
                log.exception("an inbox entry broke the judge")
                verdict.refused.append(("", "it cannot be read"))
        return verdict
