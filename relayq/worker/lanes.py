"""Which lanes this worker can serve, at what cost, and how long their jobs take here.

The hub hands over every lane it knows; the rule that matches needs and machine is
plain Python (`model.needs`) and runs here once a version of the list, never once a
job. Tools are looked up on the PATH when a lane asks for one, and again after
RECHECK_S, because people install things.

Durations are learned to tell short jobs from long ones: only short ones are worth
fetching ahead, and only they may fill the gaps while a wide job waits for its room.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from relayq.model.needs import Lane, Offer, cost, preferred, unserved
from relayq.worker.probe import find_tool

RECHECK_S = 300.0
PREFETCH_MAX = 16
# A job is short when the sync that fetches it costs at least a twentieth of it.
SHORT_TURNS = 20.0
GAP_FILLER_MS = 60_000.0
_WEIGHT = 0.2


@dataclass(slots=True)
class Served:
    """A lane this worker can serve: the cost of one job, how the hub is told of it, its mean duration."""

    lane: Lane
    cost: dict[str, int]
    told: dict[str, int]
    mean_ms: float | None = None


class LaneBook:
    """The lanes of the fleet as seen from this machine."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer
        self._lanes: dict[str, Lane] = {}
        self._learned_at = 0.0
        self.version = -1
        self.served: dict[str, Served] = {}
        self.unserved: dict[str, str] = {}
        self.mean_ms: float | None = None

    def learn(self, version: int, lanes: dict[str, Lane]) -> None:
        """Judge every lane afresh, keeping what is known of durations."""
        before = self.served
        self._lanes, self.version, self._learned_at = lanes, version, time.monotonic()
        self.served, self.unserved = {}, {}
        for name, lane in lanes.items():
            reasons = unserved(lane, self.offer, find_tool)
            if reasons:
                self.unserved[name] = "; ".join(reasons)
            else:
                self.served[name] = self._serve(lane, before.get(name))

    def recheck(self) -> None:
        """Look again for tools once in a while."""
        if self.unserved and time.monotonic() - self._learned_at > RECHECK_S:
            self.learn(self.version, self._lanes)

    def cost(self, lane: Lane) -> dict[str, int]:
        """What one job of a lane takes here."""
        served = self.served.get(lane.id)
        return served.cost if served else cost(lane.needs, self.offer)

    def ended(self, lane: str, run_ms: float) -> None:
        """Learn from an attempt that ended by itself."""
        self.mean_ms = _blend(self.mean_ms, run_ms)
        if served := self.served.get(lane):
            served.mean_ms = _blend(served.mean_ms, run_ms)

    def prefetch(self, slots: float, turn_ms: float) -> int:
        """How many jobs to fetch ahead, so that no slot idles while a sync is on its way."""
        if self.mean_ms is None or not is_short(self.mean_ms, turn_ms):
            return 0
        return min(PREFETCH_MAX, math.ceil(slots * turn_ms / max(self.mean_ms, 0.05)))

    def _serve(self, lane: Lane, before: Served | None) -> Served:
        price = cost(lane.needs, self.offer)
        told = price if preferred(lane, self.offer) else {**price, "w": lane.prefer_wait_ms}
        return Served(lane=lane, cost=price, told=told, mean_ms=before.mean_ms if before else None)


def is_short(mean_ms: float | None, turn_ms: float) -> bool:
    """Is the sync that fetches it a visible part of such a job?"""
    return mean_ms is not None and mean_ms <= SHORT_TURNS * turn_ms


def _blend(mean: float | None, value: float) -> float:
    return value if mean is None else mean + _WEIGHT * (value - mean)
