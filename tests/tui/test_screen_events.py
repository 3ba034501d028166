"""The audit: who did what."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from relayq_tui.feed import EventsSeen
from relayq_tui.rows import EventRow
from relayq_tui.screens.events import EventsScreen
from relayq_tui.screens.job import JobScreen
from tests.tui.app_support import grid, running, settled, shows

SIZES = ((40, 15), (60, 25), (80, 24), (120, 40), (250, 80))


async def to_events(pilot: Pilot[None]) -> EventsScreen:
    """The screen."""
    await pilot.press("6")
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, EventsScreen)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_the_newest_stands_at_the_top(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        await to_events(pilot)
        [first] = [line for line in grid(app) if "7RDKC8" in line and "cancelled" in line]
        assert "⊘" in first


async def test_a_line_says_when_who_what_and_to_which_job() -> None:
    async with running() as (app, pilot):
        await to_events(pilot)
        assert any(
            line.split() == ["22:12:07", "✗", "pi3-shed", "failed,", "exit", "1", "7RDKQ1", "nightly-backup"]
            for line in grid(app)
        )


async def test_kinds_are_tabs() -> None:
    async with running() as (app, pilot):
        screen = await to_events(pilot)
        await pilot.press("F")
        await settled(pilot)
        assert {one.kind for one in screen.table.rows} == {"people"}
        assert shows(app, "[people ")


async def test_words_filter_and_escape_leads_out() -> None:
    async with running() as (app, pilot):
        screen = await to_events(pilot)
        await pilot.press("slash", *"lora")
        await settled(pilot)
        assert screen.table.rows
        assert all("train-lora" in line for line in grid(app) if "7RDK" in line)
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, EventsScreen)
        assert screen.table.has_focus
        assert len(screen.table.rows) > 100


async def test_what_comes_is_seen_at_the_top_and_counted_elsewhere() -> None:
    async with running() as (app, pilot):
        screen = await to_events(pilot)
        now_ms = app.store.now_ms()
        app.post_update(EventsSeen([EventRow(f"{now_ms}-900", "pause", "media")]))
        await settled(pilot)
        assert shows(app, "queue media was paused")
        await pilot.press("j", "j")
        before = screen.table.current
        app.post_update(EventsSeen([EventRow(f"{now_ms}-901", "resume", "media")]))
        await settled(pilot)
        assert screen.table.current == before
        assert shows(app, "+1 new")
        await pilot.press("f")
        await settled(pilot)
        assert screen.table.cursor == 0
        assert not shows(app, "+1 new")


async def test_enter_opens_the_job() -> None:
    async with running() as (app, pilot):
        await to_events(pilot)
        await pilot.press("j", "enter")
        await settled(pilot)
        assert isinstance(app.screen, JobScreen)
        assert shows(app, "7RDKQ1 nightly-backup")


async def test_what_the_hub_has_forgotten_is_said_to_be() -> None:
    async with running() as (app, pilot):
        await to_events(pilot)
        app.post_update(EventsSeen([EventRow(f"{app.store.now_ms()}-900", "submit", "ZZZZZZZZZZZZZZZZ")]))
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert shows(app, "the hub does not know it any more")
