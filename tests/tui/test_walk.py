"""Every action of every screen can be reached with the keyboard alone and with the mouse alone."""

from __future__ import annotations

import pytest
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widget import Widget

from relayq_tui.actions import ACTIONS, Action
from relayq_tui.app import RelayQApp
from relayq_tui.screens import SCREENS, screen_class, sheet
from relayq_tui.screens.base import HubScreen
from tests.tui.app_support import PHONE, WIDE, grid, running, settled

# How each screen is reached from the first one.
WAYS: dict[str, tuple[str, ...]] = {
    "jobs": (),
    "job": ("enter",),
    "workers": ("2",),
    "worker": ("2", "enter"),
    "timeline": ("3",),
    "schedules": ("4",),
    "budget": ("5",),
    "events": ("6",),
    "submit": ("o",),
    "help": ("question_mark",),
}
SCREENS_WITH_A_FRAME = [name for name in SCREENS if issubclass(screen_class(name), HubScreen)]


def keys_of(widget: Widget | None, app: RelayQApp) -> set[str]:
    """The keys that are listened to when this widget has the focus."""
    found: set[str] = set()
    node = widget
    while node is not None:
        found |= set(node._bindings.key_to_bindings)
        node = node.parent if isinstance(node.parent, Widget) else None
    return found | set(app._bindings.key_to_bindings)


def key_name(key: str) -> str:
    """A key as Textual names it."""
    return _character_to_key(key) if len(key) == 1 else key


def of_screen(app: RelayQApp) -> list[Action]:
    """What is offered here."""
    assert isinstance(app.screen, HubScreen)
    return app.screen.actions()


async def arrive(app: RelayQApp, pilot: Pilot[None], name: str) -> None:
    """Go there."""
    for key in WAYS[name]:
        await pilot.press(key)
        await settled(pilot)
    assert isinstance(app.screen, screen_class(name))


def test_every_screen_with_a_frame_is_walked() -> None:
    assert sorted(SCREENS_WITH_A_FRAME) == sorted(WAYS)


@pytest.mark.parametrize("name", WAYS)
async def test_every_action_has_a_key_that_is_listened_to(name: str) -> None:
    async with running(WIDE) as (app, pilot):
        await arrive(app, pilot, name)
        stops = [app.focused, *app.screen.focus_chain]
        heard = set().union(*(keys_of(stop, app) for stop in (*stops, app.screen) if stop is not None))
        assert [action.id for action in of_screen(app) if key_name(action.key) not in heard] == []


@pytest.mark.parametrize("size", [WIDE, PHONE, (40, 15)], ids=lambda size: "{}x{}".format(*size))
@pytest.mark.parametrize("name", WAYS)
async def test_every_action_can_be_clicked(name: str, size: tuple[int, int]) -> None:
    """Some stand in the footer or in the header, and all the others in the sheet, which can be clicked."""
    async with running(size) as (app, pilot):
        await arrive(app, pilot, name)
        wanted = [action for action in of_screen(app) if action.id not in sheet.USELESS_HERE]
        clickable = clicks(app)
        hidden = [action.id for action in wanted if action.handler_on_screen not in clickable]
        if hidden:
            assert "app.push('sheet')" in clickable
            await pilot.click(offset=clickable["app.push('sheet')"])
            await settled(pilot)
            listed = {option.id for option in app.screen.options.options}
            assert [name for name in hidden if name not in listed] == []


def clicks(app: RelayQApp) -> dict[str, tuple[int, int]]:
    """What can be clicked on the screen, and where."""
    found: dict[str, tuple[int, int]] = {}
    for y in range(len(grid(app))):
        for x in range(app.size.width):
            action = app.screen.get_style_at(x, y).meta.get("@click")
            if action:
                found.setdefault(str(action), (x, y))
    return found


async def test_a_click_in_the_footer_does_what_its_key_does() -> None:
    async with running() as (app, pilot):
        await pilot.click(offset=clicks(app)["screen.open"])
        await settled(pilot)
        assert app.screen.label == "Job"


async def test_a_click_in_the_sheet_does_what_its_key_does() -> None:
    async with running(PHONE) as (app, pilot):
        await pilot.click(offset=clicks(app)["app.push('sheet')"])
        await settled(pilot)
        y = next(y for y, line in enumerate(grid(app)) if "mark all matching" in line)
        await pilot.click(offset=(20, y))
        await settled(pilot)
        assert len(app.screen.table.marks) == len(app.screen.table.rows)


def test_every_action_belongs_to_a_screen_that_is_walked() -> None:
    shown = {"anywhere", "list"}.union(*(screen_class(name).contexts for name in WAYS))
    assert {action.context for action in ACTIONS} - shown == set()
