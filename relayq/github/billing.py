"""Read the bill: the second source, what GitHub itself has booked for the month.

`GET /users/{user}/settings/billing/usage/summary`, or the organisation's (public
preview, docs.github.com, "Billing usage", read 2026-11). A user's wants a classic token
with the scope `user`, an organisation's its administrator. Names are compared without
regard to case: `Actions Linux` and `actions_linux` both occur. The bill lags by hours, and
says nothing of what is included; public repositories may stand in it with full discount.

The endpoints of before, `/settings/billing/actions` (gone) and `/timing` (answers 0), are
not asked. A bill without minutes of Actions is no bill of 0: it is shown as none.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from relayq.errors import GitHubDenied, GitHubError, GitHubMissing, GitHubUnavailable
from relayq.github.api import GitHub, listed
from relayq.github.repos import Owner
from relayq.model.budget import DOLLARS_A_MINUTE, Month, Usage
from relayq.model.systems import FACTORS

# Standard runners, the only ones that use included minutes; others are larger and cost money at once.
STANDARD = {
    "linux": "linux",
    "linux_arm": "linux",
    "linux_slim": "slim",
    "windows": "windows",
    "windows_arm": "windows",
    "macos": "macos",
}


async def bill(github: GitHub, whose: Owner, month: Month) -> Usage | None:
    """What is booked; None when nothing of Actions is."""
    kind = "organizations" if whose.is_organisation else "users"
    path = f"/{kind}/{quote(whose.login, safe='')}/settings/billing/usage/summary"
    try:
        body = await github.get(path, {"year": month.year, "month": month.month})
    except (GitHubDenied, GitHubMissing) as error:
        raise GitHubDenied(_needs(github, whose)) from error
    items = [item for item in listed(body, "usageItems", path) if _is_minutes(item)]
    used, larger, net, by_system = 0.0, 0.0, 0.0, dict[str, float]()
    for item in items:
        quantity = _number(item, "grossQuantity")
        net += _number(item, "netAmount")
        system = STANDARD.get(_sku(item))
        if system is None:
            larger += quantity
        else:
            used += quantity * FACTORS[system]
            by_system[system] = by_system.get(system, 0.0) + quantity
    if not items or not used + larger:
        return None
    return Usage(
        source="bill",
        month=month,
        read_ms=github.now_ms(),
        used=used,
        by_system=by_system,
        dollars=round(sum(minutes * DOLLARS_A_MINUTE[name] for name, minutes in by_system.items()), 4),
        is_blocked=await _is_blocked(github, whose),
        notes=_notes(larger, net),
    )


def _needs(github: GitHub, whose: Owner) -> str:
    if whose.is_organisation:
        return (
            f"the bill of {whose.login} is shown to its administrators alone: the token from "
            f"{github.token_place} may not read it; the minutes are counted from the runs instead"
        )
    has = f" and has {github.scopes}" if github.scopes else ""
    return (
        f"the bill needs a classic token with the scope `user`: the token from {github.token_place} lacks it"
        f"{has}; type `gh auth refresh -s user`, or go on with the minutes counted from the runs"
    )


def _notes(larger: float, net: float) -> tuple[str, ...]:
    notes = ["may hold public repositories, which are free, and lags by hours"]
    if larger:
        notes.append(f"{larger:g} minutes of larger runners beside these, which are never included")
    if net:
        notes.append(f"${net:.2f} are to be paid already")
    return tuple(notes)


async def _is_blocked(github: GitHub, whose: Owner) -> bool:
    """Does a budget of an organisation stop Actions, spent as it is? A user's cannot be read."""
    if not whose.is_organisation:
        return False
    path = f"/organizations/{quote(whose.login, safe='')}/settings/billing/budgets"
    try:
        budgets = listed(await github.get(path), "budgets", path)
    except GitHubError:
        return False
    return any(_stops_actions(budget) for budget in budgets)


def _stops_actions(budget: dict[str, Any]) -> bool:
    names = [str(name).lower() for name in budget.get("budget_product_skus") or ()]
    amount, consumed = _number(budget, "budget_amount"), _number(budget, "consumed_amount")
    # A budget of $0 stops Actions only once the included minutes are used: the runs tell when it does.
    is_spent = 0 < amount <= consumed
    is_ours = any("actions" in name for name in names)
    return budget.get("prevent_further_usage") is True and is_spent and is_ours


def _is_minutes(item: dict[str, Any]) -> bool:
    return (
        str(item.get("product", "")).lower() == "actions"
        and str(item.get("unitType", "")).lower() == "minutes"
    )


def _sku(item: dict[str, Any]) -> str:
    return str(item.get("sku", "")).lower().replace(" ", "_").removeprefix("actions_")


def _number(item: dict[str, Any], name: str) -> float:
    value = item.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise GitHubUnavailable(f"the bill has no number in {name}: GitHub's answer is not what it should be")
    return float(value)
