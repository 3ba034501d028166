"""The feed of a real hub: snapshot, events, orders, and a hub that goes and comes back."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from relayq import hub
from relayq.client import schedules
from relayq.client.aio import AsyncClient
from relayq.client.steering import Order
from relayq.config import load
from relayq.errors import HubUnreachable, SpecError
from relayq.hub.place import place_of, read_record
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from relayq.model.schedule import Rule, Schedule
from relayq.store.records import Registration, Report, SyncRequest
from relayq.store.workers import Workers
from relayq_tui import hubintake, hubreader
from relayq_tui.feed import JobsChanged, Snapshot, Update
from relayq_tui.hubfeed import HubFeed
from relayq_tui.rows import ScheduleRow
from relayq_tui.store import Store
from tests.support import PrivateServer, eventually


class Watched:
    """A feed that fills a store, and everything it has posted."""

    def __init__(self, url: str, fleet: str) -> None:
        self.feed = HubFeed(load({"hub.fleet": fleet} | ({"hub.url": url} if url else {})))
        self.store = Store(self.feed.now_ms)
        self.updates: list[Update] = []

    def post(self, update: Update) -> None:
        """Keep it and apply it."""
        self.updates.append(update)
        self.store.apply(update)

    def states(self) -> dict[str, State]:
        """The jobs by name."""
        return {row.name: row.state for row in self.store.newest}


@asynccontextmanager
async def watched(url: str, fleet: str) -> AsyncIterator[Watched]:
    """The feed, running."""
    made = Watched(url, fleet)
    task = asyncio.create_task(made.feed.run(made.post, made.store.jobs))
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await made.feed.close()


@pytest.fixture
async def client(hub_url: str, fleet: str, home: Path) -> AsyncIterator[AsyncClient]:
    """A client of the private server."""
    async with AsyncClient(hub_url, fleet=fleet, tell=lambda _: None) as opened:
        yield opened


async def run_one(client: AsyncClient, *, ok: bool = True) -> str:
    """Claim a job as a worker would and report its end; its id."""
    workers: Workers = client.workers
    offer: dict[str, Any] = {"labels": [], "host": "h", "cpus_milli": 8000, "memory_bytes": 1 << 33}
    who = Registration(name="bench", session="bench#1", instance="i", offer=offer, facts={}, held={})
    await workers.register(who)
    _, lanes = await workers.lanes()
    free = {"c": 8000, "m": 8192}
    wanted = SyncRequest(full=True, free=free, lanes=[(lane, {"c": 1000}) for lane in lanes], want=1)
    claim = (await workers.sync("bench#1", wanted)).claims[0]
    report = Report(
        job=claim.job, attempt=claim.attempt, outcome="ok" if ok else "failed", exit_code=int(not ok),
        reason="" if ok else "exit", run_ms=5,
    )  # fmt: skip
    await workers.sync("bench#1", SyncRequest(done=[report], free=free))
    return claim.job


async def test_jobs_that_are_there_are_shown_with_what_their_spec_says(
    client: AsyncClient, hub_url: str, fleet: str
) -> None:
    await client.run(["echo", "a b"], name="shout", needs=["mac", "memory=1G"], labels={"k": "v"}, attempts=3)
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.newest, "the job")
        row = seen.store.newest[0]
        assert (row.name, row.command, row.needs) == ("shout", "echo a b", "mac,memory=1G")
        assert (row.labels, row.max_attempts, row.state) == ({"k": "v"}, 3, State.RUNNABLE)


async def test_a_job_that_starts_later_is_shown_with_its_time(
    client: AsyncClient, hub_url: str, fleet: str
) -> None:
    await client.run("true", name="later", delay="2h")
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.newest, "the job")
        row = seen.store.newest[0]
        assert (row.state, row.reason) == (State.PENDING, "delay")
        assert row.ready_ms - row.submitted_ms == 2 * 3_600_000


async def test_what_happens_comes_without_asking(client: AsyncClient, hub_url: str, fleet: str) -> None:
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.connection.state == "live", "the link")
        await client.run("true", name="one")
        await eventually(lambda: seen.states() == {"one": State.RUNNABLE}, "the submitted job")
        await run_one(client)
        await eventually(lambda: seen.states() == {"one": State.SUCCEEDED}, "its end")
        await eventually(lambda: seen.store.count(State.SUCCEEDED) == 1, "the counter")
        assert "bench" in seen.store.workers
        assert any(event.kind == "end" for event in seen.store.events)


async def test_older_jobs_follow_and_none_is_missing(
    client: AsyncClient, hub_url: str, fleet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubreader, "FIRST", 5)
    monkeypatch.setattr(hubintake, "PORTION", 30)
    from relayq.model.job import JobSpec

    jobs = await client.submit_many([JobSpec(command="true", name=f"n{n}") for n in range(300)])
    for number in (3, 77, 200):
        await client.jobs.cancel(jobs[number].id)
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: len(seen.store.newest) == 300, "every job")
        assert seen.states()["n77"] == State.CANCELLED


async def test_hostile_text_is_made_harmless_on_the_way(
    client: AsyncClient, hub_url: str, fleet: str
) -> None:
    await client.run("printf '\x1b]0;x\x07'", labels={"a": "\u202eb"})
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.newest, "the job")
        assert seen.store.newest[0].command == "printf '␛]0;x␇'"
        assert seen.store.newest[0].labels == {"a": "�b"}


async def test_orders_for_many_jobs_are_counted(client: AsyncClient, hub_url: str, fleet: str) -> None:
    jobs = [(await client.run("true", name=f"n{n}")).id for n in range(3)]
    await client.jobs.cancel(jobs[0])
    async with watched(hub_url, fleet) as seen:
        said = (await seen.feed.act(Order(verb="cancel", ids=tuple(jobs)))).sentence
        assert said == "cancelled 2 of 3: 1 has ended (cancelled)"
        said = (await seen.feed.act(Order(verb="retry", ids=tuple(jobs)))).sentence
        assert said == "queued 3 jobs again"
        said = (await seen.feed.act(Order(verb="reprioritise", ids=tuple(jobs), value="7"))).sentence
        assert said == "gave 3 jobs priority 7"
        assert [(await client.jobs.record(job)).priority for job in jobs] == [7, 7, 7]  # type: ignore[union-attr]  # they are there
        assert (await seen.feed.act(Order(verb="hold", ids=(jobs[0],)))).sentence == f"held {jobs[0][-6:]}"
        assert (
            await seen.feed.act(Order(verb="release", ids=(jobs[0],)))
        ).sentence == f"released {jobs[0][-6:]}"


async def test_forgotten_jobs_go_from_the_list(client: AsyncClient, hub_url: str, fleet: str) -> None:
    job = (await client.run("true", name="gone")).id
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.newest, "the job")
        said = (await seen.feed.act(Order(verb="forget", ids=(job,)))).sentence
        assert said == f"{job[-6:]} is left as it is: it has not ended"
        await client.jobs.cancel(job)
        assert (await seen.feed.act(Order(verb="forget", ids=(job,)))).sentence == f"deleted {job[-6:]}"
        await eventually(lambda: not seen.store.newest, "an empty list")
        assert await client.jobs.record(job) is None
        assert await seen.feed.detail(job) is None


async def test_moving_a_job_puts_another_in_its_place(client: AsyncClient, hub_url: str, fleet: str) -> None:
    job = (await client.run("true", name="here", secrets={"TOKEN": "s3cret"})).id
    async with watched(hub_url, fleet) as seen:
        assert (
            await seen.feed.act(Order(verb="move", ids=(job,), value="mac-mini"))
        ).sentence == f"moved {job[-6:]} to mac-mini"
        await eventually(lambda: len(seen.store.newest) == 2, "both")
        moved = next(row for row in seen.store.newest if row.id != job)
        assert moved.needs == "host=mac-mini"
        await eventually(lambda: seen.store.jobs[job].state == State.CANCELLED, "the old one is cancelled")


async def test_a_job_submitted_like_another_keeps_its_secrets(
    client: AsyncClient, hub_url: str, fleet: str
) -> None:
    from relayq.client.glance import glance

    job = (await client.run("true", name="old", secrets={"TOKEN": "s3cret"})).id
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.newest, "the job")
        detail = await seen.feed.detail(job)
        assert detail is not None
        assert detail.spec["secrets"] == {"TOKEN": "***"}
        fresh = await seen.feed.submit({**detail.spec, "name": "new"}, like=job)
        record = await client.jobs.record(fresh)
        spec = glance(record.envelope) if record else None
        assert spec is not None
        assert (spec.name, dict(spec.secrets)) == ("new", {"TOKEN": "s3cret"})


async def test_details_say_who_waits_and_why(client: AsyncClient, hub_url: str, fleet: str) -> None:
    first = (await client.run("true", name="first", needs=["nowhere"])).id
    second = (await client.run("true", name="second", after=[{"job": first}])).id
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: len(seen.store.newest) == 2, "both")
        detail = await seen.feed.detail(first)
        assert detail is not None
        assert detail.dependents == [second]
        assert any("no worker" in line for line in detail.explain)


async def test_a_hub_that_comes_back_is_shown_as_it_is_now(
    home: Path, fleet: str, own_server: PrivateServer
) -> None:
    url = own_server.url
    async with AsyncClient(url, fleet=fleet, tell=lambda _: None) as first:
        await first.run("true", name="before")
        doomed = (await first.run("true", name="doomed")).id
    async with watched(url, fleet) as seen:
        await eventually(lambda: len(seen.store.newest) == 2, "both jobs")
        snapshots = len(
            [update for update in seen.updates if isinstance(update, Snapshot) and update.is_whole]
        )
        own_server.kill()
        await eventually(lambda: seen.store.connection.state == "lost", "the banner", timeout_s=3)
        assert len(seen.store.newest) == 2
        own_server.start()
        async with AsyncClient(url, fleet=fleet, tell=lambda _: None) as again:
            await again.jobs.cancel(doomed)
            await again.bulk.steer("forget", [doomed])
            await again.run("true", name="after")
            await eventually(lambda: set(seen.states()) == {"before", "after"}, "what is there now")
        wholes = [update for update in seen.updates if isinstance(update, Snapshot) and update.is_whole]
        assert len(wholes) == snapshots


async def test_a_hub_that_only_falls_silent_is_noticed(
    home: Path, fleet: str, own_server: PrivateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubreader, "BEAT_S", 0.3)
    monkeypatch.setattr(hubreader, "SILENT_S", 0.5)
    async with watched(own_server.url, fleet) as seen:
        await eventually(lambda: seen.store.connection.state == "live", "the link")
        own_server.freeze()
        try:
            await eventually(lambda: seen.store.connection.state == "lost", "the banner", timeout_s=5)
        finally:
            own_server.thaw()
        await eventually(lambda: seen.store.connection.state == "live", "the link again")


async def test_a_hub_that_never_answers_is_named_while_it_is_waited_for(
    home: Path, fleet: str, own_server: PrivateServer
) -> None:
    own_server.freeze()
    try:
        async with watched(own_server.url, fleet) as seen:
            await eventually(lambda: seen.store.connection.message, "what it waits for", timeout_s=3)
            address = own_server.url.removesuffix("/0")
            assert seen.store.connection.message == f"waiting for hub {address} to answer"
            assert seen.store.connection.state == "connecting"
    finally:
        own_server.thaw()


async def test_many_events_come_in_one_look(client: AsyncClient, hub_url: str, fleet: str) -> None:
    from relayq.model.job import JobSpec
    from relayq.store.events import Events

    last = await Events(client.twin()).last_id()
    jobs = await client.submit_many([JobSpec(command="true") for _ in range(60)])
    async with client.twin() as hub:
        seen = await Events(hub).follow(last)
    submitted = [(event.subject, event.detail) for event in seen if event.kind == "submit"]
    assert submitted == [(job.id, "") for job in jobs]


async def test_nothing_is_posted_while_nothing_happens(client: AsyncClient, hub_url: str, fleet: str) -> None:
    await client.run("true")
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.newest, "the job")
        await eventually(_quiet(seen), "silence", every_s=0.5)


def _quiet(seen: Watched) -> Callable[[], bool]:
    """Has nothing about jobs come since the last look?"""
    counts = [-1]

    def is_quiet() -> bool:
        counts.append(sum(isinstance(update, Snapshot | JobsChanged) for update in seen.updates))
        return counts[-1] == counts[-2]

    return is_quiet


async def test_schedules_of_the_hub_are_shown_and_steered(
    client: AsyncClient, hub_url: str, fleet: str
) -> None:
    spec = JobSpec.from_dict({"command": "restic backup ~"})
    made = Schedule(name="nightly", rule=Rule(cron="30 2 * * *", zone="Europe/Berlin"), spec=spec)
    await schedules.add(client, made)
    async with watched(hub_url, fleet) as seen:

        def row() -> ScheduleRow | None:
            return next((one for one in seen.store.schedules if one.name == "nightly"), None)

        def is_so(**facts: object) -> bool:
            found = row()
            return found is not None and all(getattr(found, name) == value for name, value in facts.items())

        await eventually(row, "the schedule")
        assert is_so(
            origin="local",
            rule="30 2 * * *",
            zone="Europe/Berlin",
            command="restic backup ~",
            is_paused=False,
        )
        assert len(row().next_ms) == 5
        assert not seen.store.has_scheduler

        await client.schedules.beat("pi4")
        for verb, said, facts in (
            ("pause", "paused nightly", {"is_paused": True, "next_ms": ()}),
            ("resume", "resumed nightly", {"is_paused": False}),
            ("edit", "changed nightly to every 6h", {"rule": "every 6h", "origin": "local"}),
            ("run", "ran nightly", {"last_by": "hand", "last_state": State.RUNNABLE}),
        ):
            value = "every 6h" if verb == "edit" else ""
            told = await seen.feed.act(Order(verb=f"schedule-{verb}", ids=("nightly",), value=value))
            assert told.sentence == said
            await eventually(lambda facts=facts: is_so(**facts), f"it is {facts}")
        assert seen.store.has_scheduler
        await client.jobs.cancel(row().last_job)
        await eventually(lambda: is_so(last_state=State.CANCELLED), "its last job has ended")
        wrong = seen.feed.act(Order(verb="schedule-edit", ids=("nightly",), value="61 * * * *"))
        with pytest.raises(SpecError, match="the nearest valid one is '59"):
            await wrong
        assert (
            await seen.feed.act(Order(verb="schedule-remove", ids=("nightly",)))
        ).sentence == "removed nightly"
        await eventually(lambda: row() is None, "it is gone")
        left = await seen.feed.act(Order(verb="schedule-pause", ids=("nightly",)))
        assert left.sentence == "nightly is left as it is: it is not in the hub"


async def test_a_private_hub_that_was_stopped_stays_so_and_one_that_was_killed_comes_back(home: Path) -> None:
    config = load()
    url = await asyncio.to_thread(hub.start, config)
    async with watched("", config.fleet) as made:
        await eventually(lambda: made.store.connection.state == "live")
        await asyncio.to_thread(hub.stop, config)
        await eventually(lambda: "was stopped: `relayq hub start`" in made.store.connection.message)
        with pytest.raises(HubUnreachable, match="was stopped"):
            await made.feed.submit({"command": "true"})
        assert hub.running(config) is None
        assert await asyncio.to_thread(hub.start, config) == url
        await eventually(lambda: made.store.connection.state == "live")
        server, _ = read_record(place_of(config))
        assert server
        os.kill(server.pid, signal.SIGKILL)
        await eventually(lambda: made.store.connection.state == "lost")
        await eventually(lambda: made.store.connection.state == "live")
