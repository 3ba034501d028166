"""The workers' list and a worker's own screen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.pilot import Pilot

from relayq_tui.demo import DemoFeed
from relayq_tui.feed import WorkersChanged
from relayq_tui.glyphs import UNICODE
from relayq_tui.rows import WorkerRow
from relayq_tui.screens.portrait import bars, slot_marks, stance
from relayq_tui.screens.worker import WorkerScreen
from relayq_tui.screens.workers import WorkersScreen
from relayq_tui.theme import PALETTES
from tests.support import eventually
from tests.tui.app_support import PHONE, WIDE, grid, running, settled, shows

SIZES = ((40, 15), (60, 25), (80, 24), (120, 40), (250, 80))
DARK = PALETTES["dark"]


async def to_workers(pilot: Pilot[None], name: str = "pi4-attic") -> WorkersScreen:
    """The list, with the cursor on this worker."""
    await pilot.press("2")
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, WorkersScreen)
    screen.table.move_to_id(name)
    await settled(pilot)
    return screen


@pytest.mark.parametrize("size", SIZES)
async def test_every_size_shows_each_worker_by_name(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        screen = await to_workers(pilot)
        names = {row.name for row in screen.table.rows}
        seen = {name for name in names if shows(app, name)}
        assert seen == names or size == (40, 15)
        assert "pi4-attic" in seen


async def test_a_row_tells_state_slots_cpu_memory_heat_disk_and_what_it_does() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        [row] = [line for line in grid(app) if "pi4-attic" in line and "3.2G of 8.0G" in line]
        for part in ("● busy", "▣□□□ 1/4", "90%", "62°C", "61%", "ffmpeg", "✓19 ✗2", "2s"):
            assert part in row


async def test_the_cursor_stays_on_a_worker_that_falls_from_the_top() -> None:
    async with running() as (app, pilot):
        screen = await to_workers(pilot, "ai-cloud")
        assert screen.table.cursor == 0
        rows = [replace(row, online=row.online and row.name != "ai-cloud") for row in screen.table.rows]
        app.post_update(WorkersChanged(rows))
        await eventually(lambda: screen.table.rows[0].name != "ai-cloud", "it stands below")
        assert screen.table.current.name == "ai-cloud"


async def test_who_is_away_stands_below_and_says_since_when() -> None:
    async with running() as (app, pilot):
        screen = await to_workers(pilot)
        assert screen.table.rows[-1].name == "iphone-ssh"
        assert any("offline" in line and "since 18:41" in line for line in grid(app))


async def test_the_picture_follows_the_cursor() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        assert shows(app, "labels media,arm64,pi")
        await pilot.press("k")
        await settled(pilot)
        assert not shows(app, "labels media,arm64,pi")


async def test_on_a_phone_the_picture_stands_below_the_list() -> None:
    async with running(PHONE) as (app, pilot):
        await to_workers(pilot)
        assert shows(app, "not throttled")
        assert shows(app, "[ Pause ]")


async def test_pause_and_again_is_quiet_and_resume() -> None:
    async with running() as (app, pilot):
        screen = await to_workers(pilot)
        await pilot.press("P")
        await eventually(lambda: app.store.workers["pi4-attic"].command == "quiet", "it is quiet")
        await settled(pilot)
        assert any("pi4-attic" in line and "paused" in line for line in grid(app))
        assert screen.worker() is not None
        await pilot.press("P")
        await eventually(lambda: app.store.workers["pi4-attic"].command == "", "it takes jobs again")


async def test_stop_can_be_undone() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        await pilot.press("S")
        await settled(pilot)
        assert [order.verb for order in app.steering.waiting] == ["stop"]
        await pilot.press("u")
        assert app.steering.waiting == []
        assert app.store.workers["pi4-attic"].command == ""


async def test_who_is_offline_cannot_be_told_anything() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot, "iphone-ssh")
        await pilot.press("P")
        await settled(pilot)
        assert app.steering.waiting == []
        assert shows(app, "iphone-ssh is offline: it cannot be told anything")


async def test_labels_are_set_on_the_machine_and_the_screen_says_how() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        await pilot.press("T")
        await settled(pilot)
        assert shows(app, "relayq worker --name pi4-attic --labels media,arm64,pi")
        await pilot.press("escape")


async def test_enter_opens_the_worker_and_escape_comes_back() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(app.screen, WorkerScreen)
        assert shows(app, "WHAT HAPPENED")
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, WorkersScreen)


async def test_the_log_of_what_it_runs_is_one_key_away() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        await pilot.press("l")
        await settled(pilot)
        assert shows(app, "7RDKW9 ffmpeg")
        assert shows(app, "── log 7RDKW9 ──")


@pytest.mark.parametrize("size", SIZES)
async def test_a_workers_own_screen_lists_its_jobs_the_running_first(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        await to_workers(pilot)
        await pilot.press("enter")
        await settled(pilot)
        lines = [line for line in grid(app) if "7RDK" in line]
        assert "7RDKW9" in lines[0]
        assert "7RDKP8" in lines[1]


async def test_a_worker_that_was_forgotten_is_said_to_be() -> None:
    async with running() as (app, pilot):
        await to_workers(pilot)
        await pilot.press("enter")
        await settled(pilot)
        app.post_update(WorkersChanged([]))
        await settled(pilot)
        assert shows(app, "the hub has forgotten this worker")


async def test_no_worker_at_all_says_how_to_start_one() -> None:
    feed = DemoFeed()
    feed.home.workers.clear()
    async with running(WIDE, feed) as (app, pilot):
        await pilot.press("2")
        await settled(pilot)
        assert shows(app, "no worker is known yet; start one with relayq worker")


async def test_a_worker_tells_how_its_jobs_are_isolated() -> None:
    feed = DemoFeed()
    pi = feed.home.workers["pi4-attic"]
    facts = {**pi.facts, "isolation": "owner; strict for others", "kill_level": "PID namespace"}
    feed.home.workers[pi.name] = replace(pi, facts=facts)
    async with running(WIDE, feed) as (app, pilot):
        await to_workers(pilot)
        assert shows(app, "isolation owner; strict for others")
        assert shows(app, "kills by PID namespace")


async def test_a_hostile_worker_is_literal_text() -> None:
    feed = DemoFeed()
    bad = replace(
        feed.home.workers["pi4-attic"],
        name="[@click=app.leave]x[/]",
        facts={"model": "[red]", "cpus": "∞", "isolation": "\x1b]0;gotcha\x07"},
        offer={"labels": ["\x1b]0;gotcha\x07"], "cpus_milli": 1000},
    )
    feed.home.workers = {bad.name: bad}
    async with running(WIDE, feed) as (app, pilot):
        await pilot.press("2")
        await settled(pilot)
        assert shows(app, "[@click=app.leave]x")
        assert shows(app, "[red]")
        assert shows(app, "labels ␛]0;gotcha␇")


def test_states_of_workers_have_a_glyph_and_a_word() -> None:
    def of(**fields: object) -> str:
        glyph, word, _ = stance(WorkerRow(name="w", **fields), UNICODE, DARK)  # type: ignore[arg-type]  # fields
        return f"{glyph} {word}"

    assert of() == "● ready"
    assert of(running={"A": 1}) == "● busy"
    assert of(command="quiet") == "‖ paused"
    assert of(command="stop") == "◐ leaving"
    assert of(facts={"takes_nothing": "on battery"}) == "‖ closed"
    assert of(silent_ms=45_000, running={"A": 1}, command="quiet") == "◐ silent"
    assert of(online=False, command="stop") == "○ offline"


def test_many_slots_are_a_number() -> None:
    assert slot_marks(WorkerRow(name="w", offer={"cpus_milli": 64_000}), UNICODE) == "0/64"
    assert slot_marks(WorkerRow(name="w"), UNICODE) == "0/0"


def test_bars_stand_on_a_fixed_scale() -> None:
    assert bars([0.0, 0.5, 1.0, 7.0, -1.0], 6, UNICODE) == " ▁▅██▁"
    assert bars([], 3, UNICODE) == "   "
