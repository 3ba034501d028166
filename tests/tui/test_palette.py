"""Help, palette and action sheet: made from the table, so they say and do what it says."""

from __future__ import annotations

import pytest

from relayq_tui.actions import Action
from relayq_tui.app import RelayQApp
from relayq_tui.screens import over, sheet
from relayq_tui.screens.base import HubScreen
from relayq_tui.screens.palette import COMMANDS, MISS, rank
from tests.support import eventually
from tests.tui.app_support import PHONE, WIDE, grid, running, settled, shows


def offered(app: RelayQApp) -> list[Action]:
    """What can be done on the screen that is on top."""
    assert isinstance(app.screen, HubScreen)
    return app.screen.actions()


async def test_help_names_every_key_of_the_screen_it_was_asked_on() -> None:
    async with running((120, 80)) as (app, pilot):
        wanted = [action for action in offered(app) if action.id != "help"]
        await pilot.press("?")
        await settled(pilot)
        assert [action.id for action in wanted if not shows(app, action.label)] == []
        assert not shows(app, "zoom in")


async def test_help_can_be_read_to_its_end_with_the_keyboard_on_a_phone() -> None:
    async with running(PHONE) as (app, pilot):
        await pilot.press("?", "G")
        await settled(pilot)
        assert shows(app, "sort:-dur")
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen.label == "Jobs"


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_an_action_is_found_by_a_few_letters_and_done(size: tuple[int, int]) -> None:
    async with running(size, grace_s=0.0) as (app, pilot):
        job = app.screen.table.rows[2].id
        await pilot.press("j", "j", ":", *"retr", "enter")
        await eventually(lambda: app.store.jobs[job].state.value == "RUNNABLE", "it is queued again")


async def test_the_palette_tells_the_key_and_the_command_line_of_an_action() -> None:
    async with running() as (app, pilot):
        await pilot.press("ctrl+p", *"retr")
        await settled(pilot)
        [line] = [line for line in grid(app) if "relayq retry ID..." in line]
        assert "R " in line


@pytest.mark.parametrize(
    ("typed", "seen"),
    [("worker pi4", "Raspberry Pi 4"), ("jobs state:cancelled", "[all 1]"), ("workers", "LAST 24H")],
)
async def test_a_command_takes_a_word(typed: str, seen: str) -> None:
    async with running() as (app, pilot):
        await pilot.press(":")
        for letter in typed:
            await pilot.press({" ": "space", ":": "colon"}.get(letter, letter))
        await pilot.press("enter")
        await eventually(lambda: shows(app, seen), f"{typed} has been done")


async def test_tab_completes_a_command_and_then_its_word() -> None:
    async with running() as (app, pilot):
        await pilot.press(":", *"queue", "tab")
        await settled(pilot)
        assert shows(app, "queue.pause gpu")
        await pilot.press(*"med", "enter")
        await eventually(lambda: shows(app, "paused media"), "the order is given")


async def test_a_query_that_makes_no_sense_is_said_to_make_none() -> None:
    async with running() as (app, pilot):
        app.action_screen("jobs")
        await app.run_action("screen.ask('state:nowhere')")
        await settled(pilot)
        assert shows(app, "nowhere")


def test_the_best_match_comes_first() -> None:
    assert [rank("re", label) for label in ("retry", "mark re", "score", "river eel", "zoom")] == [
        0,
        1,
        2,
        3,
        MISS,
    ]


def test_no_command_of_the_palette_lacks_a_twin() -> None:
    assert [command.word for command in COMMANDS if not command.about.startswith("relayq ")] == []


@pytest.mark.parametrize("size", [WIDE, PHONE, (40, 15)])
async def test_the_sheet_offers_everything_and_does_it(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        wanted = {action.id for action in offered(app)} - set(sheet.USELESS_HERE)
        await pilot.press("a")
        await settled(pilot)
        assert {str(one.id) for one in app.screen.options.options} == wanted
        await pilot.press("end", "enter")
        await settled(pilot)
        assert isinstance(app.screen, HubScreen)


async def test_the_sheet_says_what_it_is_for() -> None:
    async with running() as (app, pilot):
        await pilot.press("j", "space", "space", "a")
        await settled(pilot)
        assert shows(app, "2 jobs")


async def test_the_command_line_of_any_action_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    monkeypatch.setattr(sheet, "copy", lambda _, text: copied.append(text))
    async with running() as (app, pilot):
        row = app.screen.table.rows[1]
        await pilot.press("j", "a", *["down"] * 6)
        await settled(pilot)
        index = app.screen.options.highlighted
        chosen = app.screen.options.get_option_at_index(index).id
        await pilot.press("y")
        await settled(pilot)
        [action] = [one for one in offered(app) if one.id == chosen]
        assert copied == [over.filled(action, app.screen)]
        assert row.id in copied[0]


async def test_what_fits_nothing_is_told() -> None:
    async with running() as (app, pilot):
        await pilot.press("colon", *"nosuch")
        await settled(pilot)
        assert shows(app, "nothing fits what is typed")
        await pilot.press("enter", "escape")
        await settled(pilot)
        assert app.screen.label == "Jobs"
