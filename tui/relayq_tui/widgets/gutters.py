"""Route the lines between two columns of a flow.

Targets that wait for the same sources form a bundle and share an upright line, so that
a line never claims a dependency that does not exist. An upright line is put to the
right of those whose sources end where its targets begin, because two lines in one row
must not meet. Where lines of two bundles cross, the upright one goes over the level one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from relayq_tui.widgets.canvas import DOWN, LEFT, RIGHT, UP
from relayq_tui.widgets.layers import Edge

LEAD = 1  # columns before the first upright line
PITCH = 2  # columns from one upright line to the next
_TAIL = 2  # columns behind the last one, for the heads of the arrows


@dataclass(frozen=True, slots=True)
class Bundle:
    """The rows of sources and of the targets that wait for all of them."""

    sources: frozenset[int]
    targets: frozenset[int]

    @property
    def rows(self) -> range:
        """From its topmost row to its lowest."""
        found = self.sources | self.targets
        return range(min(found), max(found) + 1)

    @property
    def is_level(self) -> bool:
        """Does it need no upright line?"""
        return len(self.rows) == 1


@dataclass(frozen=True, slots=True)
class Gutter:
    """The bundles between two columns, from left to right."""

    bundles: Sequence[Bundle]

    @property
    def width(self) -> int:
        """How many columns it takes."""
        return LEAD + PITCH * max(1, sum(not bundle.is_level for bundle in self.bundles)) + _TAIL

    def strokes(self) -> dict[tuple[int, int], int]:
        """The sides that the line in each cell (column, row) reaches to."""
        found: dict[tuple[int, int], int] = defaultdict(int)
        uprights = self._uprights()
        for bundle, place in zip(self.bundles, self._places(), strict=True):
            for x, y, sides in _lines(bundle, place, self.width):
                over = uprights.get(x)
                is_under = (
                    over is not None and over != bundle and y in over.rows and not _joins(over, bundle, y)
                )
                found[x, y] |= 0 if is_under else sides
        return found

    def _places(self) -> list[int]:
        """The column of each bundle's upright line."""
        places, free = [], LEAD
        for bundle in self.bundles:
            places.append(free)
            free += 0 if bundle.is_level else PITCH
        return places

    def _uprights(self) -> dict[int, Bundle]:
        pairs = zip(self._places(), self.bundles, strict=True)
        return {place: bundle for place, bundle in pairs if not bundle.is_level}


def gutter(edges: Sequence[Edge], rows: Mapping[str, int]) -> Gutter:
    """The lines for these edges between nodes in these rows."""
    sources: dict[int, set[int]] = defaultdict(set)
    for source, target in edges:
        sources[rows[target]].add(rows[source])
    targets: dict[frozenset[int], set[int]] = defaultdict(set)
    for row, found in sources.items():
        targets[frozenset(found)].add(row)
    return Gutter(_ordered([Bundle(found, frozenset(mine)) for found, mine in targets.items()]))


def _ordered(bundles: list[Bundle]) -> list[Bundle]:
    """Whose sources end in a row stands before whose targets begin there, as far as that can be."""
    bundles = sorted(bundles, key=lambda bundle: (bundle.is_level, bundle.rows.start))
    ending: dict[int, set[int]] = defaultdict(set)
    for index, bundle in enumerate(bundles):
        for row in bundle.sources:
            ending[row].add(index)
    waits = [set().union(*(ending[row] for row in one.targets - one.sources)) for one in bundles]
    left, found = dict.fromkeys(range(len(bundles))), []
    while left:
        chosen = next((index for index in left if not waits[index] & left.keys() - {index}), next(iter(left)))
        del left[chosen]
        found.append(bundles[chosen])
    return found


def _joins(over: Bundle, bundle: Bundle, row: int) -> bool:
    """Does the level line of `bundle` come from a source that `over` has too?"""
    return row in over.sources and row in bundle.sources


def _lines(bundle: Bundle, place: int, width: int) -> Iterator[tuple[int, int, int]]:
    """The cells of a bundle with the sides they reach to."""
    if bundle.is_level:
        yield from ((x, bundle.rows.start, LEFT | RIGHT) for x in range(width))
        return
    for row in bundle.sources:
        yield from ((x, row, LEFT | RIGHT) for x in range(place))
        yield place, row, LEFT
    for row in bundle.targets:
        yield place, row, RIGHT
        yield from ((x, row, LEFT | RIGHT) for x in range(place + 1, width))
    for row in bundle.rows:
        yield place, row, (UP if row > bundle.rows.start else 0) | (DOWN if row < bundle.rows[-1] else 0)
