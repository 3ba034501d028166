"""Do planned workflows fit into the month? Reckoned from their files, and from what they used before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from relayq.cli.output import print_lines, print_table
from relayq.model.steps import workflow_file

if TYPE_CHECKING:
    from relayq.client.budget import Standing
    from relayq.github.workflows import Planned
    from relayq.model.budget import Spent


class PlanRow(NamedTuple):
    """One file: runs a month, minutes a run, and whether those were measured or are the least possible."""

    path: str
    runs: int
    a_run: float
    is_measured: bool
    most_a_run: int
    notes: tuple[str, ...]

    @property
    def minutes(self) -> float:
        """Minutes a month."""
        return self.runs * self.a_run


class Plan:
    """The planned files beside everything else that uses minutes."""

    def __init__(self, planned: Sequence[Planned], stands: Standing) -> None:
        self.stands = stands
        self.spent = stands.best.by_workflow if stands.best else {}
        names = {workflow_file(one.path) for one in planned}
        self.rows = [self._row(one) for one in planned]
        ours = sum(spent.minutes for name, spent in self.spent.items() if name.rpartition(": ")[2] in names)
        verdict = stands.verdict
        share = 1 - ours / verdict.used if verdict and verdict.used else 0.0
        self.others = verdict.forecast[1] * share if verdict else 0.0

    @property
    def minutes(self) -> float:
        """What the planned files use a month."""
        return sum(row.minutes for row in self.rows)

    @property
    def fits(self) -> bool:
        """Is that and everything else within the limit?"""
        return self.minutes + self.others <= self.stands.limit

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "month": str(self.stands.record.month),
            "fits": self.fits,
            "planned": round(self.minutes, 1),
            "others": round(self.others, 1),
            "limit": self.stands.limit,
            "included": self.stands.included,
            "workflows": [{**row._asdict(), "minutes": round(row.minutes, 1)} for row in self.rows],
        }

    def _row(self, planned: Planned) -> PlanRow:
        before = self._before(workflow_file(planned.path) or planned.path)
        return PlanRow(
            path=planned.path,
            runs=planned.runs(self.stands.record.month),
            a_run=before.minutes / before.runs if before else float(planned.least_a_run),
            is_measured=before is not None,
            most_a_run=planned.most_a_run,
            notes=planned.notes,
        )

    def _before(self, file: str) -> Spent | None:
        """What a workflow of that file has used this month."""
        same = [
            spent for name, spent in self.spent.items() if name.rpartition(": ")[2] == file and spent.runs
        ]
        return same[0] if same else None


def print_plan(plan: Plan) -> None:
    """The table, and the word."""
    print_table(
        ("WORKFLOW", "RUNS", "A RUN", "MONTH", "BY"),
        [
            [
                row.path,
                str(row.runs),
                f"{row.a_run:.1f}",
                f"{row.minutes:.0f}",
                "measured" if row.is_measured else f"the file: at least; at most {row.most_a_run} a run",
            ]
            for row in plan.rows
        ],
    )
    print_lines(f"  {row.path}: {note}" for row in plan.rows for note in row.notes)
    limit, total = plan.stands.limit, plan.minutes + plan.others
    word = "fits" if plan.fits else "does not fit"
    others = f" beside {plan.others:.0f} of everything else" if plan.stands.verdict else ""
    month = plan.stands.record.month
    print_lines(
        [
            f"{word}: {plan.minutes:.0f} minutes in {month} ({month.days} days){others}, "
            f"{total:.0f} of {limit:.0f}"
        ]
    )
    if plan.stands.verdict is None:
        print_lines(["  what other workflows use is not known here: `relayq budget refresh` asks GitHub"])
