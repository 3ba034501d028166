"""Who may hold, release, move and pause: an inbox lets nothing else in, and the rest is seen.

Where a job stands is the hub's business: somebody with a password can change it. What nobody
may is pass for the owner, or change it unseen.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from relayq.cli.main import main
from relayq.client.aio import AsyncClient
from relayq.client.audit import alarms, given_orders
from relayq.client.explain import sentences
from relayq.errors import Refused
from relayq.hub.acl import SUBMITTER, WORKER
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from relayq.store.bulk import Bulk
from relayq.store.events import Events
from relayq.store.inbox import Inboxes
from relayq.store.jobs import Jobs, Queues
from relayq.store.records import JobRecord
from relayq.store.schedules import Schedules
from relayq.store.wire import CANCEL, STEER, Wire, push_args
from relayq.trust.boxes import BoxKey
from relayq.trust.envelope import Op, sign_op
from relayq.trust.keys import SigningKey
from relayq.trust.members import Member
from relayq.trust.roster import add_member
from relayq.trust.steering import given, priority_of, priority_order
from tests.integration.worker_support import Rig
from tests.security.hub_support import RoleHub
from tests.support import ENGINE, eventually

Sign = Callable[[str, str], bytes]


class Site:
    """A hub with roles: the owner's rig, two submit-only users, a worker's password in wrong hands."""

    def __init__(self, hub: RoleHub, rig: Rig) -> None:
        self.hub, self.rig = hub, rig
        self.keys = {name: SigningKey.generate() for name in ("ci", "bob")}
        for name, key in self.keys.items():
            self.let_in(name, key)

    def let_in(self, name: str, key: SigningKey, exp: int = 0) -> None:
        """A member that submits, until then (0: for good)."""
        member = Member(role="submit", name=name, sign=key.public, box=BoxKey.of(key).public, exp=exp)
        self.rig.standing().desk.edit(lambda roster, pen: add_member(roster, pen, member, int(time.time())))

    def mark(self, name: str) -> str:
        """What the ids of this user's jobs begin with."""
        return self.hub.users[f"s-{name}"].mark

    def pen(self, key: SigningKey, fleet: str = "") -> Sign:
        """Signs orders with this key."""
        return lambda order, subject, *_: sign_op(
            key, Op(order, subject, 0, fleet or self.rig.fleet, int(time.time()))
        )

    def push(self, name: str, *entries: bytes, kind: bytes = STEER) -> None:
        """Push orders into the inbox of this user, by its own password."""
        wire = Wire(self.hub.url(f"s-{name}"))
        wire.call(*push_args(self.rig.fleet, name, [(kind, entry) for entry in entries]))
        wire.close()

    async def waiting(self, name: str = "", **fields: Any) -> str:
        """A job that waits in a queue nobody serves, by this user, else the owner."""
        spec = JobSpec.from_dict({"command": "true", "needs": ["nowhere"], **fields})
        job, submission = self.rig.submission(spec, key=self.keys[name] if name else None)
        if name:
            job = self.mark(name) + job[6:]
            envelope = self.rig.author(self.keys[name]).job(spec, job, int(time.time()))
            self.push(name, envelope, kind=b"j")
            await eventually(lambda: self.known(job), f"{job} is admitted")
        else:
            await self.rig.jobs.submit([submission])
        return job

    async def known(self, job: str) -> bool:
        """Is it in the hub?"""
        return await self.rig.jobs.record(job) is not None

    async def look(self, job: str) -> JobRecord:
        """The job as the owner sees it."""
        self.rig.see()
        return await self.rig.record(job)

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[AsyncClient]:
        """The owner's client."""
        async with AsyncClient(self.hub.url(), fleet=self.rig.fleet, tell=lambda _: None) as client:
            yield client

    @asynccontextmanager
    async def wrong_hands(self) -> AsyncIterator[Any]:
        """Raw commands by somebody who has a worker's password."""
        hub = self.rig.hub.__class__(self.hub.url("w-w1"), self.rig.fleet)
        async with hub:
            yield hub


