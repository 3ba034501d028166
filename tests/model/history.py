"""What must be true of a fleet over time: an oracle that remembers what was acknowledged.

Recounting the keys cannot see that an attempt was started by two sessions, that a
job ran on after a cancel, or that a success was taken back. The history can. It is
told of every acknowledged fact and raises Broken at the first that must not be. (The
numbers are those of the invariants: 4, 5, 6, 8 and 9.)
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from tests.model.invariants import FINAL, Snapshot

SATISFYING = {"ok": "S", "failed": "F", "any": "SFCKE"}


class Broken(AssertionError):
    """A promise over time was not kept."""


@dataclass(slots=True)
class History:
    """What a fleet has acknowledged so far."""

    starts: dict[tuple[str, int], str] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)
    succeeded: set[str] = field(default_factory=set)
    counted: dict[str, int] = field(default_factory=dict)  # the attempt whose success the hub took
    cancelled: dict[str, int] = field(default_factory=dict)
    after: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    by_index: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    submitted: set[str] = field(default_factory=set)
    retried: set[str] = field(default_factory=set)

    def accepted(
        self, job: str, after: list[tuple[str, str]], by_index: list[tuple[str, str]] | None = None
    ) -> None:
        """The hub took a job (`new`), which waits for these, and for elements of these."""
        self.submitted.add(job)
        self.after[job] = after
        self.by_index[job] = by_index or []

    def needed(self, job: str) -> list[tuple[str, str]]:
        """What a job, or an element, waited for, and how that had to end."""
        parent, _, index = job.partition(":")
        elements = [(f"{array}:{index}", on) for array, on in self.by_index.get(parent, ())]
        return [*self.after.get(parent, ()), *elements]

    def started(self, worker: str, job: str, attempt: int, states: dict[str, str]) -> None:
        """A worker starts an attempt; `states` are the letters of the jobs it waited for."""
        other = self.starts.setdefault((job, attempt), worker)
        if other != worker:
            raise Broken(f"4: {job} attempt {attempt} was started by {other} and by {worker}")
        parent = job.partition(":")[0]
        last = self.cancelled.get(job, self.cancelled.get(parent))
        if last is not None and attempt > last:
            raise Broken(f"9: {job} attempt {attempt} starts after a cancel was acknowledged")
        if parent not in self.retried:
            for needed, on in self.needed(job):
                was_retried = needed.partition(":")[0] in self.retried
                if not was_retried and states.get(needed, "?") not in SATISFYING[on]:
                    raise Broken(f"8: {job} starts, and {needed} is {states.get(needed)}, not {on}")
        self.newest[job] = max(attempt, self.newest.get(job, 0))

    def reported(self, worker: str, job: str, attempt: int, outcome: str, word: str) -> None:
        """The hub judged a report."""
        if word not in ("ok", "late"):
            return
        if attempt < self.newest.get(job, 0):
            raise Broken(
                f"5: the report of {job} attempt {attempt} counts, and attempt {self.newest[job]} runs"
            )
        if self.starts.get((job, attempt), worker) != worker:
            raise Broken(f"5: {worker} reported {job}, which {self.starts[(job, attempt)]} runs")
        if outcome == "ok":
            self.succeeded.add(job)
            self.counted[job] = attempt

    def asked_to_end(self, job: str, attempt: int) -> None:
        """A cancel was acknowledged when this was the highest attempt."""
        self.cancelled.setdefault(job, attempt)

    def runs_again(self, job: str) -> None:
        """Somebody ordered another run."""
        self.retried.add(job)
        for known in [name for name in self.succeeded if name.partition(":")[0] == job]:
            self.succeeded.discard(known)
        for known in [name for name in self.cancelled if name.partition(":")[0] == job]:
            del self.cancelled[known]

    def check(self, snap: Snapshot) -> None:
        """What was acknowledged still stands."""
        for job in self.succeeded:
            record = snap.jobs.get(job)
            if record and record["s"] != "S":
                raise Broken(f"6: {job} succeeded, that was acknowledged, and now it is {record['s']}")
        for job in self.submitted - snap.jobs.keys():
            raise Broken(f"{job} was taken and is not there")
        for job in self.cancelled:
            record = snap.jobs.get(job)
            if record and record["s"] in ("R", "P"):
                raise Broken(f"9: {job} was cancelled and is {record['s']}")

    def unfinished(self, snap: Snapshot) -> list[str]:
        """Jobs that have not ended."""
        return [job for job in self.submitted if snap.jobs[job]["s"] not in FINAL]

    def copy(self) -> History:
        """As it is now: for a hub that forgets what comes later."""
        return copy.deepcopy(self)
