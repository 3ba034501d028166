"""Long work that is cut into slices: whoever else has something to do goes first."""

from __future__ import annotations

import asyncio

import pytest

from relayq.store import pace
from relayq.store.pace import worked_off

STEPS = 12  # as many turns of the event loop as a key takes from the terminal to its picture


async def test_what_takes_many_turns_has_ended_before_the_work_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "SLICE_S", 0.0)  # every item is a slice
    happened: list[str] = []
    loop = asyncio.get_running_loop()

    def step(number: int) -> None:
        if number < STEPS:
            loop.call_soon(step, number + 1)
        else:
            happened.append("key painted")

    def work(item: str) -> str:
        if not happened:
            loop.call_soon(step, 1)
        happened.append(item)
        return item.upper()

    assert await worked_off(["a", "b", "c"], work) == ["A", "B", "C"]
    assert happened == ["a", "key painted", "b", "c"]


async def test_short_work_is_done_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SLICE_S", 60.0)
    others: list[int] = []
    asyncio.get_running_loop().call_soon(others.append, 1)
    assert await worked_off(range(100), str) == list(map(str, range(100)))
    assert not others
