"""A screen that is closed while something for it is still on its way takes nothing down with it."""

from __future__ import annotations

import asyncio

import pytest

from relayq.store.records import End, LogEntry
from relayq_tui.demo import DemoFeed
from relayq_tui.feed import JobDetail, WorkersChanged
from relayq_tui.screens.submit import SubmitScreen
from relayq_tui.widgets.logview import LogView
from tests.support import eventually
from tests.tui.app_support import running, settled, shows


class LateFeed(DemoFeed):
    """A feed whose answers about one job come when they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def detail(self, job: str) -> JobDetail | None:
        """As ever, but late."""
        await self.go_on.wait()
        return await super().detail(job)

    async def log(self, job: str, from_id: str = "0", attempt: int | None = None) -> list[LogEntry | End]:
        """As ever, but late."""
        await self.go_on.wait()
        return await super().log(job, from_id, attempt)


@pytest.mark.parametrize("key", ["l", "d"])
async def test_an_answer_that_comes_while_its_screen_is_closed_is_nothing_to_leave_for(key: str) -> None:
    feed = LateFeed()
    async with running(feed=feed) as (app, pilot):
        feed.go_on.clear()
        await pilot.press(key)
        await eventually(lambda: app.screen.label == "Job", "the job's screen is open")
        await settled(pilot)
        screen = app.screen
        answered = asyncio.create_task(
            eventually(lambda: not screen.query(LogView) and feed.go_on.set() is None, every_s=0)
        )
        await pilot.press("escape")
        await answered
        await settled(pilot)
        assert app.screen.label == "Jobs"
        assert app.is_running


async def test_a_form_whose_fields_are_gone_still_says_how_it_stands() -> None:
    async with running() as (app, pilot):
        await pilot.press("o")
        await eventually(lambda: shows(app, "the same in a shell"), "the form")
        form = app.screen
        assert isinstance(form, SubmitScreen)
        await pilot.press(*"make")
        await form.query_one("#fields").remove()
        await form.query_one("Twin").remove()
        app.post_update(WorkersChanged(list(app.store.workers.values())))
        app.refresh_frame()
        await settled(pilot)
        assert form.note == "ready"
