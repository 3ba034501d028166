"""The app as a whole, over the demo's home with its clock stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from relayq.client.steering import Order, Told
from relayq.errors import HubUnreachable
from relayq.model.lifecycle import State
from relayq_tui import theme
from relayq_tui.demo import DemoFeed
from relayq_tui.feed import Connection, Counts, JobsChanged
from relayq_tui.screens import tabs
from relayq_tui.screens.jobs import JobsScreen
from tests.support import eventually
from tests.tui.app_support import PHONE, WIDE, grid, running, settled, shows

SIZES = ((40, 15), (60, 25), (80, 24), (120, 40), (250, 80))


@pytest.mark.parametrize("size", SIZES)
async def test_every_line_is_as_wide_as_the_screen_and_no_wider(size: tuple[int, int]) -> None:
    async with running(size) as (app, _):
        strips = app.screen._compositor.render_strips()
        assert {strip.cell_length for strip in strips} == {size[0]}
        assert len(strips) == size[1]


@pytest.mark.parametrize("size", SIZES)
async def test_the_header_tells_whether_it_is_alive_and_what_has_failed(size: tuple[int, int]) -> None:
    async with running(size) as (app, _):
        head = "".join(grid(app)[:2])
        assert "38ms" in head
        assert "✗7" in head


async def test_the_latest_failure_is_flagged_without_a_key() -> None:
    async with running() as (app, _):
        assert shows(app, "⚑ nightly-backup failed on pi3-shed (exit 1)")


async def test_number_keys_go_to_the_screens_and_back() -> None:
    async with running() as (app, pilot):
        for number, name in [*tabs(), (1, "jobs")]:
            await pilot.press(str(number))
            await settled(pilot)
            assert f"▸{number} {name.capitalize()}" in grid(app)[0]


async def test_a_screen_that_was_left_goes_on_drawing_when_it_is_back() -> None:
    async with running() as (app, pilot):
        await pilot.press("2")
        await settled(pilot)
        await pilot.press("1")
        feed = app.feed
        assert isinstance(feed, DemoFeed)
        job = await feed.submit({"name": "brand-new", "command": "true"})
        await eventually(lambda: shows(app, "brand-new"), job)


async def test_a_lost_hub_shows_a_banner_and_leaves_everything_in_place() -> None:
    async with running() as (app, pilot):
        await pilot.press("down", "down", "space")
        before = app.screen.selected()  # type: ignore[attr-defined]  # the jobs screen
        app.post_update(Connection(state="lost", message="gone"))
        await settled(pilot)
        assert "reconnecting" in grid(app)[0]
        assert "data as of 22:14:07" in grid(app)[0]
        assert app.screen.selected() == before  # type: ignore[attr-defined]  # the jobs screen
        app.post_update(Connection(state="live", latency_ms=5))
        await settled(pilot)
        assert "live 5ms" in grid(app)[0]


async def test_nothing_is_changed_while_the_hub_is_away() -> None:
    async with running() as (app, pilot):
        app.post_update(Connection(state="lost", message="gone"))
        await settled(pilot)
        await pilot.press("C")
        await settled(pilot)
        assert app.steering.waiting == []
        assert shows(app, "the hub is away")


async def test_read_only_changes_nothing_whatever_key_is_pressed() -> None:
    feed = Recorder()
    async with running(feed=feed, read_only=True, grace_s=0.0) as (app, pilot):
        for key in ("R", "C", "H", "D", "X", "space", "C", "u"):
            await pilot.press(key)
            await settled(pilot)
        assert feed.orders == []
        assert shows(app, "read-only") or shows(app, "nothing to undo")


async def test_an_order_can_be_taken_back_before_it_is_carried_out() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=60.0) as (app, pilot):
        await pilot.press("C")
        await settled(pilot)
        assert shows(app, "u undo")
        assert feed.orders == []
        await pilot.press("u")
        await settled(pilot)
        assert app.steering.waiting == []
        assert shows(app, "undone")


async def test_ctrl_c_says_how_to_leave_and_leaves_nothing() -> None:
    async with running() as (app, pilot):
        await pilot.press("ctrl+c")
        await settled(pilot)
        assert shows(app, "q leaves")
        assert app.is_running


async def test_a_job_whose_retry_is_undone_is_left_as_it_ended() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=60.0) as (app, pilot):
        await pilot.press("slash", *"state:failed", "enter", "R")
        await eventually(lambda: shows(app, "u undo"), "it waits for its grace")
        assert shows(app, "queued 7RDKQ1 again")
        await pilot.press("u")
        await app.steering.flush()
        await settled(pilot)
        assert feed.orders == []
        assert next(row for row in app.store.newest if row.short_id == "7RDKQ1").state is State.FAILED


async def test_what_was_done_at_once_can_be_taken_back_by_its_contrary() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=60.0) as (app, pilot):
        await pilot.press("2", "P")
        await eventually(lambda: shows(app, "u undo"), "it has been done")
        await pilot.press("u")
        await eventually(lambda: len(feed.orders) == 2, "its contrary has been carried out")
        assert [order.verb for order in feed.orders] == ["quiet", "unquiet"]
        await settled(pilot)
        assert not shows(app, "u undo")


async def test_what_was_done_is_not_taken_back_while_the_hub_is_away() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=60.0) as (app, pilot):
        await pilot.press("2", "P")
        await eventually(lambda: shows(app, "u undo"), "it has been done")
        app.post_update(Connection(state="lost", message="gone"))
        await pilot.press("u")
        await settled(pilot)
        assert [order.verb for order in feed.orders] == ["quiet"]
        assert shows(app, "the hub is away")


async def test_a_job_that_was_duplicated_by_mistake_is_cancelled_again() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=60.0) as (app, pilot):
        await pilot.press("D")
        await eventually(lambda: shows(app, "u undo"), "it has been done")
        await pilot.press("u")
        await eventually(lambda: feed.orders[-1].verb == "cancel", "the new one is cancelled")
        assert feed.home.jobs[feed.orders[-1].ids[0]].name == "train-lora epochs=3"


async def test_the_chip_of_what_was_done_goes_when_its_time_is_over() -> None:
    async with running(grace_s=60.0, ticks=True) as (app, pilot):
        await pilot.press("2", "P")
        await eventually(lambda: shows(app, "u undo"), "it has been done")
        await app.steering.flush()
        await eventually(lambda: not shows(app, "u undo"), "it can no longer be undone")


async def test_what_waits_for_its_grace_is_carried_out_when_the_app_ends() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=60.0) as (_, pilot):
        await pilot.press("C")
        await settled(pilot)
    assert [order.verb for order in feed.orders] == ["cancel"]


async def test_an_order_that_fails_is_a_sentence_and_not_a_crash() -> None:
    feed = Recorder(fails=True)
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        await pilot.press("C")
        await settled(pilot)
        assert shows(app, "hub x cannot be reached")


async def test_paused_updates_wait_until_they_are_wanted() -> None:
    async with running() as (app, pilot):
        await pilot.press("p")
        feed = app.feed
        assert isinstance(feed, DemoFeed)
        await feed.submit({"name": "brand-new", "command": "true"})
        await settled(pilot)
        assert not shows(app, "brand-new")
        await pilot.press("p")
        await settled(pilot)
        assert shows(app, "brand-new")


async def test_ascii_means_not_one_other_character_of_ours() -> None:
    for size in (WIDE, PHONE):
        async with running(size, ascii=True) as (app, pilot):
            for number, _ in tabs():
                await pilot.press(str(number))
                await settled(pilot)
                assert [line for line in grid(app) if not line.isascii()] == []


@pytest.mark.parametrize("name", theme.NAMES)
async def test_every_theme_can_be_drawn(name: str) -> None:
    async with running(theme=name) as (app, _):
        assert shows(app, "RelayQ")


async def test_mono_has_no_colour_at_all() -> None:
    async with running(theme="mono") as (app, _):
        colours = {
            segment.style.color
            for strip in app.screen._compositor.render_strips()
            for filtered in app.get_line_filters()[-1:]
            for segment in filtered.apply(list(strip), app.screen.background_colors[0])
            if segment.style is not None and segment.style.color is not None
        }
        assert colours == set()


async def test_the_cache_shows_the_last_data_before_the_hub_answers(tmp_path: Path) -> None:
    path = tmp_path / "tui.json"
    async with running(cache=path) as (app, _):
        shown = len(app.store.jobs)
    silent = Silent()
    async with running(feed=silent, cache=path) as (app, _):
        assert 0 < len(app.store.jobs) <= shown
        assert shows(app, "7RDKX2")
        assert shows(app, "data as of")


async def test_the_bell_rings_once_when_a_watched_job_ends() -> None:
    feed = DemoFeed()
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        rings: list[int] = []
        app.bell = lambda: rings.append(1)  # type: ignore[method-assign]  # a spy
        await pilot.press("!", "C")
        await settled(pilot)
        assert rings == [1]
        app.post_update(JobsChanged(list(app.store.newest[:3])))
        await settled(pilot)
        assert rings == [1]


class Recorder(DemoFeed):
    """The demo, remembering what it was ordered to do."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.orders: list[Order] = []
        self._fails = fails

    async def act(self, order: Order) -> Told:
        self.orders.append(order)
        if self._fails:
            raise HubUnreachable("hub x cannot be reached: no route to host")
        return await super().act(order)

    async def submit(self, spec: Mapping[str, object], like: str = "") -> str:
        self.orders.append(Order(verb="submit", ids=(like,)))
        return await super().submit(spec, like)


