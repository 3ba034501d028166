"""The recount itself: it is silent about a sound fleet, and speaks up at each single lie."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
import redis

from relayq.store.hub import connect
from tests.model import invariants
from tests.model.driver import Driver
from tests.model.history import Broken, History

JOBS = {name: name * 16 for name in "ABCDEFG"}


@pytest.fixture
async def fleet_keys(hub_url: str, fleet: str) -> AsyncIterator[tuple[redis.Redis, str]]:
    """A fleet with a bit of everything, and the key prefix."""
    async with await connect(hub_url, fleet) as hub:
        driver = Driver(hub)
        await driver.submit(JOBS["A"], limits={"db": 1}, unique="k", watch=True)
        worker = await driver.worker()
        await worker.claim()
        await driver.submit(JOBS["B"], after=[{"job": JOBS["A"]}])
        await driver.submit(JOBS["C"], delay="1h")
        await driver.submit(JOBS["D"], array=4, queue="arrays", priority=1)
        await worker.claim(want=1)
        await driver.submit(JOBS["E"], deadline="1h")
        await driver.submit(JOBS["F"])
        await driver.jobs.cancel(JOBS["F"])
        await worker.sync(idle=True, want=0)
        with redis.Redis(unix_socket_path=hub.address.path) as client:
            yield client, hub.keys.prefix


async def test_a_sound_fleet_is_left_in_peace(fleet_keys: tuple[redis.Redis, str]) -> None:
    assert invariants.breaches(invariants.read(*fleet_keys)) == []


LIES: dict[str, Callable[[redis.Redis, str], object]] = {
    "places": lambda r, p: r.zadd(p + "lost", {JOBS["A"]: 1}),
    "counters": lambda r, p: r.hincrby(p + "n", "R", 1),
    "counters kept": lambda r, p: r.hincrby(p + "n", "kept", 1),
    "counters lref": lambda r, p: r.hincrby(p + "lref", r.hget(p + "j:" + JOBS["A"], "l"), 1),
    "holders": lambda r, p: r.hset(p + "j:" + JOBS["A"], "a", 2),
    "holders orders": lambda r, p: r.sadd(p + "fl:" + r.hget(p + "j:" + JOBS["A"], "w").decode(), "c0"),
    "holders idle": lambda r, p: r.zadd(p + "idle:x", {"nobody": 1}),
    "attempts": lambda r, p: r.hset(p + "j:" + JOBS["E"], "a", 2),
    "attempts long": lambda r, p: r.hset(p + "j:" + JOBS["E"], "r", "x" * 65),
    "limits": lambda r, p: r.srem(p + "lim:db", JOBS["A"]),
    "limits over": lambda r, p: r.sadd(p + "lim:db", JOBS["E"]),
    "uniques": lambda r, p: r.delete(p + "uq:k"),
    "uniques ended": lambda r, p: r.set(p + "uq:k2", JOBS["F"] + " 0"),
    "lanes": lambda r, p: r.hset(p + "lanes", "x", "{}"),
    "dependencies": lambda r, p: r.delete(p + "dep:" + JOBS["A"]),
    "dependencies told": lambda r, p: r.rpush(p + "dep:" + JOBS["F"], JOBS["B"] + " ok"),
    "arrays": lambda r, p: r.hincrby(p + "j:" + JOBS["D"], "nS", 1),
    "arrays alive": lambda r, p: r.srem(p + "am:" + JOBS["D"], "0"),
    "arrays ready": lambda r, p: r.rpush(p + "ar:" + JOBS["D"], "2"),
    "leftovers": lambda r, p: r.set(p + "r:" + JOBS["G"], "x"),
    "leftovers batch": lambda r, p: r.set(p + "bt:0", "x"),
    "leftovers blob": lambda r, p: r.hset(p + "bn", "0", 1),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_is_found(fleet_keys: tuple[redis.Redis, str], lie: str) -> None:
    LIES[lie](*fleet_keys)
    found = {breach.partition(":")[0] for breach in invariants.breaches(invariants.read(*fleet_keys))}
    assert lie.partition(" ")[0] in found


def test_the_history_remembers_who_started_what() -> None:
    history = History()
    history.started("ann", "A", 1, {})
    history.started("ann", "A", 1, {})
    with pytest.raises(Broken, match="4:"):
        history.started("bob", "A", 1, {})


def test_the_history_remembers_cancels_and_successes() -> None:
    history = History()
    history.accepted("A", [("B", "ok")])
    with pytest.raises(Broken, match="8:"):
        history.started("ann", "A", 1, {"B": "F"})
    history.started("ann", "A", 1, {"B": "S"})
    history.asked_to_end("A", 1)
    with pytest.raises(Broken, match="9:"):
        history.started("ann", "A", 2, {"B": "S"})
    history.started("bob", "C", 2, {})
    with pytest.raises(Broken, match="5:"):
        history.reported("ann", "C", 1, "ok", "ok")
    history.reported("bob", "C", 2, "ok", "ok")
    with pytest.raises(Broken, match="6:"):
        history.check(invariants.Snapshot({"j": {"C": {"s": "R"}, "A": {"s": "N"}}}))


def test_the_history_knows_which_element_waits_for_which() -> None:
    history = History()
    history.accepted("A", [], [("B", "ok"), ("C", "any")])
    with pytest.raises(Broken, match=r"8: A:3 starts, and C:3 is None"):
        history.started("ann", "A:3", 1, {"B:3": "S"})
    with pytest.raises(Broken, match="8:"):
        history.started("ann", "A:3", 1, {"B:3": "F", "C:3": "F"})
    history.started("ann", "A:3", 1, {"B:3": "S", "C:3": "F"})
