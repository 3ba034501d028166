"""What ran when, in lanes: the plain data of a timeline, and how overlapping spans are stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relayq.model.lifecycle import State

ROWS_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time: an attempt of a job, a time offline (`state` None), a firing to come.

    `end_ms` None lasts until now, and `eta_ms` is then when it may end (0 unknown).
    """

    start_ms: int
    end_ms: int | None
    label: str
    state: State | None = None
    job: str = ""
    eta_ms: int = 0

    def until(self, now_ms: int) -> int:
        """When it ends, as far as that is known."""
        return max(now_ms, self.eta_ms) if self.end_ms is None else max(self.end_ms, self.start_ms)

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from others when they are told again."""
        return self.job, self.start_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One line of the timeline: whose it is, a note (`1/2` slots), what ran in it."""

    name: str
    note: str = ""
    spans: Sequence[Span] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """A series under the lanes: values `step_ms` apart, the first at `from_ms`; what stands behind it."""

    name: str
    values: Sequence[float]
    from_ms: int
    step_ms: int = 60_000
    note: str = ""


def stacked(spans: Sequence[Span], from_ms: int, to_ms: int, now_ms: int) -> list[list[Span]]:
    """The spans of this time in rows, so that none covers another as long as there are rows.

    Jobs of the same name stay in the same row where they can.
    """
    rows: list[list[Span]] = []
    ends: list[int] = []
    usual: dict[str, int] = {}
    seen = (span for span in spans if span.start_ms < to_ms and span.until(now_ms) >= from_ms)
    for span in sorted(seen, key=lambda span: span.start_ms):
        free = [row for row, end in enumerate(ends) if end <= span.start_ms]
        row = usual.get(span.label, -1)
        if row not in free:
            row = free[0] if free else min(len(rows), ROWS_MAX - 1)
        if row == len(rows):
            rows.append([])
            ends.append(0)
        rows[row].append(span)
        ends[row] = max(ends[row], span.until(now_ms))
        usual[span.label] = row
    return rows or [[]]
