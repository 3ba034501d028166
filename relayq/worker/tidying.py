"""Put away what is over, a moment later and many at once.

An attempt whose report the hub has acknowledged leaves three things behind: a row
in the spool, an entry at the keeper, a directory. Removing them takes longer than
running a short job, so it waits for TIDY_S and happens in a thread where it can.
The order matters: the ledger must know the end before the keeper forgets it.
"""

from __future__ import annotations

import asyncio
import logging

from relayq.errors import WorkerError
from relayq.worker.attempt import Attempt
from relayq.worker.keeping import KeeperClient
from relayq.worker.spool import Spool
from relayq.worker.statedir import StateDir

log = logging.getLogger("relayq.worker")

TIDY_S = 1.0


class Tidying:
    """What is over and not yet put away."""

    def __init__(self, spool: Spool, keeper: KeeperClient, directory: StateDir) -> None:
        self._spool, self._keeper, self._dir = spool, keeper, directory
        self._over: list[Attempt] = []
        self._has_some = asyncio.Event()

    def leave(self, over: list[Attempt]) -> None:
        """These are over."""
        self._over += over
        self._has_some.set()

    async def tidy(self) -> None:
        """Put things away for ever; sleeps while there is nothing."""
        while True:
            await self._has_some.wait()
            await asyncio.sleep(TIDY_S)
            await self.tidy_now()

    async def tidy_now(self) -> None:
        """Put away everything that is over now."""
        over, self._over = self._over, []
        self._has_some.clear()
        try:
            await self._spool.flush()
        except WorkerError as error:
            log.warning("the ends of attempts stay with the keeper: %s", error)
            self.leave(over)
            return
        await self._keeper.forget(attempt.key for attempt in over if attempt.is_spawned)
        await asyncio.to_thread(self._clear, [attempt for attempt in over if attempt.has_place])

    def _clear(self, over: list[Attempt]) -> None:
        for attempt in over:
            if attempt.is_ok:
                self._dir.clear(attempt.place)