class Silent(DemoFeed):
    """A hub that never answers."""

    async def run(self, post: object, jobs: object) -> None:
        await asyncio.Event().wait()


class Gate(Static):
    """A widget that takes its time to be there."""

    is_open = asyncio.Event()

    async def on_mount(self) -> None:
        """Wait until it may go on."""
        await self.is_open.wait()


class LateScreen(JobsScreen):
    """Jobs, with something between the frame and the list that is not there yet."""

    def body(self) -> ComposeResult:
        """The gate first."""
        with Vertical():
            yield Gate()
        yield from super().body()


async def test_news_that_come_while_a_screen_is_being_put_up_wait_for_it() -> None:
    Gate.is_open = asyncio.Event()
    async with running() as (app, pilot):
        arriving = app.push_screen(LateScreen())
        try:
            await eventually(lambda: isinstance(app.screen, LateScreen), "the screen is on top")
            app.post_update(Counts(by_state={State.RUNNING: 2}))
            app.say("what is said meanwhile")
            assert not app.screen.is_mounted
            grid(app)
        finally:
            Gate.is_open.set()
        await arriving
        await settled(pilot)
        assert shows(app, "2 running")
        assert shows(app, "what is said meanwhile")


async def test_escape_takes_back_what_was_done_and_never_leaves() -> None:
    async with running() as (app, pilot):
        jobs = app.screen
        assert isinstance(jobs, JobsScreen)
        await pilot.press("slash", *"train", "enter")
        await settled(pilot)
        await pilot.press("space")
        assert (jobs.query_text, len(jobs.table.marks)) == ("train", 1)
        await pilot.press("escape")
        assert (jobs.query_text, len(jobs.table.marks)) == ("train", 0)
        await pilot.press("escape")
        assert jobs.query_text == ""
        await pilot.press("escape")
        await settled(pilot)
        assert app.said == "q leaves"
        await pilot.press("q")
        assert app._exit


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_a_long_sentence_leaves_the_way_to_undo_on_the_screen(size: tuple[int, int]) -> None:
    async with running(size, grace_s=60.0) as (app, pilot):
        await pilot.press("C")
        app.say("submitted " + "a very long command " * 9)
        await settled(pilot)
        line = next(line for line in grid(app) if "u undo" in line)
        assert "submitted a very long" in line
        assert line.rstrip().endswith("s")


async def test_a_job_that_reached_its_timeout_is_said_to() -> None:
    async with running() as (app, pilot):
        failed = replace(app.store.newest[0], state=State.FAILED, reason="timeout", exit_code=143)
        app.post_update(JobsChanged([replace(failed, ended_ms=app.store.now_ms())]))
        await settled(pilot)
        assert shows(app, "(timeout)")
        assert not shows(app, "(exit 143)")