@pytest.fixture
async def site(fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("RELAYQ_WORKER_ISOLATION", "none")
    hub = RoleHub(fleet, ENGINE)
    for role, name in ((WORKER, "w1"), (SUBMITTER, "ci"), (SUBMITTER, "bob")):
        hub.add(role, name)
    hub.start()
    rig = Rig(hub.url(), fleet, home)
    rig.worker_url = hub.url("w-w1")
    async with rig.hub:
        site = Site(hub, rig)
        for name in ("ci", "bob"):
            await Inboxes(rig.hub).open(name, site.mark(name))
        yield site
    hub.close()


# -- through an inbox


async def test_a_submit_only_user_holds_releases_and_moves_its_own_job(site: Site) -> None:
    sign = site.pen(site.keys["ci"])
    async with site.rig.worker():
        job = await site.waiting("ci")
        site.push("ci", sign("hold", job), sign("priority:7", job))

        async def is_held() -> bool:
            return (await site.rig.record(job)).state == State.PENDING

        await eventually(is_held, "it is held")
        record = await site.look(job)
        assert (record.held_by, record.priority, record.alarm) == ("ci", 7, "")
        site.push("ci", sign("release", job))
        await site.rig.in_state(job, "RUNNABLE")


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (lambda site, mine, theirs: site.pen(site.keys["ci"])("hold", theirs), "does not carry the mark"),
        (
            lambda site, mine, theirs: site.pen(site.keys["ci"])("priority:9", theirs),
            "does not carry the mark",
        ),
        (lambda site, mine, theirs: site.pen(site.keys["bob"])("hold", mine), "bob has signed the op"),
        (lambda site, mine, theirs: site.pen(SigningKey.generate())("hold", mine), "not trusted"),
        (lambda site, mine, theirs: site.pen(site.keys["ci"], "other")("hold", mine), "signed for fleet"),
        (lambda site, mine, theirs: site.pen(site.keys["ci"])("pause", mine), "none that a submit-only user"),
        (lambda site, mine, theirs: site.pen(site.keys["ci"])("pause", "default"), "does not carry the mark"),
        (lambda site, mine, theirs: site.pen(site.keys["ci"])("priority:999", mine), "out of range"),
        (lambda site, mine, theirs: site.pen(site.keys["ci"])("hold", mine)[:-3] + b"xx}", "changed"),
    ],
)
async def test_a_forged_order_in_an_inbox_is_refused(
    site: Site, forge: Callable[[Site, str, str], bytes], why: str
) -> None:
    async with site.rig.worker():
        mine, theirs = await site.waiting("ci"), await site.waiting()
        site.push("ci", forge(site, mine, theirs))
        assert why in (await site.rig.refusals(1))[0].why
        for job in (mine, theirs):
            record = await site.look(job)
            assert (record.state, record.priority, record.alarm) == (State.RUNNABLE, 0, "")
        assert (await Queues(site.rig.hub).stats())["paused"] == []
    assert any(event.kind == "alarm" for event in await Events(site.rig.hub).recent())


@pytest.mark.parametrize(("kind", "word"), [(STEER, "hold"), (CANCEL, "cancel")])
async def test_a_key_whose_time_has_run_out_orders_nothing(site: Site, kind: bytes, word: str) -> None:
    late = SigningKey.generate()
    async with site.rig.worker():
        job = await site.waiting("ci")
        site.let_in("ci", late, exp=int(time.time()) - 60)
        site.push("ci", site.pen(late)(word, job), kind=kind)
        assert "has run out" in (await site.rig.refusals(1))[0].why
        assert (await site.rig.record(job)).state == State.RUNNABLE


async def test_a_sender_lifts_no_hold_but_its_own(site: Site) -> None:
    sign = site.pen(site.keys["ci"])
    async with site.rig.worker():
        job = await site.waiting("ci")
        assert await site.rig.jobs.hold(job) == "held"
        site.push("ci", sign("hold", job), sign("release", job), sign("priority:3", job))

        async def is_moved() -> bool:
            return (await site.rig.record(job)).priority == 3

        await eventually(is_moved, "all three were looked at")
        record = await site.look(job)
        assert (record.state, record.held_by, record.alarm) == (State.PENDING, "the owner", "")


