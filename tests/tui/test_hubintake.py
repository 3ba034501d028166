"""How the hub's jobs are taken in while things happen to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.model.job import JobSpec
from relayq.store import pace
from relayq_tui import hubintake
from relayq_tui.feed import Update
from relayq_tui.hubintake import Intake
from relayq_tui.store import Store

JOBS = 8


@pytest.fixture
async def client(
    hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncClient]:
    """A hub with some jobs, which are taken in two at a time."""
    monkeypatch.setattr(hubintake, "AT_ONCE", 2)
    async with AsyncClient(hub_url, fleet=fleet, tell=lambda _: None) as opened:
        await opened.submit_many([JobSpec(command="true", name=f"n{number}") for number in range(JOBS)])
        yield opened


class Taking:
    """An intake into a store; `then` is done once, when the first jobs have been posted."""

    def __init__(self, client: AsyncClient, then: Callable[[], object] = lambda: None) -> None:
        self.store = Store(lambda: 0)
        self.then: Callable[[], object] | None = then
        self.intake = Intake(client.bulk, self.store.jobs, self._post, now_ms=lambda: 0, note=lambda _: None)

    def _post(self, update: Update) -> None:
        self.store.apply(update)
        if (then := self.then) is not None:
            self.then = None
            then()

    def names(self) -> set[str]:
        """What the jobs in the store are called."""
        return {row.name for row in self.store.newest}


async def test_a_job_that_is_forgotten_while_it_is_taken_in_does_not_come_back(client: AsyncClient) -> None:
    doomed = [record.id for record in await client.jobs.list_jobs()]
    taking = Taking(client, lambda: taking.intake.gone(doomed[:1] + doomed[-1:]))
    await taking.intake.read_rest()
    assert len(taking.names()) == JOBS - 2
    assert not {doomed[0], doomed[-1]} & set(taking.store.jobs)


async def test_what_the_hub_said_later_is_not_covered_by_what_it_said_before(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "TURNS", 3_000)  # time enough for an answer in between
    jobs = [record.id for record in await client.jobs.list_jobs()]
    taking = Taking(client)
    await taking.intake.read_rest()
    for job in jobs:
        await client.jobs.reprioritise(job, 5)

    async def raise_again() -> None:
        for job in jobs:
            await client.jobs.reprioritise(job, 9)
        await taking.intake.fetch(jobs)

    async with asyncio.TaskGroup() as group:
        taking.then = lambda: group.create_task(raise_again())
        await taking.intake.read_rest()
    assert {row.priority for row in taking.store.newest} == {9}
