"""Write SCREENS.md: the machine, how it was run, and the one table."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.figures import written
from benchmarks.report import machine_facts
from benchmarks.screens.rows import ROWS, Row

RESULTS = Path(__file__).parent.parent / "SCREENS.md"
INTRO = """\
What the terminal UI costs, through a real pseudo terminal of 120 by 40, on a hub with 100,000 jobs of
fifty names, each with a command and a label of its own kind. Beside each figure stands the same for a
minimal Textual app (forty lines and a cursor, [minimal.py](screens/minimal.py)) in the same run: that is
what the toolkit costs on this machine. "Painted" is when the bytes came out of the program. What is
measured and how is in [screens/measures.py](screens/measures.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a report is made of."""

    own: Mapping[str, float]
    minimal: Mapping[str, float]
    failures: Mapping[str, str]
    quick: bool
    soak_s: float
    seconds: float


def document(run: Run) -> str:
    """Return the whole text."""
    parts = ["# The screens", INTRO, _preface(run), table(run), _misses(run), _failures(run)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(run: Run) -> str:
    """Return the table."""
    lines = [
        ["metric", "unit", "relayq tui", "bar", "met", "minimal app"],
        ["---", "---", "--:", "--:", "---", "--:"],
    ]
    lines += [_line(run, row) for row in ROWS if row.key in run.own]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(run: Run, row: Row) -> list[str]:
    bar = "" if row.bar is None else f"≤ {written(row.bar)}"
    cells = [written(run.own[row.key]), bar, _verdict(run, row), written(run.minimal.get(row.key))]
    return [row.title, row.unit, *cells]


def _verdict(run: Run, row: Row) -> str:
    if row.bar is None:
        return ""
    return "met" if run.own[row.key] <= row.bar else "**missed**"


def _misses(run: Run) -> str:
    judged = [row for row in ROWS if row.key in run.own and row.bar is not None]
    missed = [row for row in judged if _verdict(run, row) != "met"]
    said = [f"* {row.title}: {row.why}" if row.why else f"* {row.title}" for row in missed]
    met = f"{len(judged) - len(missed)} of {len(judged)} bars are met."
    return "\n".join([met, "", *said]) if said else met


def _failures(run: Run) -> str:
    if not run.failures:
        return ""
    return "Not measured:\n\n" + "\n".join(f"* {what}: {why}" for what, why in run.failures.items())


def _preface(run: Run) -> str:
    kind = "a quick run: small counts, rough figures" if run.quick else "a full run"
    own = {
        "command": f"`python -m benchmarks.screens {shlex.join(sys.argv[1:])}`".replace(" `", "`"),
        "kind": f"{kind}; it took {run.seconds / 60:.1f} minutes, the soak {run.soak_s / 60:.1f} of them",
        "toolkit": f"Textual {version('textual')}, Rich {version('rich')}",
    }
    return "\n".join(f"* {name}: {fact}" for name, fact in {**own, **machine_facts()}.items())
