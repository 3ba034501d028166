"""Long work in slices, for the sake of whoever waits for the same thread.

An event loop serves in turn what is ready, and what a person waits for takes many turns:
a key passes a dozen of them before it is painted. Whoever works on very many things in the
background, and yields once in a while for one turn, would be met at each of those. So
such work is cut by the clock, and between two slices there are turns enough for a key to
go all its way. A turn in which nobody else has anything to do takes two microseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

SLICE_S = 0.002
TURNS = 20

T = TypeVar("T")
R = TypeVar("R")


async def worked_off(items: Iterable[T], work: Callable[[T], R]) -> list[R]:
    """Return what `work` makes of each item, done in slices of SLICE_S."""
    done: list[R] = []
    until_s = time.monotonic() + SLICE_S
    for item in items:
        done.append(work(item))
        if time.monotonic() > until_s:
            await give_way()
            until_s = time.monotonic() + SLICE_S
    return done


async def give_way() -> None:
    """Let everybody else go first, through all the turns that one thing may lead to."""
    for _ in range(TURNS):
        await asyncio.sleep(0)
