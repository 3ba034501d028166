"""What would save minutes: a clock of one's own, one job in place of several, a longer period.

Each piece of advice says how many minutes a month it saves, reckoned from what was
counted this month and drawn out to its end. The three exclude each other in part, so
their savings must not be added up.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from relayq.model.budget import DAY_MS, Spent, Usage

KINDS = ("schedule", "one-job", "period")


class Advice(NamedTuple):
    """One change to one workflow. `saves` is minutes a month, `uses` what it uses now in a month."""

    workflow: str
    kind: str
    saves: float
    uses: float
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**self._asdict(), "saves": round(self.saves), "uses": round(self.uses)}


def advise(usage: Usage) -> list[Advice]:
    """What saves most, first."""
    passed = max(1.0, (min(usage.read_ms, usage.month.end_ms) - usage.month.start_ms) / DAY_MS)
    stretch = usage.month.days / passed
    found = [
        advice
        for name, spent in usage.by_workflow.items()
        for advice in (
            _schedule(name, spent, stretch),
            _one_job(name, spent, stretch),
            _period(name, spent, stretch),
        )
        if advice is not None and advice.saves >= 1
    ]
    return sorted(found, key=lambda one: (-one.saves, one.workflow, KINDS.index(one.kind)))


def _schedule(name: str, spent: Spent, stretch: float) -> Advice | None:
    """What a cron starts can be started by a scheduler at home, for nothing."""
    if not spent.scheduled:
        return None
    saves = spent.minutes * spent.scheduled / spent.runs * stretch
    sentence = (
        f"{spent.scheduled} of its {spent.runs} runs were started by a cron: as a schedule of RelayQ "
        "(relayq schedule add) they cost no minutes"
    )
    return Advice(name, "schedule", saves, spent.minutes * stretch, sentence)


def _one_job(name: str, spent: Spent, stretch: float) -> Advice | None:
    """Each job is rounded up by itself: several short ones on one system cost more than one does."""
    a_run = spent.jobs / spent.runs
    if a_run < 1.5 or not spent.factor:
        return None
    together = spent.runs * math.ceil(spent.seconds / spent.runs / 60) * spent.factor
    sentence = (
        f"its {a_run:.1f} jobs a run are rounded up one by one: {spent.minutes:.0f} minutes for "
        f"{spent.seconds / 60:.0f} minutes of work; as one job, or one step that submits an array, it is "
        f"{together:.0f}"
    )
    return Advice(name, "one-job", (spent.minutes - together) * stretch, spent.minutes * stretch, sentence)


def _period(name: str, spent: Spent, stretch: float) -> Advice | None:
    """Half as often is half as dear."""
    if spent.scheduled < 8:
        return None
    saves = spent.minutes * spent.scheduled / spent.runs * stretch / 2
    sentence = f"its cron fired {spent.scheduled} times: half as often is half as dear"
    return Advice(name, "period", saves, spent.minutes * stretch, sentence)
