"""Keys that come in a burst, as from a quick hand or over a slow line, each do what they would do alone."""

from __future__ import annotations

import pytest
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from relayq_tui.app import RelayQApp
from relayq_tui.screens.ask import Ask
from tests.support import eventually
from tests.tui.app_support import running, settled


def burst(app: RelayQApp, keys: str) -> None:
    """Everything at once, before the first of them has been looked at."""
    for letter in keys:
        name = {"\r": "enter", "\x1b": "escape"}.get(letter) or _character_to_key(letter)
        app.post_message(events.Key(name, letter))


async def through(app: RelayQApp, pilot: Pilot[None]) -> None:
    """Every key has been looked at."""
    await pilot.pause()
    await eventually(lambda: not app.has_keys_waiting, "every key has had its turn")
    await settled(pilot)


async def test_what_is_typed_right_behind_the_filters_key_stands_in_the_filter() -> None:
    async with running() as (app, pilot):
        row = app.screen.table.current
        burst(app, "/KCRX batch")
        await through(app, pilot)
        assert app.screen.query_one("QueryInput").value == "KCRX batch"
        assert (app.steering.waiting, app.store.jobs[row.id].state) == ([], row.state)


async def test_a_whole_command_in_a_burst_is_that_command() -> None:
    async with running() as (app, pilot):
        burst(app, ":jobs state:failed\r")
        await through(app, pilot)
        assert app.screen.query_text == "state:failed"


async def test_an_answer_right_behind_the_question_is_the_answer() -> None:
    async with running() as (app, pilot):
        burst(app, "/state:pending\rP7\r")
        await through(app, pilot)
        assert [(one.verb, one.value) for one in app.steering.waiting] == [("reprioritise", "7")]


@pytest.mark.parametrize("keys", ["l\x1bl\x1bl\x1b", "2\r\x1b1?\x1ba\x1b:\x1b", "jjjjkkkk", "lnN/x\r\x1b"])
async def test_a_burst_through_screens_comes_through(keys: str) -> None:
    async with running() as (app, pilot):
        burst(app, keys * 3)
        await through(app, pilot)
        assert app.is_running
        assert not isinstance(app.screen, Ask)


@pytest.mark.parametrize("open_it", ["a", ":", ";", "/state:pending\rP", "y", "x"])
async def test_the_key_that_quits_quits_over_a_question_too(open_it: str) -> None:
    async with running() as (app, pilot):
        burst(app, open_it)
        await through(app, pilot)
        await pilot.press("ctrl+q")
        await eventually(lambda: not app.is_running, "it has left")


@pytest.mark.parametrize(("key", "letter", "there"), [("alt+2", "2", "Workers"), ("alt+?", "?", "Help")])
async def test_escape_with_a_key_right_behind_it_is_escape_and_that_key(
    key: str, letter: str, there: str
) -> None:
    """A terminal sends the same for both, and on a slow line nothing tells them apart."""
    async with running() as (app, pilot):
        burst(app, "/gpu")
        await through(app, pilot)
        app.post_message(events.Key(key, letter))
        await through(app, pilot)
        assert app.screen.label == there
        burst(app, "1")
        await through(app, pilot)
        assert app.screen.query_text == ""
