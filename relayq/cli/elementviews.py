"""An array's elements for people and for programs: how they stand, and which of them failed.

Elements that failed alike share a line, neighbours a range, so that a thousand take no
more room than a few.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from relayq.client.explain import REASONS

if TYPE_CHECKING:
    from relayq.store.elements import FailedElement
    from relayq.store.records import ArrayCounts

STANDINGS = ("waiting", "running", "succeeded", "failed", "cancelled", "skipped")
MOST_LINES = 8
MOST_RANGES = 12


def counts_text(array: ArrayCounts) -> str:
    """`100 (0 to 99): 97 succeeded, 3 failed`."""
    counts = ((name, getattr(array, name)) for name in STANDINGS)
    told = ", ".join(f"{number} {name}" for name, number in counts if number)
    return f"{array.size} ({array.start} to {array.start + array.size - 1}): {told}"


def failed_facts(failed: Sequence[FailedElement], in_all: int) -> Iterator[tuple[str, str]]:
    """Which failed, those alike on one line: `3, 7-9: exit code 1 after 2 attempts`."""
    alike: dict[str, list[int]] = {}
    for one in failed:
        alike.setdefault(_how(one), []).append(one.index)
    groups = list(alike.items())
    lines = [f"{ranges(indices)}: {how}" for how, indices in groups[:MOST_LINES]]
    left = in_all - sum(len(indices) for _, indices in groups[:MOST_LINES])
    if lines and left > 0:
        lines.append(f"and {left} more")
    yield "failed", "\n".join(lines)


def failed_json(failed: Iterable[FailedElement]) -> list[dict[str, Any]]:
    """The same for programs, one object an element."""
    return [
        {
            "index": one.index,
            "exit_code": one.exit_code,
            "reason": one.reason,
            "attempts": one.attempts,
            "worker": one.worker,
        }
        for one in failed
    ]


def ranges(indices: Sequence[int], most: int = MOST_RANGES) -> str:
    """Ascending indices in few words: `3, 7-9`; of more than `most` ranges the rest is counted."""
    found: list[list[int]] = []
    for index in indices:
        if found and index == found[-1][1] + 1:
            found[-1][1] = index
        else:
            found.append([index, index])
    told = [str(first) if first == last else f"{first}-{last}" for first, last in found[:most]]
    left = sum(last - first + 1 for first, last in found[most:])
    return ", ".join([*told, *([f"and {left} more"] if left else [])])


def _how(one: FailedElement) -> str:
    if one.reason in ("", "exit") and one.exit_code is not None:
        what = f"exit code {one.exit_code}"
    else:
        what = REASONS.get(one.reason, one.reason) or "failed"
    return what + (f" after {one.attempts} attempts" if one.attempts > 1 else "")
