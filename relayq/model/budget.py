"""The minutes of GitHub Actions that a month includes: counted, foretold, and judged.

What is billed (docs.github.com, "Actions runner pricing", read 2026-11): each job of a
private repository on a hosted runner, rounded up to a whole minute by itself, also when
it failed or was run again. Free are public repositories, self-hosted runners and jobs
that were skipped. What a minute counts on which system stands in `systems.py`.

A month is a month of UTC, and a job belongs to the month in which it started.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from relayq.errors import UsageError
from relayq.model.forecast import Outlook, outlook
from relayq.model.systems import FACTORS

# Included minutes a month by plan, and dollars a minute by runner; valid from 2026-01-01
# (github/docs: actions-included-quotas, actions-standard-runner-prices).
PLAN_MINUTES = {"free": 2_000, "pro": 3_000, "team": 3_000, "enterprise": 50_000}
DOLLARS_A_MINUTE = {"linux": 0.006, "slim": 0.002, "windows": 0.010, "macos": 0.062}
ALERTS_PERCENT = (75, 90, 100)
MINUTE_MS = 60_000
DAY_MS = 86_400_000


class Minutes(NamedTuple):
    """What one hosted job used. `minutes` are billed ones of that `system`, before its factor.

    `run` is the run it belongs to, `seconds` how long it really ran, `event` what started it.
    """

    repo: str
    workflow: str
    job: str
    system: str
    minutes: int
    started_ms: int
    run: int = 0
    seconds: float = 0.0
    event: str = ""

    @property
    def counted(self) -> int:
        """Included minutes used up."""
        return self.minutes * FACTORS[self.system]

    @property
    def dollars(self) -> float:
        """What it costs beyond the included minutes."""
        return self.minutes * DOLLARS_A_MINUTE[self.system]


class Spent(NamedTuple):
    """What one workflow used: counted minutes, runs, jobs, real seconds, and runs that a cron started.

    `factor` is that of the system on which all of its jobs ran, 0 where they differ.
    """

    minutes: float = 0.0
    runs: int = 0
    jobs: int = 0
    seconds: float = 0.0
    scheduled: int = 0
    factor: int = 1


class Month(NamedTuple):
    """A calendar month of UTC."""

    year: int
    month: int

    @classmethod
    def of(cls, ms: int) -> Month:
        """The month in which a moment lies."""
        moment = datetime.fromtimestamp(ms / 1000, UTC)
        return cls(moment.year, moment.month)

    @classmethod
    def read(cls, text: str) -> Month:
        """Read `2026-11`."""
        year, _, month = text.partition("-")
        return cls(int(year), int(month))

    @property
    def start_ms(self) -> int:
        """Its first moment."""
        return int(datetime(self.year, self.month, 1, tzinfo=UTC).timestamp() * 1000)

    @property
    def end_ms(self) -> int:
        """The first moment of the next."""
        return self.start_ms + self.days * DAY_MS

    @property
    def days(self) -> int:
        """How many days it has."""
        return monthrange(self.year, self.month)[1]

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The minutes of one month as one source has them; all of them are counted ones.

    `source` is `runs`, `bill` or `steps`, `read_ms` when it was read. `by_day` holds what
    was used on each day, from the first on. `dollars` is their price if none were included.
    `by_workflow` is by `repo: file`. `notes` say what the figure lacks; `is_blocked` that
    GitHub refuses to start jobs.
    """

    source: str
    month: Month
    read_ms: int
    used: float
    by_day: tuple[float, ...] = ()
    by_workflow: dict[str, Spent] = field(default_factory=dict)
    by_repo: dict[str, float] = field(default_factory=dict)
    by_system: dict[str, float] = field(default_factory=dict)
    dollars: float = 0.0
    jobs: int = 0
    is_blocked: bool = False
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON; `from_json` reads it back."""
        return {name: getattr(self, name) for name in self.__slots__} | {"month": str(self.month)}

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Usage:
        """Read it; what a newer version added is left out."""
        known = {name: given[name] for name in cls.__slots__ if name in given}
        known["month"] = Month.read(known["month"])
        for name in ("by_day", "notes"):
            known[name] = tuple(known.get(name, ()))
        known["by_workflow"] = {name: Spent(*spent) for name, spent in known.get("by_workflow", {}).items()}
        return cls(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where the month stands: minutes included, used and left, and what is to come.

    `forecast` is what will be used by the end of the month: (at least, probably, at most).
    `overrun_dollars` is the price of what probably exceeds the included minutes.
    """

    included: int
    used: float
    outlook: Outlook
    forecast: tuple[float, float, float]
    overrun_dollars: float

    @property
    def left(self) -> float:
        """Included minutes that are left, never below 0."""
        return max(0.0, self.included - self.used)

    @property
    def percent(self) -> float:
        """The share that is used, in percent; may exceed 100."""
        return 100 * self.used / self.included

    @property
    def alert(self) -> int:
        """The highest alert that is reached: 0, 75, 90 or 100."""
        return max((level for level in ALERTS_PERCENT if self.percent >= level), default=0)


