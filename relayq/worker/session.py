"""One start of a worker, as the hub knows it: its registration, its syncs, its patience.

A worker never gives up on its hub. It tries for ever with decorrelated jitter, so
that a fleet does not come back in step, and says so in one log line when the hub
goes and one when it is back. Only a wrong password ends it: trying again cannot help.

The hub's clock is never read as if it were ours. Every reply carries it, and the
time since that request was *sent* bounds from above what it shows now: a claim
whose lease may have passed by that bound is not started.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable

from relayq.errors import HubDenied, HubError, HubSchema, HubTooOld, Refused
from relayq.model.lifecycle import LEASE_MS
from relayq.model.needs import Lane
from relayq.store.hub import Hub, connect
from relayq.store.inbox import Inboxes
from relayq.store.records import Claim, Registration, SyncReply, SyncRequest, Welcome
from relayq.store.workers import Workers
from relayq.worker.credentials import Credentials

log = logging.getLogger("relayq.worker")

HOPELESS = (HubDenied, HubSchema, HubTooOld, Refused)
RETRY_MIN_S = 0.5
RETRY_MAX_S = 30.0
LEASE_MARGIN_MS = 10_000
_RTT_WEIGHT = 0.2
_chance = random.SystemRandom()

# A clock that goes on while the machine sleeps: a lease does not wait for a laptop's lid.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Patience:
    """The waits between tries: decorrelated jitter from 0.5 to 30 s."""

    def __init__(self) -> None:
        self._last_s = RETRY_MIN_S

    async def wait(self) -> None:
        """Wait a little longer than last time, on average."""
        self._last_s = min(RETRY_MAX_S, _chance.uniform(RETRY_MIN_S, self._last_s * 3))
        await asyncio.sleep(self._last_s)

    def reset(self) -> None:
        """Begin with short waits again."""
        self._last_s = RETRY_MIN_S


class Session:
    """The worker's link for syncs; the mailbox reads over a link of its own."""

    def __init__(self, *, url: str, fleet: str, name: str, describe: Callable[[str], Registration]) -> None:
        self.id = f"{name}#{secrets.token_hex(4)}"
        self.rtt_ms = 1.0
        self.mail_id = "0"
        self.registered = asyncio.Event()
        self._url, self._fleet = url, fleet
        self._describe = describe
        self._hub: Hub | None = None
        self._clock = (0, 0.0)
        self._patience = Patience()
        self._meeting = asyncio.Lock()
        self._is_lost = False

    async def register(self) -> Welcome:
        """Appear at the hub, however long that takes; raises what waiting cannot mend."""
        while True:
            try:
                sent_at = _now_s()
                welcome = await (await self._workers()).register(self._describe(self.id))
            except HubError as error:
                await self.endure(error)
                continue
            self._heard(welcome.now_ms, sent_at)
            self.mail_id = welcome.mailbox_id
            self.registered.set()
            return welcome

    async def meet(self, credentials: Credentials) -> None:
        """Have the roster as the hub has it, however long that takes; raises what waiting cannot mend."""
        while True:
            try:
                await self._workers()  # a hub without the function library has it after this
                return await credentials.meet(self._url)
            except HubError as error:
                await self.endure(error)

    async def follow(self, credentials: Credentials, version_there: int) -> None:
        """Have the hub's roster if it is another one than before.

        Who asks while somebody fetches it waits: a job must not be judged by the old one meanwhile.
        """
        async with self._meeting:
            if credentials.is_news(version_there):
                await self.meet(credentials)

    async def sync(self, request: SyncRequest) -> SyncReply | None:
        """One heartbeat; None when it did not get through (the link is a new one then)."""
        sent_at = _now_s()
        try:
            reply = await (await self._workers()).sync(self.id, request)
        except HubError as error:
            await self.endure(error)
            return None
        self._heard(reply.now_ms, sent_at)
        self.rtt_ms += _RTT_WEIGHT * ((_now_s() - sent_at) * 1000 - self.rtt_ms)
        return reply

    async def lanes(self) -> tuple[int, dict[str, Lane]]:
        """The lanes as they are now; raises HubError."""
        return await (await self._workers()).lanes()

    async def batch_record(self, digest: str) -> bytes:
        """The record of a batch; empty when the hub has none, which refuses its jobs. Raises HubError."""
        try:
            return await (await self._workers()).batch_record(digest)
        except Refused:
            return b""

    async def cancel_orders(self, job: str) -> tuple[bytes, ...]:
        """The signed orders to end a job; raises HubError."""
        return await (await self._workers()).cancel_orders(job)

    async def approval(self, job: str) -> bytes:
        """The owner's signed word that a job may run, or empty; raises HubError."""
        return await (await self._workers()).approval(job)

    async def order(self) -> bytes:
        """The signed order behind what the hub wants of this session; raises HubError."""
        return await (await self._workers()).order_for(self.id)

    async def inboxes(self) -> Inboxes:
        """What submit-only users have sent; raises HubError."""
        await self._workers()
        assert self._hub is not None
        return Inboxes(self._hub)

    async def open_link(self) -> Hub:
        """A further connection to the same hub."""
        return await connect(self._url, self._fleet)

    def may_start(self, claim: Claim) -> bool:
        """Is the lease of this claim good for sure?"""
        now_ms, sent_at = self._clock
        upper_ms = now_ms + (_now_s() - sent_at) * 1000
        return upper_ms <= claim.offered_ms + LEASE_MS - LEASE_MARGIN_MS

    async def leave(self) -> None:
        """Say goodbye; raises HubError."""
        await (await self._workers()).leave(self.id)

    async def close(self) -> None:
        """Close the link; the next question opens a new one."""
        hub, self._hub = self._hub, None
        if hub:
            await hub.close()

    async def _workers(self) -> Workers:
        if self._hub is None:
            self._hub = await connect(self._url, self._fleet)
        return Workers(self._hub)

    def _heard(self, now_ms: int, sent_at: float) -> None:
        self._clock = (now_ms, sent_at)
        self._patience.reset()
        if self._is_lost:
            self._is_lost = False
            log.info("hub reachable again")

    async def endure(self, error: HubError) -> None:
        """Wait before the next try; raises what waiting cannot mend."""
        if isinstance(error, HOPELESS):
            raise error
        if not self._is_lost:
            self._is_lost = True
            log.warning("hub unreachable, running jobs go on: %s", error)
        await self.close()
        await self._patience.wait()


def _now_s() -> float:
    return time.clock_gettime(_CLOCK)
