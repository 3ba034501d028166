"""All that match, where the hub has more jobs than are held."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.config import load
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from relayq.query import parse
from relayq_tui import hubbeyond, hubintake, hubreader, store
from relayq_tui.hubfeed import HubFeed
from relayq_tui.screens.jobs import JobsScreen
from tests.support import eventually
from tests.tui.app_support import running, settled

HELD, ALL = 40, 120


@pytest.fixture
async def client(
    hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncClient]:
    """A hub with more jobs than the screens hold: every third is called odd, ten are cancelled."""
    for module in (store, hubintake):
        monkeypatch.setattr(module, "MAX_JOBS", HELD)
    monkeypatch.setattr(hubreader, "FIRST", HELD)
    monkeypatch.setattr(hubintake, "PORTION", 25)
    async with AsyncClient(hub_url, fleet=fleet, tell=lambda _: None) as opened:
        names = ["odd" if number % 3 == 0 else "even" for number in range(ALL)]
        jobs = await opened.submit_many([JobSpec(command="true", name=name) for name in names])
        for job in jobs[:10]:
            await opened.jobs.cancel(job.id)
        yield opened


async def test_marking_all_asks_the_hub_for_those_that_are_not_held(
    client: AsyncClient, hub_url: str, fleet: str
) -> None:
    feed = HubFeed(load({"hub.url": hub_url, "hub.fleet": fleet}))
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        screen = app.screen
        assert isinstance(screen, JobsScreen)
        await eventually(lambda: len(app.store.jobs) == HELD, "as many as are held")
        await eventually(lambda: app.store.total == ALL, "the hub's own count")
        screen._ask(parse("name:odd state:runnable"))
        await pilot.press("asterisk")
        await eventually(lambda: len(screen.table.marks) == 36, "every one that matches")
        await settled(pilot)
        assert len(screen.selected()) == 36
        await pilot.press("C")
        await eventually(lambda: "cancelled 36 jobs" in app.said, "what became of them")
    assert len(await client.jobs.list_jobs([State.CANCELLED], limit=ALL)) == 10 + 36


@pytest.mark.parametrize(("text", "held"), [("state:done", {"done"}), ("state:running", {"open"})])
def test_only_indices_that_can_hold_some_are_asked(text: str, held: set[str]) -> None:
    states = parse(text).plan.states
    assert {index for index in hubbeyond.INDICES if hubbeyond.may_hold(index, states)} == held
    assert not hubbeyond.may_hold("q:1", states)
    assert hubbeyond.may_hold("q:1", None)
