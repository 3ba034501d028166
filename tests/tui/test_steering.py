"""Orders: what waits for its grace, what is taken back, and what is said of many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from relayq.client.steering import VERBS, Order, Steering, summary
from relayq.errors import HubUnreachable
from tests.support import eventually


def order(verb: str, *ids: str, value: str = "") -> Order:
    """An order."""
    return Order(verb=verb, ids=ids or ("0123456789ABCDEF",), value=value)


class Hands:
    """Whoever carries orders out, and what is said."""

    def __init__(self, *, fails: bool = False) -> None:
        self.done: list[Order] = []
        self.said: list[str] = []
        self._fails = fails

    async def act(self, given: Order) -> str:
        """Carry it out."""
        if self._fails:
            raise HubUnreachable("hub x is away")
        self.done.append(given)
        return given.sentence


@asynccontextmanager
async def steering(hands: Hands, grace_s: float = 60.0) -> AsyncIterator[Steering]:
    """Steering at work."""
    made = Steering(hands.act, hands.said.append, grace_s=grace_s)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_an_order_that_can_be_undone_waits() -> None:
    hands = Hands()
    async with steering(hands) as made:
        await made.order(order("cancel"))
        assert (hands.done, len(made.waiting)) == ([], 1)
        assert 59 < made.seconds_left() <= 60


async def test_after_its_grace_it_is_carried_out() -> None:
    hands = Hands()
    async with steering(hands, grace_s=0.01) as made:
        await made.order(order("cancel"))
        await made.order(order("hold"))
        await eventually(lambda: [one.verb for one in hands.done] == ["cancel", "hold"])
        assert made.waiting == []
        assert made.seconds_left() == 0.0


async def test_undoing_takes_the_latest_back_and_only_that() -> None:
    hands = Hands()
    async with steering(hands) as made:
        await made.order(order("cancel"))
        await made.order(order("hold"))
        taken = made.undo()
        assert taken is not None
        assert taken.verb == "hold"
        await made.flush()
        assert [one.verb for one in hands.done] == ["cancel"]
        assert made.undo() is None


async def test_the_moment_of_an_order_taken_back_passes_and_the_next_one_is_carried_out() -> None:
    hands, loop = Hands(), asyncio.get_running_loop()
    async with steering(hands, grace_s=0.05) as made:
        await made.order(order("cancel"))
        due_s = loop.time() + 0.05
        await eventually(lambda: loop.time() > due_s - 0.03, "it is under way")
        made.undo()
        await eventually(lambda: loop.time() > due_s + 0.05, "it would have been carried out")
        await made.order(order("hold"))
        await eventually(lambda: hands.done, "the other order is carried out")
        assert [one.verb for one in hands.done] == ["hold"]


async def test_what_only_helps_does_not_wait() -> None:
    hands = Hands()
    async with steering(hands) as made:
        for verb in ("retry", "release", "resume"):
            await made.order(order(verb))
        assert [one.verb for one in hands.done] == ["retry", "release", "resume"]


async def test_an_order_that_is_half_sent_is_seen_through_though_nobody_waits_for_it_any_more() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    done: list[Order] = []

    async def act(given: Order) -> str:
        begun.set()
        await go_on.wait()
        done.append(given)
        return ""

    made = Steering(act, str, grace_s=0.0)
    giver = asyncio.create_task(made.order(order("retry")))
    await begun.wait()
    giver.cancel()
    leaving = asyncio.create_task(made.flush())
    go_on.set()
    await leaving
    assert [one.verb for one in done] == ["retry"]


async def test_an_order_that_fails_is_said_and_the_next_one_goes_on() -> None:
    hands = Hands(fails=True)
    async with steering(hands, grace_s=0.01) as made:
        await made.order(order("cancel"))
        await made.order(order("hold"))
        await eventually(lambda: hands.said == ["hub x is away"] * 2)


@pytest.mark.parametrize(
    ("given", "answers", "said"),
    [
        (order("cancel"), {"cancelled": 1}, "cancelled ABCDEF"),
        (order("cancel", "a", "b"), {"cancelled": 1, "asked": 1}, "cancelled 2 jobs"),
        (order("cancel", "a", "b"), {"cancelled": 1, "ended:FAILED": 1},
         "cancelled 1 of 2: 1 has ended (failed)"),
        (order("hold"), {"running": 1}, "ABCDEF is left as it is: it runs already"),
        (order("reprioritise", value="7"), {"done": 1}, "moved in the queue ABCDEF to 7"),
        (order("retry"), {"unique:ZZZZZZZZZZ123456": 1},
         "ABCDEF is left as it is: it has its unique key taken by 123456"),
    ],
)  # fmt: skip
def test_what_became_of_the_jobs_is_one_sentence(given: Order, answers: dict[str, int], said: str) -> None:
    assert summary(given, Counter(answers)) == said


def test_every_verb_says_what_it_did() -> None:
    assert [verb.name for verb in VERBS.values() if not verb.past or not verb.done] == []
