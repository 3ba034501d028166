"""The month for people: every figure with its source and its age."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from relayq.cli.output import print_facts, print_lines, print_table
from relayq.client.budget import SOURCES
from relayq.model.duration import format_duration

if TYPE_CHECKING:
    from relayq.client.budget import Standing
    from relayq.model.budget import Usage, Verdict
    from relayq.model.price import PriceTag

MOST_WORKFLOWS = 10
WORDS = {"lasts": ": lasts", "tight": ": may not last", "runs out": ": does not last", "unknown": ""}


def print_standing(stands: Standing) -> None:
    """Everything about the month."""
    record = stands.record
    print_lines([f"GitHub Actions minutes of {record.month} (months of UTC)"])
    if stands.best and stands.verdict:
        print_facts(_month(stands, stands.best, stands.verdict))
    elif ended := record.months.get(str(record.month)):
        print_facts([("used", _ended(ended))])
    else:
        is_past = record.month.end_ms <= record.now_ms
        how = (
            "nobody had the hub count it then"
            if is_past
            else "`relayq budget refresh` asks GitHub, with a token of `gh`"
        )
        print_lines([f"nothing is known of this month: {how}"])
        print_facts(_past(stands))
    print_facts(("warning", warning) for warning in stands.warnings)
    if stands.best and stands.best.by_workflow:
        print_lines([""])
        print_table(("WORKFLOW", "MINUTES", "RUNS", "JOBS"), _workflows(stands.best))
    if record.worked.run_s:
        ran = format_duration(int(record.worked.run_s * 1000))
        print_lines(["", f"What ran on your own machines in this month ({ran} of attempts) would have cost"])
        saved = f"{stands.saved:.0f} included minutes of hosted runners"
        print_facts([*price_facts(stands.price), ("saved", saved)])


def price_facts(price: PriceTag) -> Iterator[tuple[str, str]]:
    """What it would have cost, each with its formula."""
    formulas = price.formulas
    yield "Fargate x86", f"{_money(price.fargate_x86, '$')} = {formulas['fargate_x86']}"
    yield "Fargate arm", f"{_money(price.fargate_arm, '$')} = {formulas['fargate_arm']}"
    yield (
        "hosted Actions",
        f"{_money(price.hosted, '$')} = {formulas['hosted']}" if formulas["hosted"] else "",
    )
    at_least = "at least " if price.home_is_part else ""
    yield (
        "at home",
        formulas["home"] if price.home is None else f"{at_least}{_money(price.home)} = {formulas['home']}",
    )


def _money(amount: float, sign: str = "") -> str:
    """`$0.0123`; what is less than can be shown is no zero."""
    return f"under {sign}0.0001" if 0 < amount < 0.0001 else f"{sign}{amount:.4f}"


def _month(stands: Standing, best: Usage, verdict: Verdict) -> Iterator[tuple[str, str]]:
    low, middle, high = verdict.forecast
    yield (
        "used",
        f"{verdict.used:.0f} of {stands.included} ({verdict.percent:.0f} %), {source_words(best, stands)}",
    )
    yield "left", f"{verdict.left:.0f}"
    yield "limit", f"{stands.limit:.0f}" if stands.record.limit else ""
    word = WORDS[verdict.outlook.verdict]
    yield "forecast", f"{middle:.0f} by the end of the month ({low:.0f} to {high:.0f}){word}"
    if verdict.outlook.empty_in_days is not None and verdict.outlook.verdict != "lasts":
        doubt = verdict.outlook.give_or_take
        yield "empty", f"in {verdict.outlook.empty_in_days:.0f} days (±{max(1, round(doubt))})"
    yield "overrun", f"${verdict.overrun_dollars:.2f}" if verdict.overrun_dollars else ""
    if len(best.by_repo) > 1:
        yield "by repo", ", ".join(f"{name} {minutes:.0f}" for name, minutes in best.by_repo.items())
    for note in best.notes:
        yield "note", note
    for other in stands.others:
        yield SHORT[other.source], f"{other.used:.0f}, {source_words(other, stands)}"
        for note in other.notes:
            yield "", note


SHORT = {"runs": "runs", "bill": "bill", "steps": "steps"}


def _past(stands: Standing) -> Iterator[tuple[str, str]]:
    """How months before ended, as far as the hub remembers."""
    for name, ended in sorted(stands.record.months.items(), reverse=True)[:3]:
        yield name, _ended(ended)


def _ended(month: dict[str, float]) -> str:
    """How a month stood when it was last read."""
    return f"{month.get('used', 0):.0f} of {month.get('included', 0):.0f} when last read"


def source_words(usage: Usage, stands: Standing) -> str:
    """Who says so, and when."""
    age = format_duration(max(0, stands.record.now_ms - usage.read_ms))
    jobs = f" ({usage.jobs} jobs)" if usage.jobs else ""
    return f"{SOURCES[usage.source]}{jobs}, {age} ago"


def _workflows(usage: Usage) -> Iterator[list[str]]:
    for name, spent in list(usage.by_workflow.items())[:MOST_WORKFLOWS]:
        yield [name, f"{spent.minutes:.0f}", str(spent.runs), str(spent.jobs)]
