"""Put away what is over, a moment later and many at once.

An attempt whose report the hub has acknowledged leaves three things behind: a row
in the spool, an entry at the keeper, a directory. The first two go together every
TIDY_S, in this order: the ledger must know the end before the keeper forgets it.
Directories wait until there is nothing more urgent to do, or very many have gathered:
removing one costs more than a short job, and slows down the making of the next. One in
which nothing was left is taken back into stock at once, where that is quick.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from relayq.errors import WorkerError
from relayq.worker.attempt import Attempt
from relayq.worker.keeping import KeeperClient
from relayq.worker.retention import Retention
from relayq.worker.spool import Spool
from relayq.worker.stock import Stock

log = logging.getLogger("relayq.worker")

TIDY_S = 1.0
DIRECTORIES_MAX = 5000


class Tidying:
    """What is over and not yet put away."""

    def __init__(
        self,
        *,
        spool: Spool,
        keeper: KeeperClient,
        retention: Retention,
        stock: Stock,
        is_busy: Callable[[], bool],
    ) -> None:
        self._spool, self._keeper, self._retention, self._stock = spool, keeper, retention, stock
        self._is_busy = is_busy
        self._over: list[Attempt] = []
        self._places: list[tuple[str, bool]] = []
        self._has_some = asyncio.Event()

    def leave(self, over: list[Attempt]) -> None:
        """These are over."""
        if self._spool.is_quick:
            self._take_back(over)
        self._over += over
        self._has_some.set()

    async def tidy(self) -> None:
        """Put things away for ever; sleeps while there is nothing."""
        await asyncio.to_thread(self._stock.fill)
        while True:
            await self._has_some.wait()
            await asyncio.sleep(TIDY_S)
            await self.forget()
            if len(self._places) > DIRECTORIES_MAX or not self._is_busy():
                await self.clear()
            if not self._over and not self._places:
                self._has_some.clear()

    async def forget(self) -> None:
        """Write the ends of attempts down and let the keeper forget them."""
        over, self._over = self._over, []
        try:
            await self._spool.flush()
        except WorkerError as error:
            log.warning("the ends of attempts stay with the keeper: %s", error)
            self.leave(over)
            return
        await self._keeper.forget(attempt.key for attempt in over if attempt.is_spawned)
        if not self._spool.is_quick:
            await asyncio.to_thread(self._take_back, over)
        self._places += [(attempt.place, attempt.is_ok) for attempt in over if attempt.has_place]

    async def clear(self) -> None:
        """Remove directories, as far as nothing in them is to be kept."""
        places, self._places = self._places, []
        await asyncio.to_thread(self._clear, places)
        if not self._is_busy():
            await asyncio.to_thread(self._stock.fill)

    def _clear(self, places: list[tuple[str, bool]]) -> None:
        for place, is_ok in places:
            self._retention.over(place, is_ok=is_ok)

    def _take_back(self, over: list[Attempt]) -> None:
        """Let directories in which nothing was left serve again."""
        for attempt in over:
            if attempt.has_place and attempt.is_ok and self._stock.give(attempt.place):
                attempt.has_place = False
