"""The timeline: lanes, flow, replay, export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.pilot import Pilot

from relayq_tui.demo import DemoFeed
from relayq_tui.screens.job import JobScreen
from relayq_tui.screens.timeline import TimelineScreen
from tests.support import eventually
from tests.tui.app_support import grid, running, settled, shows

SIZES = ((40, 15), (60, 25), (80, 24), (120, 40), (250, 80))
HOUR = 3_600_000


async def to_timeline(pilot: Pilot[None]) -> TimelineScreen:
    """The screen."""
    await pilot.press("3")
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, TimelineScreen)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_the_lanes_the_time_and_the_job_under_the_cursor(
    size: tuple[int, int],
) -> None:
    async with running(size) as (app, pilot):
        await to_timeline(pilot)
        assert shows(app, "22:14 now")
        assert shows(app, "▶mac-mini")
        assert shows(app, "7RDKX2 train-lora epochs=3")


async def test_what_runs_has_an_estimate_from_its_like() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        assert any("mac-mini" in line and "eta 22:15" in line for line in grid(app))


async def test_who_is_away_shows_since_when_and_what_is_planned_stands_ahead() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        assert any("iphone-ssh" in line and "offline since 18:41" in line for line in grid(app))
        assert any("planned" in line and "┃" in line and "links" in line for line in grid(app))


async def test_series_stand_below_on_the_same_axis() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        ended = next(line for line in grid(app) if "ended/min" in line)
        lane = next(line for line in grid(app) if "mac-mini" in line)
        assert ended.index("┃") == lane.index("┃")


async def test_zoom_pan_and_now() -> None:
    async with running() as (app, pilot):
        screen = await to_timeline(pilot)
        await pilot.press("plus")
        await settled(pilot)
        assert screen.lanes.to_ms - screen.lanes.from_ms == 3 * HOUR
        assert shows(app, "range 3h")
        await pilot.press("minus", "minus")
        await settled(pilot)
        assert shows(app, "range 12h")
        await pilot.press(*["h"] * 30)
        await settled(pilot)
        assert not screen.lanes.follows
        await pilot.press("0")
        await settled(pilot)
        assert screen.lanes.follows


async def test_lanes_can_be_queues() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        await pilot.press("g")
        await settled(pilot)
        assert shows(app, "group queue")
        assert any(line.startswith((" media", "▶media")) for line in grid(app))


async def test_the_flow_of_what_is_blocked_stands_below() -> None:
    async with running() as (app, pilot):
        screen = await to_timeline(pilot)
        assert shows(app, "blocked by ✗ 7RDKM4")
        await pilot.press("tab")
        await settled(pilot)
        assert [row.short_id for row in screen.selected()] == ["7RDKM4"]
        await pilot.press("R")
        await eventually(lambda: not screen.selected()[0].is_final, "it was retried from the flow")


async def test_f_hides_the_flow_and_shows_it_again() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        await pilot.press("f")
        await settled(pilot)
        assert not shows(app, "── flow")
        await pilot.press("f")
        await settled(pilot)
        assert shows(app, "── flow")


async def test_enter_opens_the_job_under_the_cursor() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, JobScreen)
        assert shows(app, "7RDKX2")


async def test_a_replay_lets_the_time_go_by_again() -> None:
    async with running() as (app, pilot):
        screen = await to_timeline(pilot)
        await pilot.press("k", "k", "r")
        assert screen.replay_ms
        await eventually(lambda: shows(app, "replay 2"), "the replay is on")
        began = screen.replay_ms
        await eventually(lambda: screen.replay_ms > began, "time goes by")
        await pilot.press("r")
        assert screen.replay_ms == 0
        await settled(pilot)
        assert not shows(app, "replay 2")


async def test_a_trace_and_a_picture_are_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as (app, pilot):
        await to_timeline(pilot)
        await pilot.press("x", "enter")
        [trace] = await eventually(lambda: list(tmp_path.glob("*.json")), "the trace is there")
        assert trace.name == "relayq-timeline-20260822-221407.json"
        await eventually(lambda: app.said.endswith(trace.name), "it is said where")
        assert {e["ph"] for e in json.loads(trace.read_text())["traceEvents"]} == {"M", "X"}
        await pilot.press("x", "down", "enter")
        [picture] = await eventually(lambda: list(tmp_path.glob("*.svg")), "the picture is there")
        assert picture.read_text().startswith("<svg")


async def test_the_footer_shows_the_timelines_own_keys() -> None:
    async with running() as (app, pilot):
        await to_timeline(pilot)
        assert grid(app)[-1].count("enter") == 1
        assert "zoom in" in grid(app)[-1]


async def test_a_young_fleet_fills_the_time_that_is_shown() -> None:
    feed = DemoFeed()
    since_ms = feed.now_ms() - 20 * 60_000
    for job in [row for row in feed.home.jobs.values() if row.submitted_ms < since_ms]:
        del feed.home.jobs[job.id]
    async with running(feed=feed, screen="timeline") as (app, pilot):
        assert shows(app, "range 22m30s")
        await pilot.press("-")
        await settled(pilot)
        assert shows(app, "range 45m")
