"""The hub's clock as this machine knows it, and how long an answer takes."""

from __future__ import annotations

import time
from collections import deque

BEATS_SEEN = 5  # the latency is the middle one of so many: one slow answer is no news


class HubClock:
    """What the hub's time was when it was last asked, and the latency to show, None before there is one."""

    def __init__(self) -> None:
        self._ahead_ms = 0.0
        self._latencies_ms: deque[int] = deque(maxlen=BEATS_SEEN)
        self.latency_ms: int | None = None

    def now_ms(self) -> int:
        """The hub's clock, by the last time it was read."""
        return int(time.time() * 1000 + self._ahead_ms)

    def read(self, seconds: bytes, micros: bytes, took_s: float = 0.0) -> None:
        """The hub's answer to TIME, which took so long."""
        hub_ms = int(seconds) * 1000 + int(micros) / 1000 + took_s * 500
        self._ahead_ms = hub_ms - time.time() * 1000

    def note(self, took_s: float) -> None:
        """How long an answer took."""
        self._latencies_ms.append(round(took_s * 1000))
        middle = sorted(self._latencies_ms)[len(self._latencies_ms) // 2]
        self.latency_ms = _steady(self.latency_ms, middle)


def _steady(before_ms: int | None, now_ms: int) -> int:
    """The latency to show: the one before, unless it is clearly another one."""
    if before_ms is not None and abs(now_ms - before_ms) <= max(5, before_ms // 3):
        return before_ms
    return now_ms
