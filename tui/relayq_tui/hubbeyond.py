"""Ask the hub for the jobs that match a query and are too old to be held."""

from __future__ import annotations

from collections.abc import Callable, Container

from relayq.model.lifecycle import FINAL, State
from relayq.query import Query
from relayq.store.bulk import PORTION, Bulk
from relayq_tui.hubrows import job_row
from relayq_tui.rows import JobRow

OVERLAP = 20  # of two portions of an index: jobs may leave it in between
INDICES = {
    "open": frozenset({State.RUNNING}),
    "delay": frozenset({State.PENDING}),
    "pend": frozenset({State.PENDING}),
    "lost": frozenset({State.UNREACHABLE}),
    "done": frozenset({State.SUCCEEDED}),
    "fail": FINAL - {State.SUCCEEDED},
}


async def matching(
    bulk: Bulk, held: Container[str], now_ms: Callable[[], int], query: Query, tell: Callable[[int], None]
) -> list[JobRow]:
    """Those that match and are not held, asked portion by portion of the indices that can hold some.

    `tell` hears how many have been looked at.
    """
    found: dict[str, JobRow] = {}
    looked_at = 0
    for index in await bulk.indices():
        start, found_here = 0, PORTION
        while may_hold(index, query.plan.states) and found_here == PORTION:
            found_here, records = await bulk.page(index, start)
            rows = [job_row(one) for one in records if one.id not in held and ":" not in one.id]
            found.update((row.id, row) for row in query.select(rows, now_ms()))
            looked_at += found_here
            tell(looked_at)
            start += PORTION - OVERLAP
    return list(found.values())


def may_hold(index: str, states: frozenset[State] | None) -> bool:
    """Can jobs in one of these states stand in the index?"""
    held = INDICES.get(index, frozenset({State.RUNNABLE}))
    return states is None or bool(held & states)
