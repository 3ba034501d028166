"""Lay out a graph of dependencies in columns, so that every edge leads to the right.

A node stands one column behind the last of those it waits for (the longest path). An
edge over several columns passes through place-holders in those between, so that every
line runs from one column to the next. Within a column the nodes stand near what they
are connected with. Many nodes with the same connections and the same state become one,
and in a flow of hundreds also those that only have column and state in common.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from relayq.model.lifecycle import State

ALIKE_MOST = 4
NODES_MOST = 150
_SWEEPS = 4
_PASSAGE = "\0"

Edge = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A job in a flow; `count` is how many it stands for."""

    id: str
    label: str
    state: State
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """The nodes in columns from top to bottom, their rows, and the edges from one column to the next.

    `hidden` are the nodes that another stands for.
    """

    columns: Sequence[Sequence[Node]]
    rows: Mapping[str, int]
    edges: Sequence[Sequence[Edge]]
    hidden: Mapping[str, str]

    @property
    def height(self) -> int:
        """How many rows there are."""
        return max(self.rows.values(), default=-1) + 1


def laid_out(nodes: Sequence[Node], edges: Iterable[Edge]) -> Layout:
    """Where everything goes."""
    known = {node.id for node in nodes}
    edges = [edge for edge in dict.fromkeys(edges) if known.issuperset(edge) and edge[0] != edge[1]]
    before, after = _neighbours(edges)
    stands_for = _merged(
        nodes, lambda node: (frozenset(before[node.id]), frozenset(after[node.id]), node.state)
    )
    nodes, edges = _joined(nodes, edges, stands_for)
    layers = _layers(nodes, edges)
    if len(nodes) > NODES_MOST:
        closer = _merged(nodes, lambda node: (layers[node.id], node.state))
        nodes, edges = _joined(nodes, edges, closer)
        stands_for = {name: closer[one.id] for name, one in stands_for.items()}
    edges = [edge for edge in edges if layers[edge[0]] < layers[edge[1]]]
    columns, steps = _with_passages(nodes, edges, layers)
    _untangle(columns, steps)
    hidden = {name: one.id for name, one in stands_for.items() if name != one.id}
    return Layout(columns, _rows(columns, steps), steps, hidden)


def is_passage(name: str) -> bool:
    """Is it no node, but a place where a line passes through a column?"""
    return _PASSAGE in name


def _merged(nodes: Sequence[Node], likeness: Callable[[Node], object]) -> dict[str, Node]:
    """What stands for each node: itself, or one for many that are alike."""
    alike: dict[object, list[Node]] = defaultdict(list)
    for node in nodes:
        alike[likeness(node)].append(node)
    found: dict[str, Node] = {}
    for group in alike.values():
        if len(group) > ALIKE_MOST:
            found |= dict.fromkeys((node.id for node in group), _one_for(group))
        else:
            found |= {node.id: node for node in group}
    return found


def _one_for(group: Sequence[Node]) -> Node:
    first, names = group[0], {node.label.removesuffix("…") for node in group}
    begun = _beginning(min(names), max(names)) or first.label
    label = first.label if len(names) == 1 else f"{begun}…"
    return Node(id=first.id, label=label, state=first.state, count=sum(node.count for node in group))


def _beginning(one: str, other: str) -> str:
    """What both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return one[: next((place for place, (a, b) in pairs if a != b), len(one))]


def _joined(
    nodes: Sequence[Node], edges: Sequence[Edge], stands_for: Mapping[str, Node]
) -> tuple[list[Node], list[Edge]]:
    """What is left of nodes and edges."""
    joined = dict.fromkeys((stands_for[a].id, stands_for[b].id) for a, b in edges)
    return list(dict.fromkeys(stands_for[node.id] for node in nodes)), list(joined)


def _neighbours(edges: Iterable[Edge]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What each node waits for, and what waits for it."""
    before: dict[str, list[str]] = defaultdict(list)
    after: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    return before, after


def _layers(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """The length of the longest path to each node; in a circle, which cannot run, it ends somewhere.

    What could as well begin later stands later, so that the lines are short.
    """
    before, after = _neighbours(edges)
    waits = {node.id: len(before[node.id]) for node in nodes}
    layers = dict.fromkeys(waits, 0)
    ready = [name for name, count in waits.items() if not count]
    for name in ready:
        for target in after[name]:
            layers[target] = max(layers[target], layers[name] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    for name in reversed(ready):
        if len(before[name]) < len(after[name]):
            layers[name] = max(layers[name], min(layers[target] for target in after[name]) - 1)
    return layers


def _with_passages(
    nodes: Sequence[Node], edges: Sequence[Edge], layers: Mapping[str, int]
) -> tuple[list[list[Node]], list[list[Edge]]]:
    """Columns and edges, each edge cut into steps of one column."""
    count = max(layers.values(), default=-1) + 1
    known: set[str] = set()
    columns: list[list[Node]] = [[] for _ in range(count)]
    steps: list[list[Edge]] = [[] for _ in range(max(0, count - 1))]
    for node in nodes:
        columns[layers[node.id]].append(node)
    for source, target in edges:
        at = source
        for layer in range(layers[source] + 1, layers[target]):
            passage = f"{source}{_PASSAGE}{layer}"  # edges from one node share their way
            if passage not in known:
                known.add(passage)
                columns[layer].append(Node(id=passage, label="", state=State.PENDING))
            steps[layer - 1].append((at, passage))
            at = passage
        steps[layers[target] - 1].append((at, target))
    return columns, [list(dict.fromkeys(step)) for step in steps]


def _untangle(columns: Sequence[list[Node]], steps: Sequence[Sequence[Edge]]) -> None:
    """Put each column in the order of what its nodes are connected with: to the left, to the right, again."""
    before, after = _neighbours(edge for step in steps for edge in step)
    for _ in range(_SWEEPS):
        for left, column in pairwise(columns):
            _sort_by(column, left, before)
        for right, column in pairwise(reversed(columns)):
            _sort_by(column, right, after)


def _sort_by(column: list[Node], other: Sequence[Node], neighbours: Mapping[str, Sequence[str]]) -> None:
    places = {node.id: place for place, node in enumerate(other)}
    here = {node.id: place for place, node in enumerate(column)}
    column.sort(key=lambda node: _mean([places[name] for name in neighbours[node.id]], here[node.id]))


def _mean(places: Sequence[int], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _rows(columns: Sequence[Sequence[Node]], steps: Sequence[Sequence[Edge]]) -> dict[str, int]:
    """A row for each node: the fullest column is dense, the others stand in the middle of what they join."""
    before, after = _neighbours(edge for step in steps for edge in step)
    fullest = max(range(len(columns)), key=lambda index: len(columns[index]), default=0)
    rows: dict[str, int] = {}
    for index in (*range(fullest, len(columns)), *range(fullest - 1, -1, -1)):
        neighbours = before if index > fullest else after
        free = 0
        for place, node in enumerate(columns[index]):
            left = len(columns[index]) - place
            near = sorted(rows[name] for name in neighbours[node.id] if name in rows)
            wanted = near[len(near) // 2] if near and index != fullest else free
            rows[node.id] = max(free, min(wanted, len(columns[fullest]) - left))
            free = rows[node.id] + 1
    return rows
