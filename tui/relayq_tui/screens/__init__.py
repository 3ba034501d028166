"""The screens, one file each, imported when they are first shown."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from relayq_tui.screens.base import HubScreen

# name -> module:class. The first six have the number keys 1 to 6 and a tab in the header.
SCREENS: dict[str, str] = {
    "jobs": "relayq_tui.screens.jobs:JobsScreen",
    "workers": "relayq_tui.screens.workers:WorkersScreen",
    "schedules": "relayq_tui.screens.schedules:SchedulesScreen",
    "budget": "relayq_tui.screens.budget:BudgetScreen",
    "timeline": "relayq_tui.screens.timeline:TimelineScreen",
    "events": "relayq_tui.screens.events:EventsScreen",
    "job": "relayq_tui.screens.job:JobScreen",
    "submit": "relayq_tui.screens.submit:SubmitScreen",
    "help": "relayq_tui.screens.help:HelpScreen",
    "palette": "relayq_tui.screens.palette:Palette",
    "jump": "relayq_tui.screens.jump:Jump",
    "sheet": "relayq_tui.screens.sheet:Sheet",
    "worker": "relayq_tui.screens.worker:WorkerScreen",
}
TABS = ("jobs", "workers", "timeline", "schedules", "budget", "events")


def screen_class(name: str) -> type[HubScreen]:
    """The class of the screen with this name."""
    module, _, cls = SCREENS[name].partition(":")
    found: type[HubScreen] = getattr(import_module(module), cls)
    return found


def tabs() -> list[tuple[int, str]]:
    """(number key, name) of the screens that have a tab."""
    return [(number, name) for number, name in enumerate(TABS, 1) if name in SCREENS]
