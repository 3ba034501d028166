"""Whether this worker takes new jobs, and if not, why.

Each side has its own say: a signal or `once` closes for good, the hub's `quiet` until
its `resume`, the owner's conditions (`take_when`) for as long as they do not hold.
"""

from __future__ import annotations

import time

from relayq.config import TakeWhen
from relayq.worker.probe import Conditions

STOPPING = "stopping"
QUIET = "quiet"


class Gate:
    """Open while nobody has a reason against it."""

    def __init__(self, take_when: TakeWhen) -> None:
        self._take_when = take_when
        self._reasons: dict[str, str] = {}

    @property
    def is_open(self) -> bool:
        """May new jobs be taken?"""
        return not self._reasons

    @property
    def why(self) -> str:
        """The reasons against, for people."""
        return ", ".join(self._reasons.values())

    def close(self, who: str, why: str) -> None:
        """Somebody has a reason."""
        self._reasons[who] = why

    def open(self, who: str) -> None:
        """Somebody's reason is gone."""
        self._reasons.pop(who, None)

    def look(self, conditions: Conditions) -> None:
        """Compare the machine as it is now with the owner's conditions."""
        why = _unfit(self._take_when, conditions)
        if why:
            self.close("conditions", why)
        else:
            self.open("conditions")


def _unfit(when: TakeWhen, now: Conditions) -> str:
    clock = time.localtime()
    if not when.on_battery and now.on_battery:
        return "on battery"
    if when.max_load is not None and now.load > when.max_load:
        return f"load {now.load:.1f} per cpu"
    if (
        when.max_temperature is not None
        and now.temperature is not None
        and now.temperature > when.max_temperature
    ):
        return f"{now.temperature:.0f} degrees"
    if not when.within_hours(clock.tm_hour * 60 + clock.tm_min):
        return "outside its hours"
    return ""