async def test_the_command_line_of_a_submit_only_user_goes_through_its_inbox(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import asyncio

    async with site.rig.worker():
        job = await site.waiting("ci")
        key_file = site.rig.marks / "ci.key"
        site.keys["ci"].save(key_file)
        monkeypatch.setenv("RELAYQ_IDENTITY", str(key_file))
        monkeypatch.setenv("RELAYQ_TRUST_OWNER", site.rig.key.public)
        at = ["--url", site.hub.url("s-ci"), "--fleet", site.rig.fleet]
        assert await asyncio.to_thread(main, ["hold", *at, job]) == 0
        assert await asyncio.to_thread(main, ["reprioritise", *at, job, "4"]) == 0

        async def is_done() -> bool:
            record = await site.rig.record(job)
            return (record.state, record.priority) == (State.PENDING, 4)

        await eventually(is_done, "both were done")
    assert "your inbox" in capsys.readouterr().out


# -- by whoever has a password


async def test_who_holds_a_job_and_pauses_a_queue_is_told(site: Site) -> None:
    async with site.owner() as owner:
        job = await site.waiting()
        assert await owner.jobs.hold(job) == "held"
        assert await owner.jobs.reprioritise(job, 5) == "done"
        await owner.queues.pause("default")
        await owner.queues.weight("default", 0.3)
        told = await owner.jobs.explain(job)
        assert told
        said = " / ".join(sentences(told, 0))
        assert "held by the owner" in said
        assert "paused by the owner" in said
        [queue] = await owner.queues.list()
        assert (queue.paused_by, queue.alarm) == ("the owner", "")
        assert await alarms(owner) == []
        orders = {one.event.kind: (one.by, one.alarm) for one in await given_orders(owner, 50)}
        assert orders == dict.fromkeys(("hold", "priority", "pause", "weight"), ("the owner", ""))


async def test_every_order_of_the_owner_is_signed_where_it_is_kept(site: Site) -> None:
    async with site.owner() as owner:
        job, other = await site.waiting(), await site.waiting()
        bulk = owner.bulk
        assert await bulk.steer("hold", [job, other]) == ["held"] * 2
        assert await bulk.steer("reprioritise", [job], value=-3) == ["done"]
        assert await bulk.steer("release", [job]) == ["released"]
        assert await bulk.steer("cancel", [job, other]) == ["cancelled"] * 2
        assert await owner.retry(job) == "retried"
        assert await bulk.steer("forget", [other]) == ["forgotten"]
        await owner.queues.pause("default")
        await owner.queues.resume("default")
        await owner.budget.limit({"minutes": 5})
        orders = await given_orders(owner, 50)
        assert {one.event.kind for one in orders} == {
            "hold", "priority", "release", "again", "forgotten", "pause", "resume", "budget",
        }  # fmt: skip
        assert {(one.by, one.alarm) for one in orders} == {("the owner", "")}


RAW: dict[str, Callable[[Any, str], tuple[Any, ...]]] = {
    "held": lambda hub, job: ("HSET", hub.keys.of("j", job), "h", "1"),
    "held as if its worker was lost": lambda hub, job: ("HSET", hub.keys.of("j", job), "h", "l"),
    "held as if it waited for approval": lambda hub, job: ("HSET", hub.keys.of("j", job), "h", "a"),
    "moved": lambda hub, job: ("HSET", hub.keys.of("j", job), "p", "90"),
}


@pytest.mark.parametrize("what", RAW)
async def test_what_a_workers_password_writes_over_a_job_is_an_alarm(site: Site, what: str) -> None:
    job = await site.waiting()
    async with site.wrong_hands() as hub, site.owner() as owner:
        assert await alarms(owner) == []
        await hub.link.call(*RAW[what](hub, job))
        [alarm] = await alarms(owner)
        assert "nobody has signed that" in alarm
        told = await owner.jobs.explain(job)
        assert told and sentences(told, 0)[0].startswith("ALARM: it")


async def test_what_a_workers_password_does_to_queues_and_jobs_is_an_alarm(site: Site) -> None:
    """The functions of the library are a worker's to call; a signature is not its to make."""
    job = await site.waiting()
    async with site.wrong_hands() as hub, site.owner() as owner:
        assert await Jobs(hub).hold(job) == "held"
        assert await Jobs(hub).reprioritise(job, 50) == "done"
        await Queues(hub).pause("default")
        await Queues(hub).weight("default", 50)
        found = await alarms(owner)
        assert [line.count("nobody has signed that") for line in found] == [2, 2]
        told = await given_orders(owner, 50)
        assert {one.event.kind: one.alarm for one in told} == dict.fromkeys(
            ("hold", "priority", "pause", "weight"), "nobody has signed that"
        )


async def test_an_order_of_a_submit_key_counts_for_its_own_jobs_alone(site: Site) -> None:
    """With a password that may call functions, and a key in the roster that may only submit."""
    async with site.rig.worker():
        mine, theirs = await site.waiting("bob"), await site.waiting()
    async with site.wrong_hands() as hub, site.owner() as owner:
        hub.pen = site.pen(site.keys["bob"])
        bulk = Bulk(hub, Jobs(hub))
        assert await bulk.steer("hold", [mine, theirs]) == ["held"] * 2
        assert await bulk.steer("reprioritise", [mine, theirs], value=50) == ["done"] * 2
        await Queues(hub).pause("default")
        await Schedules(hub).pause("none")
        assert (await site.look(mine)).held_by == "bob"
        found = await alarms(owner)
        assert [line.count("who may not") for line in found] == [1, 2]
        by = [(one.event.kind, one.event.subject, one.by) for one in await given_orders(owner, 50)]
        assert by == [
            ("hold", mine, "bob"),
            ("hold", theirs, ""),
            ("priority", mine, "bob"),
            ("priority", theirs, ""),
            ("pause", "default", ""),
        ]


async def test_an_order_is_not_lent_to_another_job_queue_or_value(site: Site) -> None:
    one, other = await site.waiting(), await site.waiting(queue="night")
    await site.rig.jobs.hold(one)
    await site.rig.jobs.reprioritise(one, 5)
    await Queues(site.rig.hub).pause("default")
    async with site.wrong_hands() as hub, site.owner() as owner:
        for field in ("ho", "po"):
            lent = await hub.link.call("HGET", hub.keys.of("j", one), field)
            await hub.link.call("HSET", hub.keys.of("j", other), field, lent)
        await hub.link.call("HSET", hub.keys.of("j", other), "h", "1", "p", "5")
        await hub.link.call("HSET", hub.keys.of("j", one), "p", "6")
        lent = await hub.link.call("HGET", hub.keys.prefix + "qo", "p:default")
        await hub.link.call("HSET", hub.keys.prefix + "qo", "p:night", lent)
        await hub.link.call("SADD", hub.keys.prefix + "paused", "night")
        found = await alarms(owner)
    assert [line.count("another order") for line in sorted(found, key=len)] == [1, 1, 2]


async def test_what_the_hub_may_hold_by_itself_is_no_alarm(site: Site) -> None:
    job = await site.waiting(on_lost="hold")
    async with site.wrong_hands() as hub, site.owner() as owner:
        await hub.link.call("HSET", hub.keys.of("j", job), "h", "l")
        assert await alarms(owner) == []


def test_doctor_orders_and_queues_tell_it(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--url", site.hub.url(), "--fleet", site.rig.fleet]
    main(["queue", "pause", *at, "default"])
    main(["doctor", *at, "--json"])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [one["verdict"] for one in lines if one["name"] == "orders"] == ["ok"]
    wire = Wire(site.hub.url("w-w1"))
    wire.call("SADD", f"{{rq:{site.rig.fleet}}}:paused", "night")
    wire.close()
    assert main(["doctor", *at]) == 1
    assert main(["queues", *at]) == 0
    assert main(["trust", "orders", *at]) == 0
    out = capsys.readouterr().out
    assert "queue night: it is paused, but nobody has signed that" in out
    assert "paused by the owner" in out
    assert "signed by the owner" in out


# -- the rules by themselves


def test_a_priority_is_read_only_as_it_is_written() -> None:
    assert [priority_of(priority_order(number)) for number in (-100, 0, 7)] == [-100, 0, 7]
    for word in ("priority:", "priority:1.5", "priority:٣", "priority:--1", "priority:99999", "hold"):
        assert priority_of(word) is None


def test_an_order_for_another_fleet_counts_for_nothing(site: Site) -> None:
    roster = site.rig.roster()
    with pytest.raises(Refused, match="another order"):
        given(site.pen(site.rig.key, "other")("hold", "x"), "hold", "x", roster)
    assert given(site.pen(site.rig.key)("hold", "x"), "hold", "x", roster).by == "the owner"
