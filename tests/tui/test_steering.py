"""Orders: what waits for its grace, what is taken back, and what is said of many."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from relayq.client.steering import VERBS, Order, Steering, Told, summary, told
from relayq.errors import HubUnreachable
from tests.support import eventually


def order(verb: str, *ids: str, value: str = "", was: str = "") -> Order:
    """An order."""
    return Order(verb=verb, ids=ids or ("0123456789ABCDEF",), value=value, was=was)


class Hands:
    """Whoever carries orders out, and what is said."""

    def __init__(self, *, fails: bool = False, left: tuple[str, ...] = ()) -> None:
        self.done: list[Order] = []
        self.said: list[str] = []
        self._fails, self._left = fails, left

    async def act(self, given: Order) -> Told:
        """Carry it out, but not for those that are left as they are."""
        if self._fails:
            raise HubUnreachable("hub x is away")
        self.done.append(given)
        return Told(given.sentence, tuple(id for id in given.ids if id not in self._left))


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
        for verb in ("release", "resume", "quiet"):
            await made.order(order(verb))
        assert [one.verb for one in hands.done] == ["release", "resume", "quiet"]
        assert made.waiting == []


@pytest.mark.parametrize(
    ("given", "contrary"),
    [
        (order("submit", "a"), order("cancel", "a")),
        (order("release", "a", "b"), order("hold", "a", "b")),
        (order("pause", "media"), order("resume", "media")),
        (order("resume", "media"), order("pause", "media")),
        (order("quiet", "pi4"), order("unquiet", "pi4")),
        (order("unquiet", "pi4"), order("quiet", "pi4")),
        (order("schedule-pause", "nightly"), order("schedule-resume", "nightly")),
        (order("schedule-edit", "nightly", value="every 1h", was="every 2h"),
         order("schedule-edit", "nightly", value="every 2h", was="every 1h")),
        (order("limit", "budget", value="80%", was="off"), order("limit", "budget", value="off", was="80%")),
    ],
    ids=lambda one: one.verb,
)  # fmt: skip
async def test_what_was_done_at_once_is_undone_by_its_contrary(given: Order, contrary: Order) -> None:
    hands = Hands()
    async with steering(hands) as made:
        await made.order(given)
        assert 59 < made.seconds_left() <= 60
        assert made.undo() == given
        await made.flush()
        assert hands.done == [given, contrary]
        assert made.undo() is None


async def test_only_those_that_it_was_done_to_are_undone() -> None:
    hands = Hands(left=("b",))
    async with steering(hands) as made:
        await made.order(order("release", "a", "b", "c"))
        made.undo()
        await made.flush()
        assert hands.done[1] == order("hold", "a", "c")


@pytest.mark.parametrize(
    "given", [order("approve", "a"), order("schedule-edit", "nightly", value="every 1h")]
)
async def test_what_has_no_contrary_cannot_be_undone(given: Order) -> None:
    async with steering(Hands()) as made:
        await made.order(given)
        assert made.undo() is None


async def test_what_was_done_to_nobody_cannot_be_undone() -> None:
    async with steering(Hands(left=("a",))) as made:
        await made.order(order("release", "a"))
        assert made.undo() is None


async def test_what_was_done_can_be_undone_for_the_grace_only() -> None:
    hands = Hands()
    async with steering(hands, grace_s=0.02) as made:
        await made.order(order("release"))
        await eventually(lambda: made.latest is None, "the grace is over")
        assert made.undo() is None
        assert [one.verb for one in hands.done] == ["release"]


async def test_leaving_undoes_nothing() -> None:
    hands = Hands()
    async with steering(hands) as made:
        await made.order(order("release"))
        await made.flush()
        assert [one.verb for one in hands.done] == ["release"]


async def test_an_order_that_is_half_sent_is_seen_through_though_nobody_waits_for_it_any_more() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    done: list[Order] = []

    async def act(given: Order) -> Told:
        begun.set()
        await go_on.wait()
        done.append(given)
        return Told("")

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
        (order("cancel", "a", "b", "c"), {"cancelled": 1, "ended:FAILED": 2},
         "cancelled 1 of 3: 2 have ended (failed)"),
        (order("hold"), {"running": 1}, "ABCDEF is left as it is: it runs already"),
        (order("reprioritise", value="7"), {"done": 1}, "gave ABCDEF priority 7"),
        (order("stop", "pi4"), {"told": 1}, "pi4 finishes and leaves"),
        (order("quiet", "pi4"), {"told": 1}, "pi4 takes nothing new"),
        (order("retry"), {"unique:ZZZZZZZZZZ123456": 1},
         "ABCDEF is left as it is: it has its unique key taken by 123456"),
    ],
)  # fmt: skip
def test_what_became_of_the_jobs_is_one_sentence(given: Order, answers: dict[str, int], said: str) -> None:
    assert summary(given, Counter(answers)) == said


def test_every_verb_says_what_it_did() -> None:
    assert [verb.name for verb in VERBS.values() if "{what}" not in verb.said or not verb.done] == []


def test_whom_it_was_done_to_is_told() -> None:
    assert told(order("cancel", "a", "b", "c"), ["cancelled", "unknown", "asked"]).ids == ("a", "c")
