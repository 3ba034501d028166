"""Fire the latest slot of a schedule that lives in the hub: what the twin of a schedule does.

GitHub's clock is late or does not ring at all, so nothing here depends on when it rings: the
slot is computed from the rule, its job's id from schedule and slot, and whoever comes second
changes nothing. The step sends no command and signs nothing: the schedule in the hub is signed,
and a worker that reads the inbox checks that it has this slot.
"""

from __future__ import annotations

from typing import NamedTuple

from relayq.errors import SpecError, UsageError
from relayq.model.cron import Cron, CronError, slot_id
from relayq.model.reading import check_name


class Slot(NamedTuple):
    """One firing of a schedule with this rule; its time in ms since 1970."""

    schedule: str
    rule: str
    at_ms: int

    def job(self, fleet: str) -> str:
        """The id of its job, whoever makes it."""
        return slot_id(fleet, self.schedule, self.at_ms)


def latest(schedule: str, rule: str, now_s: int) -> Slot:
    """The last slot at or before a moment; `rule` is a cron rule and its zone: `0 3 * * * Europe/Berlin`."""
    try:
        name = check_name(schedule, "schedule")
    except SpecError as error:
        raise UsageError(str(error)) from None
    text, _, zone = " ".join(rule.split()).rpartition(" ")
    try:
        cron = Cron(text, zone)
    except (CronError, ValueError, OSError, LookupError):
        raise UsageError(
            f"{rule[:60]!r} is no cron rule and its zone, like '0 3 * * * Europe/Berlin' (input 'slot')"
        ) from None
    found_s = cron.latest(now_s)
    if found_s is None:
        raise UsageError(f"the rule {rule[:60]!r} had no slot yet (input 'slot')")
    return Slot(name, f"{text} {zone}", found_s * 1000)
