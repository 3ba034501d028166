"""The budget: figures, forecast, and an honest word where nothing is measured."""

from __future__ import annotations

from dataclasses import replace

from relayq_tui.demo import DemoFeed
from relayq_tui.feed import BudgetChanged, Counts
from relayq_tui.rows import BudgetView
from tests.tui.app_support import PHONE, grid, running, settled, shows


def demo_budget(**changes: object) -> BudgetView:
    """The demo's, changed."""
    return replace(DemoFeed().home.budget, **changes)  # type: ignore[arg-type]  # as the caller names them


async def test_it_tells_whether_the_month_lasts() -> None:
    async with running(PHONE, screen="budget") as (app, _):
        for text in ("1420/2000", "71%", "burn 66/day", "runs out 31 Aug", "tight", "resets in 9d"):
            assert shows(app, text), text


async def test_it_tells_what_spent_it_and_what_else_costs() -> None:
    async with running(screen="budget") as (app, _):
        for text in ("nightly.yml     612", "own hardware saved 3911 min", "$1.84 of $5.00", "61M of 256M",
                     "limit       on  90% of 2000", "counted from runs, 12m", "41 min"):  # fmt: skip
            assert shows(app, text), text


async def test_minutes_that_last_have_no_end_in_the_picture() -> None:
    async with running(screen="budget") as (app, pilot):
        app.post_update(BudgetChanged(demo_budget(included_min=9000)))
        await settled(pilot)
        assert shows(app, "lasts")
        assert not shows(app, "runs out")


async def test_a_hub_that_measures_nothing_says_so_and_shows_its_memory() -> None:
    async with running(screen="budget") as (app, pilot):
        app.post_update(BudgetChanged(None))
        app.post_update(Counts(by_state={}, used_bytes=96 << 20, max_bytes=128 << 20))
        await settled(pilot)
        assert shows(app, "No minutes are known yet")
        assert shows(app, "96M of 128M")
        assert shows(app, "75%")
        assert shows(app, "relayq budget refresh")


async def test_memory_without_a_limit_has_no_share() -> None:
    async with running(screen="budget") as (app, pilot):
        app.post_update(BudgetChanged(None))
        app.post_update(Counts(by_state={}, used_bytes=3 << 20))
        await settled(pilot)
        assert shows(app, "3.0M, no limit is set")


async def test_the_smallest_screen_has_the_figures() -> None:
    async with running((40, 15), screen="budget") as (app, _):
        for text in ("1420/2000", "nightly.yml", "$1.84 of $5.00", "61M of 256M"):
            assert shows(app, text), (text, grid(app))


async def test_a_hub_whose_minutes_nobody_counted_shows_what_it_knows() -> None:
    async with running(screen="budget") as (app, pilot):
        known = demo_budget(source="", used_min=0, days=(), prices=(("Fargate", "$1.20 (arm $0.96)"),))
        app.post_update(BudgetChanged(known))
        await settled(pilot)
        assert shows(app, "No minutes are known yet")
        assert shows(app, "own work on    Fargate $1.20")
        assert not shows(app, "0/2000")
        assert not shows(app, "GH min")


async def test_months_before_are_shown_where_they_are_known() -> None:
    async with running(screen="budget") as (app, pilot):
        app.post_update(BudgetChanged(demo_budget(months=(("2026-10", 1234), ("2026-09", 987)))))
        await settled(pilot)
        assert shows(app, "before      2026-10 1234 · 2026-09 987")


async def test_a_limit_is_set_by_a_key() -> None:
    async with running(screen="budget") as (app, pilot):
        await pilot.press("L")
        await settled(pilot)
        assert shows(app, "How much may be used this month?")
        await pilot.press(*"50%", "enter")
        await settled(pilot)
        assert shows(app, "50% of 2000 may be used")


async def test_a_limit_that_is_none_is_one_sentence() -> None:
    async with running(screen="budget") as (app, pilot):
        await pilot.press("L")
        await settled(pilot)
        await pilot.press(*"much", "enter")
        await settled(pilot)
        assert shows(app, "'much' is no limit")
        assert shows(app, "90% of 2000 may be used")
