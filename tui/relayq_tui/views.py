"""Saved views: queries with a name, shown as tabs over the list.

A view whose query is about states alone is counted by the hub; any other is counted
only where that costs nothing worth speaking of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from relayq.errors import ConfigError
from relayq.model.lifecycle import State
from relayq.query import Query, QueryError, parse
from relayq_tui.sieve import sift
from relayq_tui.store import Store

USUAL = (
    ("all", ""),
    ("running", "state:running,unreachable"),
    ("waiting", "state:runnable,pending"),
    ("failed", "state:failed,expired"),
)
FEW = 5_000


@dataclass(frozen=True, slots=True)
class View:
    """One of them."""

    name: str
    query: Query

    def count(self, store: Store) -> int | None:
        """How many jobs it holds, None where counting would be dear."""
        if self.query.matches_all and len(store.newest) <= FEW:
            return len(store.newest)
        if self.query.matches_all:
            return max(sum(store.counts.by_state.get(state, 0) for state in State), len(store.newest))
        words = self.query.text.split()
        if len(words) == 1 and words[0].startswith("state:") and self.query.plan.states is not None:
            return store.count(*self.query.plan.states)
        return len(sift(self.query, store.newest, store.now_ms())) if len(store.newest) <= FEW else None


def checked(configured: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The views of the configuration; ConfigError for one whose query makes no sense."""
    for name, text in configured.items():
        try:
            parse(text)
        except QueryError as error:
            raise ConfigError(f"the view {name!r} (tui.views) cannot be asked: {error}") from None
    return tuple(configured.items())


def views(configured: Iterable[tuple[str, str]]) -> list[View]:
    """The usual views and those of the configuration; one whose query makes no sense is left out."""
    found = []
    for name, text in (*USUAL, *configured):
        try:
            found.append(View(name, parse(text)))
        except QueryError:
            continue
    return found
