"""The query language of `relayq jobs`, of the TUI and of the web page.

    state:failed,running queue:gpu worker:pi* -tag:test name:~^train cmd:"ffmpeg -i"
    exit:137 dur:>5m wait:>30s age:<2d prio:>=5 after:7RDKL0 (a OR b) sort:-dur group:worker

Words beside each other must all hold, `OR` needs one of two, `-` the opposite, a comma
separates values of which one must hold. A word without a field is looked for in name
and command, and as the beginning of an id. `*` and `?` stand for other characters,
`~` begins a regular expression, `5..10` is a range, quotes take a text as it is.

The text becomes a tree, the tree a plan for the indexes (`plan`) and one closure that
tests a row (`matches`). `FIELDS` says what can be asked; a row is any object with the
attributes named there, such as the TUI's JobRow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from relayq.query.completion import complete, insert
from relayq.query.fields import FIELDS, Field, Test, is_plain, run_ms, wait_ms
from relayq.query.grammar import Group, Node, Term, compiled, cost_of, read, test_of, with_words_together
from relayq.query.plan import Plan, plan_of
from relayq.query.scan import QueryError, quote

__all__ = [
    "FIELDS",
    "Field",
    "Group",
    "Node",
    "Plan",
    "Query",
    "QueryError",
    "Term",
    "Test",
    "complete",
    "cost_of",
    "insert",
    "is_plain",
    "parse",
    "quote",
    "run_ms",
    "sort_key",
    "test_of",
    "wait_ms",
    "with_words_together",
]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Query:
    """A query, ready to be asked. `sort` holds (field, is descending), the most important first."""

    text: str
    node: Node
    test: Test
    plan: Plan
    sort: tuple[tuple[str, bool], ...] = ()
    group: str = ""

    @property
    def matches_all(self) -> bool:
        """Does it ask for nothing in particular?"""
        return isinstance(self.node, Group) and not self.node.parts

    def matches(self, row: Any, now_ms: int) -> bool:
        """Does the row fulfil the condition?"""
        return self.test(row, now_ms)

    def select(self, rows: Iterable[R], now_ms: int) -> list[R]:
        """The rows that match, in the order they came."""
        test = self.test
        return list(rows) if self.matches_all else [row for row in rows if test(row, now_ms)]

    def ordered(self, rows: Iterable[R], now_ms: int) -> list[R]:
        """The rows in the order that is asked for; what has no value comes last."""
        found = list(rows)
        for name, is_descending in reversed(self.sort):
            found.sort(key=sort_key(name, is_descending, now_ms), reverse=is_descending)
        return found

    def group_of(self, row: Any, now_ms: int) -> str:
        """The group that a row belongs to, empty without grouping."""
        if not self.group:
            return ""
        value = FIELDS[self.group].get(row, now_ms)
        return "" if value is None else str(value)

    def also(self, other: Query) -> Query:
        """The query that asks for both; this one's order and grouping go before the other's."""
        text = f"{self.text} {other.text}".strip()
        node = Group("all", tuple(q.node for q in (self, other) if not q.matches_all))
        return _query(text, node, self.sort or other.sort, self.group or other.group)


def parse(text: str) -> Query:
    """The query that a text says; QueryError with a column when it makes no sense."""
    tree = read(text)
    return _query(text, tree.node, tree.sort, tree.group)


def _query(text: str, node: Node, sort: tuple[tuple[str, bool], ...], group: str) -> Query:
    return Query(text, node, compiled(node)[1], plan_of(node), sort, group)


def sort_key(name: str, is_descending: bool, now_ms: int) -> Callable[[Any], tuple[bool, Any]]:
    """A key that keeps rows without a value last, whichever way it is sorted."""
    get = FIELDS["age" if name == "new" else name].get
    sign = -1 if name == "new" else 1

    def key(row: Any) -> tuple[bool, Any]:
        value = get(row, now_ms)
        if value is None:
            return not is_descending, 0
        return is_descending, sign * value if sign < 0 else value

    return key
