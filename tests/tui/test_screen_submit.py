"""The form of a new job on the screen."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from relayq_tui.demo import DemoFeed
from relayq_tui.feed import Connection
from tests.support import eventually
from tests.tui.app_support import PHONE, WIDE, grid, running, settled, shows


async def write(pilot: Pilot[None], field: str, text: str) -> None:
    """Put a text into a line."""
    pilot.app.screen.query_one(f"#{field}", Input).value = text
    await settled(pilot)


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_a_job_is_typed_and_submitted(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        await pilot.press("o", *"make", "enter")
        await eventually(lambda: app.store.newest[0].command == "make", "the job is there")
        await eventually(lambda: shows(app, "submitted"), "it is said")
        assert app.screen.label == "Jobs"


async def test_what_is_wrong_stands_under_its_field_and_nothing_is_sent() -> None:
    async with running() as (app, pilot):
        before = len(app.store.jobs)
        await pilot.press("o", *"make")
        await write(pilot, "attempts", "99")
        assert shows(app, "99 is too large: at most 10")
        await pilot.press("enter")
        await settled(pilot)
        assert (len(app.store.jobs), getattr(app.focused, "id", "")) == (before, "attempts")


async def test_the_command_line_that_does_the_same_follows_every_key() -> None:
    async with running() as (app, pilot):
        await pilot.press("o", *"make")
        await write(pilot, "needs", "gpu=1")
        assert shows(app, "relayq submit --needs gpu=1 -- make")
        assert shows(app, "could run on mac-mini")


async def test_needs_that_nobody_meets_are_told_before_it_is_sent() -> None:
    async with running() as (app, pilot):
        await pilot.press("o", *"make")
        await write(pilot, "needs", "no-such-label")
        assert shows(app, "none could run it")


async def test_the_form_can_be_walked_and_left_with_the_keyboard() -> None:
    async with running() as (app, pilot):
        await pilot.press("o", "tab", "down", "shift+tab", "up")
        assert getattr(app.focused, "id", "") == "command"
        await pilot.press("up", "y")
        await settled(pilot)
        assert shows(app, "copied the command line")
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen.label == "Jobs"


async def test_a_job_is_edited_from_what_it_was() -> None:
    async with running() as (app, pilot):
        await pilot.press("j", "j", "E")
        await eventually(lambda: shows(app, "relayq clone"), "the form is open")
        assert app.screen.query_one("#command", Input).value == "restic backup /home --tag nightly"
        await write(pilot, "priority", "42")
        await pilot.press("enter")
        await eventually(lambda: app.store.newest[0].priority == 42, "the job is there, changed")


async def test_nothing_is_sent_while_the_hub_is_away() -> None:
    async with running() as (app, pilot):
        await pilot.press("o", *"make")
        app.post_update(Connection(state="lost", message="gone"))
        before = len(app.store.jobs)
        await pilot.press("enter")
        await settled(pilot)
        assert len(app.store.jobs) == before
        assert any("nothing is changed" in line for line in grid(app))


async def test_a_hostile_name_in_an_edited_job_is_only_text() -> None:
    feed = DemoFeed()
    row = next(iter(feed.home.jobs.values()))
    row.name = "[@click=app.quit]x[/] \\[b]"
    async with running(feed=feed) as (app, pilot):
        app.action_push("submit", {"command": "true", "name": row.name}, row.id)
        await settled(pilot)
        assert app.screen.query_one("#name", Input).value == row.name


async def test_what_the_form_has_no_words_for_is_told_to_stay_as_it_was() -> None:
    async with running() as (app, pilot):
        app.action_push("submit", {"command": "true", "array": ["a.png", "b.png"]}, "T50YG4H0GZ7RDKM4")
        await settled(pilot)
        app.screen.query_one("#array", Input).focus()
        await settled(pilot)
        assert shows(app, "stays as it was")
        await write(pilot, "array", "3")
        assert not shows(app, "stays as it was")
