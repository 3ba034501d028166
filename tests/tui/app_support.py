"""The whole app over the demo's home, and what stands on its screen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from relayq_tui.app import Options, RelayQApp
from relayq_tui.demo import DemoFeed
from relayq_tui.feed import Feed
from tests.support import eventually

WIDE, PHONE = (120, 40), (60, 25)


@asynccontextmanager
async def running(
    size: tuple[int, int] = WIDE, feed: Feed | None = None, **options: Any
) -> AsyncIterator[tuple[RelayQApp, Pilot[None]]]:
    """The app with its first data drawn; the clock stands still unless `ticks` is asked for."""
    app = RelayQApp(feed or DemoFeed(), Options(**{"ticks": False, **options}))
    async with app.run_test(size=size) as pilot:
        await eventually(lambda: app.store.jobs, "there are jobs to show")
        await settled(pilot)
        yield app, pilot


async def settled(pilot: Pilot[None]) -> None:
    """Everything that is under way has been drawn."""
    app = pilot.app
    assert isinstance(app, RelayQApp)
    for _ in range(3):
        await pilot.pause()
    await eventually(lambda: app.screen.is_mounted, "the screen is there")
    await pilot.pause()
    await eventually(lambda: not app.is_behind, "everything is drawn")
    await pilot.pause()


def grid(app: RelayQApp) -> list[str]:
    """The screen as text, line by line."""
    return ["".join(segment.text for segment in strip).rstrip() for strip in _strips(app)]


def _strips(app: RelayQApp) -> Any:
    return app.screen._compositor.render_strips()


def shows(app: RelayQApp, text: str) -> bool:
    """Does the text stand on the screen?"""
    return any(text in line for line in grid(app))
