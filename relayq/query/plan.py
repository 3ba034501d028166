"""What of a query an index can answer: the AND-ed terms on state, queue, worker and age.

Whoever reads jobs from the hub asks it for no more than the plan allows, and the
query's own test does the rest: a plan may let too much through, never too little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from relayq.model.duration import parse_duration_ms
from relayq.model.lifecycle import State
from relayq.query.fields import states_of
from relayq.query.grammar import Node, Term
from relayq.query.scan import Item


@dataclass(frozen=True, slots=True)
class Plan:
    """Bounds of what can match; None (or empty) where there are none. Ages are those of submission.

    `element` is the element of an array that is asked for by its id, `ID:INDEX`: the indexes
    hold only those under way.
    """

    states: frozenset[State] | None = None
    queue: str = ""
    worker: str = ""
    element: str = ""
    max_age_ms: int | None = None
    min_age_ms: int | None = None

    def since_ms(self, now_ms: int) -> int:
        """Nothing that was submitted before this time can match."""
        return 0 if self.max_age_ms is None else max(0, now_ms - self.max_age_ms)


def plan_of(node: Node) -> Plan:
    """The plan of a condition."""
    terms = list(_required(node))
    ages = [item for term in terms if term.field == "age" and len(term.items) == 1 for item in term.items]
    return Plan(
        states=_states(node),
        queue=_only(terms, "queue"),
        worker=_only(terms, "worker"),
        element=_element(_only(terms, "id")),
        max_age_ms=min(_bounds(ages, "<"), default=None),
        min_age_ms=max(_bounds(ages, ">"), default=None),
    )


def _required(node: Node) -> Iterator[Term]:
    """The terms that every match fulfils."""
    if isinstance(node, Term):
        yield node
    elif node.kind == "all":
        for part in node.parts:
            yield from _required(part)


def _states(node: Node) -> frozenset[State] | None:
    """The states that can match, None when the condition says nothing about them."""
    if isinstance(node, Term):
        return frozenset().union(*map(states_of, node.items)) if node.field == "state" else None
    found = [states for part in node.parts if (states := _states(part)) is not None]
    match node.kind:
        case "all":
            return frozenset(State).intersection(*found) if found else None
        case "any":
            return frozenset().union(*found) if len(found) == len(node.parts) else None
    inner = node.parts[0]
    is_only_states = isinstance(inner, Term) and inner.field == "state"
    return frozenset(State).difference(*found) if is_only_states else None


def _only(terms: list[Term], field: str) -> str:
    """The one name that is asked for."""
    for term in terms:
        if term.field == field and len(term.items) == 1 and _is_whole(term.items[0]):
            return term.items[0].text
    return ""


def _element(job: str) -> str:
    return job if job.partition(":")[2].isdecimal() else ""


def _is_whole(item: Item) -> bool:
    return item.operator in ("", "=") and not item.has_wildcard


def _bounds(ages: list[Item], sign: str) -> list[int]:
    """The upper (`<`) or lower (`>`) bounds of the age."""
    found = []
    for item in ages:
        low, dots, high = item.text.partition("..")
        if dots and not item.operator:
            found.append(parse_duration_ms(high if sign == "<" else low))
        elif item.operator.startswith(sign) or item.operator == "=":
            found.append(parse_duration_ms(item.text))
    return found
