"""Write RESULTS.md: the machine, the versions, how it was run, and the one table."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.figures import written
from benchmarks.proxy import ROOT
from benchmarks.roster import RELAYQ, Entry, version_of
from benchmarks.rows import ROWS, Row

BUILD = ("sha=", "malloc=", "build=", "bits=")
RESULTS = Path(__file__).parent / "RESULTS.md"
Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a report is made of: figures by peer and row, what failed, how long it took."""

    entries: Sequence[Entry]
    figures: Figures
    limits: Mapping[str, float]
    failures: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[Row] = ROWS
    quick: bool = False
    seconds: float = 0.0


def document(run: Run) -> str:
    """Return the whole text."""
    parts = ["# Results", _preface(run), table(run), _misses(run), _failures(run), _legend(run.entries)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(run: Run) -> str:
    """Return the table: RelayQ first, its bar, whether it is met, the limit, the peers."""
    peers = [entry for entry in run.entries if entry.name != RELAYQ]
    head = ["metric", "unit", "RelayQ", "bar", "met", "limit", *(peer.title for peer in peers)]
    lines = [head, ["---", "---", "--:", "---", "---", *["--:"] * (1 + len(peers))]]
    lines += [_line(run, row, peers) for row in run.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict(run: Run, row: Row) -> tuple[str, str]:
    """Return RelayQ's bar in a row and `met`, **missed**, or nothing where there is no bar or no figure."""
    own = run.figures.get(RELAYQ, {}).get(row.key)
    if row.bar is None or own is None:
        return "", ""
    rivals = {
        name: found[row.key] for name, found in run.figures.items() if name != RELAYQ and row.key in found
    }
    bar, met = row.bar(own, rivals)
    return bar, "met" if met else "**missed**"


def _line(run: Run, row: Row, peers: Sequence[Entry]) -> list[str]:
    cells = [written(run.figures.get(peer.name, {}).get(row.key)) for peer in peers]
    own = written(run.figures.get(RELAYQ, {}).get(row.key))
    return [row.title, row.unit, own, *verdict(run, row), written(run.limits.get(row.key)), *cells]


def _misses(run: Run) -> str:
    judged = [(row, verdict(run, row)) for row in run.rows]
    missed = [f"* {row.title}: {bar}" for row, (bar, word) in judged if word == "**missed**"]
    met = sum(word == "met" for _, (_, word) in judged)
    return f"{met} of {met + len(missed)} bars are met." + "".join(
        f"\n{line}" for line in ["", *missed] if missed
    )


def _failures(run: Run) -> str:
    if not run.failures:
        return ""
    told = {what: why.replace(f"{ROOT}/", "") for what, why in run.failures.items()}
    return "Not measured:\n\n" + "\n".join(f"* {what}: {why}" for what, why in told.items())


def _preface(run: Run) -> str:
    kind = "a quick run: small counts, rough figures" if run.quick else "a full run"
    own = {
        "command": f"`python -m benchmarks {shlex.join(sys.argv[1:])}`".replace(" `", "`"),
        "kind": f"{kind}; it took {run.seconds / 60:.1f} minutes",
    }
    facts = {**own, **machine_facts()}
    intro = "Written by the command; what is measured and how is in [README.md](README.md)."
    return intro + "\n\n" + "\n".join(f"* {name}: {fact}" for name, fact in facts.items())


def machine_facts() -> dict[str, str]:
    """Return what a reader must know of the machine, its programs and the code, by name."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": _machine(),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "server": f"{_said('redis-server', '--version')}; append-only file each second, on the loopback",
        "code": _said("git", "describe", "--always", "--dirty"),
    }


def _legend(entries: Sequence[Entry]) -> str:
    lines = [f"* {entry.title} {version_of(entry)}: {entry.note}" for entry in entries]
    return "## Who was measured\n\n" + "\n".join(lines)


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{_cpu_model()}, {os.cpu_count()} CPUs, {_memory_gb():.0f} GB; load average {load:.1f} at the end"


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def _said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=RESULTS.parent)
    return " ".join(
        word for word in done.stdout.split() if not word.startswith(("sha=", "malloc=", "build=", "bits="))
    )
