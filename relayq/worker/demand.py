"""What this worker asks the hub for: the lanes that fit what is free, and how many jobs.

An idle worker asks to be offered jobs as they arrive, and then tells the truth about
its room. In a drain of short jobs it asks for some more than fit, so that no slot
idles during a round trip: the extra cpus are told as free, and every lane whose jobs
are not known to be short also costs EXTRA, of which only the truth is told. So a
long job is never fetched ahead of its room, without a second kind of claim.

A wide job must not starve behind small ones: once the hub names one that has waited
for its room (`wide`), only jobs known to be short may fill the gaps, until it fits
or RESERVE_S have passed.
"""

from __future__ import annotations

import time
from typing import Any

from relayq.worker.board import Board
from relayq.worker.lanes import GAP_FILLER_MS, LaneBook, Served, is_short

EXTRA = "k:not-ahead"
WANT_MAX = 64
RESERVE_S = 600.0
TURN_WEIGHT = 0.2
# A drain is met with one sync for a handful of exits instead of one for each.
GATHER_S = 0.008


class Demand:
    """Works out the claiming half of a sync; remembers whether the queue seems long."""

    def __init__(self, board: Board, lanes: LaneBook) -> None:
        self._board, self._lanes = board, lanes
        self._wide = ""
        self._wide_until = 0.0
        self._turn_ms = GATHER_S * 1000
        self.is_backlogged = False

    def parts(self) -> dict[str, Any]:
        """The fields free, lanes, empty_lanes, want and idle of the next SyncRequest."""
        if not self._board.takes_new:
            return {"free": {}, "idle": False}
        free = self._board.unclaimed()
        ahead = self._ahead()
        told_free = free | {"c": free.get("c", 0) + ahead * 1000, EXTRA: free.get("c", 0)} if ahead else free
        fitting, not_fitting = self._sorted(told_free)
        lanes = [(served.lane.id, self._price(served, ahead)) for served in fitting]
        cheapest = min((served.cost.get("c", 1000) for served in fitting), default=1000)
        want = min(WANT_MAX, max(1, told_free.get("c", 0) // max(1, cheapest))) if fitting else 0
        return {
            "free": told_free,
            "lanes": lanes,
            "empty_lanes": [served.lane.id for served in not_fitting],
            "want": want,
            "idle": bool(fitting) and not ahead,
        }

    def took_turn(self, turn_ms: float) -> None:
        """A sync took so long, from the first look at what to say to the start of what it brought."""
        self._turn_ms += TURN_WEIGHT * (turn_ms - self._turn_ms)

    def heard(self, want: int, claims: int, wide: tuple[str, int] | None) -> None:
        """Learn from a reply: how long the queue seems, and whether a wide job waits."""
        self.is_backlogged = 0 < want <= claims
        if wide is None:
            self._wide = ""
        elif wide[0] != self._wide:
            self._wide, self._wide_until = wide[0], time.monotonic() + RESERVE_S

    def has_room(self) -> bool:
        """Could anything at all be taken now?"""
        return self._board.takes_new and bool(self._sorted(self._board.unclaimed())[0])

    def _ahead(self) -> int:
        """How many jobs to fetch beyond what fits, those that wait already taken off."""
        if not self.is_backlogged:
            return 0
        slots = self._board.room.capacity.get("c", 1000) / 1000
        return max(0, self._lanes.prefetch(slots, self._turn_ms + GATHER_S * 1000) - self._board.waiting)

    def _sorted(self, free: dict[str, int]) -> tuple[list[Served], list[Served]]:
        fitting, not_fitting = [], []
        is_reserved = bool(self._wide) and time.monotonic() < self._wide_until
        for served in self._lanes.served.values():
            if not all(free.get(key, 0) >= amount for key, amount in served.cost.items()):
                not_fitting.append(served)
            elif not is_reserved or served.lane.id == self._wide or _fills_gaps(served):
                fitting.append(served)
        return fitting, not_fitting

    def _price(self, served: Served, ahead: int) -> dict[str, int]:
        if not ahead or is_short(served.mean_ms, self._turn_ms):
            return served.told
        return {**served.told, EXTRA: served.cost.get("c", 0)}


def _fills_gaps(served: Served) -> bool:
    return served.mean_ms is not None and served.mean_ms <= GAP_FILLER_MS
