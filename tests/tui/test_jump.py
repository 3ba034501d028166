"""Letters over whatever can be reached, and where they lead."""

from __future__ import annotations

import pytest

from relayq_tui.screens.jobs import JobsScreen
from relayq_tui.screens.jump import Jump, Target
from tests.tui.app_support import PHONE, WIDE, running, settled


def letter_of(screen: Jump, wanted: str) -> str:
    """The letter of the target whose action is this, or whose widget has this id."""
    return next(letter for letter, one in screen.targets.items() if wanted in (one.action, one.widget.id))


@pytest.mark.parametrize("size", [WIDE, PHONE, (40, 15)], ids=lambda size: "{}x{}".format(*size))
async def test_the_letters_stand_on_targets_that_are_seen(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        await pilot.press("semicolon")
        await settled(pilot)
        assert isinstance(app.screen, Jump)
        places = [target.at for target in app.screen.targets.values()]
        assert len(set(places)) > 5
        assert all(0 <= x < size[0] and 0 <= y < size[1] for x, y in places)
        kinds: list[Target] = list(app.screen.targets.values())
        assert any(one.widget.id == "jobs" for one in kinds)


async def test_a_letter_does_what_a_click_there_does() -> None:
    async with running() as (app, pilot):
        await pilot.press("semicolon")
        await settled(pilot)
        assert isinstance(app.screen, Jump)
        await pilot.press(letter_of(app.screen, "app.screen('budget')"))
        await settled(pilot)
        assert app.screen.label == "Budget"


async def test_a_letter_on_a_pane_gives_it_the_keys() -> None:
    async with running() as (app, pilot):
        app.screen.query_one("#jobs").blur()
        await pilot.press("semicolon")
        await settled(pilot)
        assert isinstance(app.screen, Jump)
        await pilot.press(letter_of(app.screen, "jobs"))
        await settled(pilot)
        assert app.focused is not None
        assert app.focused.id == "jobs"


async def test_any_other_key_leaves_everything_as_it_was() -> None:
    async with running() as (app, pilot):
        await pilot.press("semicolon")
        await settled(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(app.screen, JobsScreen)
