"""The budget in the hub: what clients have counted, what steps told, what the work took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relayq.errors import HubError
from relayq.model.budget import DAY_MS, Minutes, Month, Usage
from relayq.model.cronruns import CronRuns
from relayq.model.price import NO_WORK, Work
from relayq.model.steps import StepReport
from relayq.store import decode
from relayq.store.connect import CALL_TIMEOUT_S
from relayq.store.hub import Hub

MOST_AT_ONCE = 500
CRONS = "crons "


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRecord:
    """What the hub knows of one month.

    `runs` and `bill` are what was last read from GitHub, of whichever month; `limit` is
    what `relayq budget limit` set: {"percent": 90} or {"minutes": 1500}. `months` are
    the used and included minutes of each month by name, `work` what ran, by worker.
    """

    now_ms: int
    month: Month
    runs: Usage | None
    bill: Usage | None
    limit: dict[str, float]
    months: dict[str, dict[str, float]]
    steps: list[StepReport]
    work: dict[str, Work]

    @property
    def worked(self) -> Work:
        """What ran on all workers together."""
        total = NO_WORK
        for work in self.work.values():
            total = total.plus(work)
        return total


class Budget:
    """The budget of a fleet."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def read(self, month: Month | None = None, *, timeout_s: float = CALL_TIMEOUT_S) -> BudgetRecord:
        """What is known of a month; of the one that the hub's clock shows without one."""
        if month is None:
            seconds, _ = await self._hub.link.call("TIME", timeout_s=timeout_s)
            month = Month.of(int(seconds) * 1000)
        first = month.start_ms // DAY_MS
        days = list(range(first, first + month.days))
        request: dict[str, object] = {"month": str(month), "days": days}
        reply = await self._hub.view("budget", request, timeout_s=timeout_s)
        now, kept, months, _, steps, work = reply
        found = decode.fields(kept)
        return BudgetRecord(
            now_ms=int(now),
            month=month,
            runs=_usage(found.get("runs")),
            bill=_usage(found.get("bill")),
            limit=_numbers(found.get("limit", "")),
            months={name: _numbers(text) for name, text in decode.fields(months).items()},
            steps=[step for day in steps for text in day if (step := StepReport.read(text))],
            work=_by_worker(work),
        )

    async def keep(self, usage: Usage, included: int, owner: str) -> None:
        """Keep what was read from GitHub about this account, and what the month stands at."""
        ended = {"used": usage.used, "included": included, "read_ms": usage.read_ms}
        told = {**ended, "month": str(usage.month), "owner": owner}
        await self._hub.run(
            "budget_put",
            {
                "what": usage.source,
                "json": json.dumps(usage.to_json()),
                "month": str(usage.month),
                "ended": json.dumps(ended),
                "told": json.dumps(told),
            },
        )

    async def limit(self, limit: Mapping[str, float]) -> None:
        """Set how much may be used: {"percent": P}, {"minutes": N} or nothing."""
        text = json.dumps(dict(limit))
        await self._hub.run(
            "budget_put", {"what": "limit", "json": text}, self._hub.signed(f"limit:{text}", "limit")
        )

    async def ended_runs(self, month: Month) -> dict[str, Any]:
        """Runs whose jobs have all ended, as `keep_runs` was given them."""
        reply = await self._hub.view("budget", {"month": str(month), "days": [], "runs": True})
        read = {name: _ended_run(text) for name, text in decode.fields(reply[3]).items()}
        return {name: run for name, run in read.items() if run is not None}

    async def crons(self) -> tuple[int, dict[str, CronRuns]]:
        """The hub's clock in ms, and what GitHub's clock did, by repository in small letters."""
        now, kept, *_ = await self._hub.view("budget", {"month": "", "days": []})
        found = decode.fields(kept)
        read = {
            name.removeprefix(CRONS): _cron_runs(text)
            for name, text in found.items()
            if name.startswith(CRONS)
        }
        return int(now), {repo: runs for repo, runs in read.items() if runs is not None}

    async def keep_crons(self, repo: str, runs: CronRuns) -> None:
        """Keep what GitHub's clock did in a repository."""
        await self._hub.run("budget_put", {"what": CRONS + repo.lower(), "json": json.dumps(runs.to_json())})

    async def keep_runs(self, month: Month, runs: Mapping[str, Any]) -> None:
        """Keep what ended runs used, so that nobody asks for them again."""
        texts = [(name, json.dumps(run, separators=(",", ":"))) for name, run in runs.items()]
        for start in range(0, len(texts), MOST_AT_ONCE):
            portion = dict(texts[start : start + MOST_AT_ONCE])
            await self._hub.run("budget_runs", {"month": str(month), "runs": portion})

    async def step(self, report: StepReport) -> None:
        """Leave what a step tells about itself."""
        word = decode.text(await self._hub.run("step", report.to_request()))
        if word != "kept":
            raise HubError("the hub has 20000 reports of steps today: this one is not kept")


def _usage(text: str | None) -> Usage | None:
    """What a client wrote; None for what is none, for any client of the hub may write there."""
    try:
        return Usage.from_json(json.loads(text)) if text else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _cron_runs(text: str) -> CronRuns | None:
    try:
        return CronRuns.from_json(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _numbers(text: str) -> dict[str, float]:
    try:
        given = json.loads(text)
        return {str(name): float(number) for name, number in given.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _ended_run(text: str) -> dict[str, Any] | None:
    try:
        run = json.loads(text)
        return {"mark": str(run["mark"]), "jobs": [list(Minutes(*job)) for job in run["jobs"]]}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _by_worker(days: list[Any]) -> dict[str, Work]:
    found: dict[str, Work] = {}
    for day in days:
        for worker, work in decode.work_of_day(day).items():
            found[worker] = found.get(worker, NO_WORK).plus(work)
    return found
