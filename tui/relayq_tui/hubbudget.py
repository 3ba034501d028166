"""The month as the hub knows it, as the budget screen shows it.

Nothing is asked of GitHub here: what a machine with a token has read stands in the
hub, with its age. What steps reported and what ran at home the hub counts itself.
"""

from __future__ import annotations

from relayq.client.budget import SOURCES, Standing, standing
from relayq.config import Config
from relayq.model.budget import limit_words, running_sum
from relayq.store.budget import BudgetRecord
from relayq_tui.rows import BudgetView

MOST_SPENDERS = 6
MOST_MONTHS = 3


def budget_view(record: BudgetRecord, config: Config) -> BudgetView:
    """One month as a row; `source` is empty where no minutes are known."""
    stands = standing(record, config)
    best, verdict = stands.best, stands.verdict
    spenders = list(best.by_workflow.items())[:MOST_SPENDERS] if best else []
    return BudgetView(
        included_min=stands.included,
        used_min=round(verdict.used) if verdict else 0,
        resets_ms=record.month.end_ms,
        read_ms=best.read_ms if best else record.now_ms,
        source=SOURCES[best.source] if best else "",
        days=running_sum(best.by_day, best.used) if best else (),
        days_in_month=record.month.days,
        saved_min=round(stands.saved),
        spenders=tuple((_file(name), round(spent.minutes)) for name, spent in spenders),
        guard_percent=round(100 * stands.limit / stands.included),
        guard_on=bool(record.limit),
        limit=limit_words(record.limit),
        warnings=(*stands.warnings, *(best.notes if best else ())),
        prices=_prices(stands),
        months=tuple(
            (name, round(ended.get("used", 0)))
            for name, ended in sorted(record.months.items(), reverse=True)
            if name < str(record.month)
        )[:MOST_MONTHS],
    )


def _file(name: str) -> str:
    """`ci.yml` of `acme/site: ci.yml`."""
    return name.rpartition(": ")[2]


def _prices(stands: Standing) -> tuple[tuple[str, str], ...]:
    """What ran at home, elsewhere."""
    if not stands.record.worked.run_s:
        return ()
    price = stands.price
    at_least = "at least " if price.home_is_part else ""
    home = "not known" if price.home is None else f"{at_least}{price.home:.2f}"
    return (
        ("Fargate", f"${price.fargate_x86:.2f} (arm ${price.fargate_arm:.2f})"),
        ("hosted Actions", f"${price.hosted:.2f}"),
        ("at home", home),
    )
