"""Where the month stands, put together from what the hub knows: for the command line and the screens.

Of the three sources the best known speaks for the month: what was counted from runs,
else the bill, else what steps reported. The others stand beside it with their age. A
figure of another month is none of this one.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relayq.config import Config
from relayq.errors import GitHubError
from relayq.model.budget import PLAN_MINUTES, Usage, Verdict, judge, limit_minutes
from relayq.model.price import PriceTag, tag
from relayq.model.steps import used_by_steps
from relayq.model.systems import FACTORS
from relayq.store.budget import BudgetRecord

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient

SOURCES = {
    "runs": "counted from runs",
    "bill": "GitHub's bill",
    "steps": "reported by RelayQ's own steps",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The month at one glance. `best` and `verdict` are None where nothing is known.

    `limit` is how many minutes may be used by the wish of `relayq budget limit`;
    `saved` the included minutes that hosted runners would have used for what ran at home.
    """

    record: BudgetRecord
    included: int
    best: Usage | None
    others: tuple[Usage, ...]
    verdict: Verdict | None
    limit: float
    is_blocked: bool
    price: PriceTag
    saved: float

    @property
    def warnings(self) -> list[str]:
        """What a person should know, a sentence each."""
        said = []
        if self.is_blocked:
            said.append(
                "GitHub refuses to start jobs: usage is blocked; check the spending limit and payment"
            )
        if self.verdict and self.verdict.alert:
            said.append(f"{self.verdict.alert} % of the included minutes are used")
        if self.verdict and self.verdict.used >= self.limit:
            said.append(f"the limit of {self.limit:.0f} minutes is reached")
        if self.verdict and self.verdict.outlook.verdict == "runs out":
            over = self.verdict.overrun_dollars
            said.append(
                f"the minutes do not last: about ${over:.2f} beyond them, or blocked without a payment method"
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        v = self.verdict
        known = [self.best, *self.others] if self.best else []
        return {
            "month": str(self.record.month),
            "included": self.included,
            "used": v.used if v else None,
            "left": v.left if v else None,
            "percent": round(v.percent, 1) if v else None,
            "source": self.best.source if self.best else None,
            "forecast": [round(minutes) for minutes in v.forecast] if v else None,
            "verdict": v.outlook.verdict if v else "unknown",
            "days_until_empty": _rounded(v.outlook.empty_in_days) if v else None,
            "overrun_dollars": round(v.overrun_dollars, 2) if v else None,
            "limit": self.limit,
            "blocked": self.is_blocked,
            "alert": v.alert if v else 0,
            "warnings": self.warnings,
            "sources": [
                {**usage.to_json(), "age_s": max(0, self.record.now_ms - usage.read_ms) // 1000}
                for usage in known
                if usage
            ],
            "months": self.record.months,
            "saved_minutes": self.saved,
            "price": self.price.to_json(),
        }


def included_minutes(config: Config) -> int:
    """What the plan includes a month, or what was set instead."""
    set_min = config.values["budget.minutes"]
    return set_min if isinstance(set_min, int) else PLAN_MINUTES[str(config.values["budget.plan"])]


def standing(record: BudgetRecord, config: Config) -> Standing:
    """Put the month together."""
    included = included_minutes(config)
    steps = used_by_steps(record.steps, record.month, record.now_ms)
    known = [record.runs, record.bill, steps if steps.jobs else None]
    usable = [usage for usage in known if usage and usage.month == record.month]
    best = usable[0] if usable else None
    price = config.values["budget.kwh_price"]
    work = record.worked
    return Standing(
        record=record,
        included=included,
        best=best,
        others=tuple(usable[1:]),
        verdict=judge(best, included) if best else None,
        limit=limit_minutes(record.limit, included),
        is_blocked=any(usage.is_blocked for usage in usable),
        price=tag(work, price if isinstance(price, float) else None),
        saved=float(sum(minutes * FACTORS[system] for system, minutes in work.hosted_min.items())),
    )


async def ask_github(client: AsyncClient) -> None:
    """Have GitHub asked by a process of its own, which loads what speaks to it; RelayQError when it fails."""
    submitter = client.submitter
    environ = os.environ | {"RELAYQ_URL": submitter.url, "RELAYQ_FLEET": submitter.fleet}
    asking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relayq", "budget", "refresh", "--json",
        env=environ, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await asking.communicate()
    if asking.returncode != 0:
        words = said.decode("utf-8", "replace").strip().splitlines() or ["GitHub could not be asked"]
        raise GitHubError(words[-1].removeprefix("relayq: "))


def _rounded(days: float | None) -> float | None:
    return None if days is None else round(days, 1)