def billed_minutes(started_ms: int, ended_ms: int) -> int:
    """Whole minutes of one job, rounded up, at least 1, also where two clocks disagree."""
    return max(1, math.ceil((ended_ms - started_ms) / MINUTE_MS))


def add_up(source: str, month: Month, read_ms: int, used: Iterable[Minutes]) -> Usage:
    """Add up what was used by jobs that started in `month`; the rest is another month's."""
    mine = [one for one in used if month.start_ms <= one.started_ms < month.end_ms]
    last_day = min(month.days, max(1, (read_ms - month.start_ms) // DAY_MS + 1))
    by_day = [0.0] * last_day
    for one in mine:
        by_day[min(last_day - 1, (one.started_ms - month.start_ms) // DAY_MS)] += one.counted
    return Usage(
        source=source,
        month=month,
        read_ms=read_ms,
        used=float(sum(one.counted for one in mine)),
        by_day=tuple(by_day),
        by_workflow=_by_workflow(mine),
        by_repo=_sums((one.repo, one.counted) for one in mine),
        by_system=_sums((one.system, one.minutes) for one in mine),
        dollars=round(sum(one.dollars for one in mine), 4),
        jobs=len(mine),
    )


def judge(usage: Usage, included: int, used: float | None = None) -> Verdict:
    """Say whether the month lasts; `used` where another source knows the sum better."""
    total = usage.used if used is None else used
    passed = min(usage.month.days, (usage.read_ms - usage.month.start_ms) // DAY_MS + 1)
    so_far = running_sum(usage.by_day or (total / passed,) * passed, total)
    ahead = outlook(so_far, usage.month.days, included)
    ends = (
        tuple(curve[-1] if curve else total for curve in (ahead.low, ahead.middle, ahead.high))
        if so_far
        else (total, total, total)
    )
    over = max(0.0, ends[1] - included)
    a_minute = usage.dollars / usage.used if usage.used else DOLLARS_A_MINUTE["linux"]
    return Verdict(
        included=included,
        used=total,
        outlook=ahead,
        forecast=(ends[0], ends[1], ends[2]),
        overrun_dollars=over * a_minute,
    )


def read_limit(text: str) -> dict[str, float]:
    """`90%` or `1500`, as the hub keeps it; `off` is none."""
    if text == "off":
        return {}
    number = text.removesuffix("%")
    if not number.isdecimal() or len(number) > 9 or int(number) == 0:
        raise UsageError(f"{text!r} is no limit: write a share such as 90%, minutes such as 1500, or off")
    return {"percent" if text.endswith("%") else "minutes": float(number)}


def limit_words(limit: dict[str, float]) -> str:
    """A limit as people write it, and as `read_limit` reads it."""
    if "minutes" in limit:
        return f"{limit['minutes']:.0f}"
    return f"{limit['percent']:.0f}%" if limit else "off"


def limit_minutes(limit: dict[str, float], included: int) -> float:
    """A limit as minutes; what is included where none is set."""
    if "minutes" in limit:
        return float(limit["minutes"])
    return included * limit.get("percent", 100.0) / 100


def running_sum(by_day: Sequence[float], total: float) -> tuple[float, ...]:
    """Minutes used by the end of each day, drawn out so that the last is `total`."""
    known = sum(by_day)
    scale = total / known if known else 1.0
    sums, so_far = [], 0.0
    for used in by_day:
        so_far += used * scale
        sums.append(so_far)
    return tuple(sums)


def _by_workflow(used: Sequence[Minutes]) -> dict[str, Spent]:
    jobs: dict[str, list[Minutes]] = {}
    for one in used:
        jobs.setdefault(f"{one.repo}: {one.workflow}", []).append(one)
    spent = {name: _spent(mine) for name, mine in jobs.items()}
    return dict(sorted(spent.items(), key=lambda pair: (-pair[1].minutes, pair[0])))


def _spent(jobs: Sequence[Minutes]) -> Spent:
    factors = {FACTORS[one.system] for one in jobs}
    return Spent(
        factor=factors.pop() if len(factors) == 1 else 0,
        minutes=float(sum(one.counted for one in jobs)),
        runs=len({one.run for one in jobs}),
        jobs=len(jobs),
        seconds=round(sum(one.seconds for one in jobs), 1),
        scheduled=len({one.run for one in jobs if one.event == "schedule"}),
    )


def _sums(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, amount in pairs:
        found[name] = found.get(name, 0.0) + amount
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))
