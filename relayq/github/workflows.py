"""Read a workflow file for what it will cost: its crons, its jobs, the systems they run on.

Only what decides the cost is read, and nothing of it is run: a matrix is multiplied
out, an expression stands for what its matrix holds. What cannot be known from the file
(a matrix computed at run time, a workflow used from elsewhere) is counted as one
job and named in `notes`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from relayq.errors import UsageError
from relayq.model.budget import Month
from relayq.model.cron import Cron, CronError
from relayq.model.systems import factor_of, system_of
from relayq.workflows import EVERY_MIN_S, check_github_cron, runner_labels

MOST_BYTES = 1 << 20
MOST_JOBS = 256  # a matrix generates no more (docs.github.com, "Usage limits", read 2026-11)
DEFAULT_TIMEOUT_MIN = 360
_EXPRESSION = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")


class PlannedJob(NamedTuple):
    """Jobs of one name in one run: how many on which system, and the limit of each in minutes."""

    name: str
    system: str
    copies: int
    timeout_min: int

    @property
    def factor(self) -> int:
        """Included minutes for a minute; 0 on hardware of one's own."""
        return factor_of(self.system)


class Planned(NamedTuple):
    """A workflow as planned: what starts it, the zone of each cron, and the jobs of a run."""

    path: str
    crons: tuple[str, ...]
    zones: tuple[str, ...]
    events: tuple[str, ...]
    jobs: tuple[PlannedJob, ...]
    notes: tuple[str, ...]

    def runs(self, month: Month) -> int:
        """How often its crons fire in a month."""
        return sum(firings(cron, month, zone) for cron, zone in zip(self.crons, self.zones, strict=True))

    @property
    def least_a_run(self) -> int:
        """Counted minutes of a run whose jobs end within a minute."""
        return sum(job.copies * job.factor for job in self.jobs)

    @property
    def most_a_run(self) -> int:
        """Counted minutes of a run whose jobs all take as long as they may."""
        return sum(job.copies * job.factor * job.timeout_min for job in self.jobs)


def read_workflow(path: Path) -> Planned:
    """Read a file; UsageError with one sentence for what is no workflow."""
    document = _load(path)
    on = document.get("on", document.get(True))  # to YAML 1.1, the word `on` is a truth
    jobs = document.get("jobs")
    if on is None or not isinstance(jobs, dict) or not jobs:
        raise UsageError(f"{path} is no workflow: it has no `on` or no `jobs`")
    notes: list[str] = []
    planned = [job for name, body in jobs.items() for job in _jobs(path, str(name), body, notes)]
    events = (on,) if isinstance(on, str) else tuple(map(str, on)) if isinstance(on, list | dict) else ()
    crons = list(_crons(path, on))
    if others := [event for event in events if event != "schedule"]:
        notes.append(f"runs that {', '.join(others)} starts are not foreseen here")
    lines, zones = tuple(cron for cron, _ in crons), tuple(zone for _, zone in crons)
    return Planned(str(path), lines, zones, events, tuple(planned), tuple(notes))


def _load(path: Path) -> dict[Any, Any]:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    if len(text) > MOST_BYTES:
        raise UsageError(f"{path} is larger than {MOST_BYTES >> 20} MiB: that is no workflow")
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise UsageError(f"{path} is not valid YAML{where}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path} is no workflow: it is no table")
    return document


def _crons(path: Path, on: Any) -> Iterator[tuple[str, str]]:
    entries = on.get("schedule") if isinstance(on, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        cron = entry.get("cron") if isinstance(entry, dict) else None
        if not isinstance(cron, str):
            raise UsageError(f"{path}: an entry of `schedule` has no `cron`")
        zone = str(entry.get("timezone", "UTC"))
        try:
            check_github_cron(cron)
            Cron(cron, zone)
        except CronError as error:
            raise UsageError(
                f"{path}: {cron!a} is no cron of GitHub: {error}; nearest is '{error.nearest}'"
            ) from None
        except (ValueError, OSError, LookupError):
            raise UsageError(f"{path}: the timezone {zone[:60]!a} is not known here") from None
        yield cron, zone


def _jobs(path: Path, name: str, body: Any, notes: list[str]) -> Iterator[PlannedJob]:
    if not isinstance(body, dict):
        raise UsageError(f"{path}: job {name!r} is no table")
    timeout = body.get("timeout-minutes")
    timeout_min = timeout if isinstance(timeout, int) and timeout > 0 else DEFAULT_TIMEOUT_MIN
    if "uses" in body:
        notes.append(f"job {name} uses another workflow: counted as one job")
        yield PlannedJob(name, "linux", 1, timeout_min)
        return
    if "runs-on" not in body:
        raise UsageError(f"{path}: job {name!r} has no `runs-on`")
    combinations = _matrix(name, body, notes)
    systems: dict[str, int] = {}
    for one in combinations:
        labels = [_filled(label, one) for label in runner_labels(body)]
        system = system_of(labels)
        if not system:
            notes.append(f"job {name} runs on {', '.join(labels)[:60]}: counted as Linux")
        systems[system or "linux"] = systems.get(system or "linux", 0) + 1
    for system, count in systems.items():
        yield PlannedJob(name, system, count, timeout_min)


def _filled(label: str, row: Mapping[str, Any]) -> str:
    """A label with what the matrix holds in place of its expressions."""
    return _EXPRESSION.sub(lambda found: str(row.get(found[1], "?")), label)


def _matrix(name: str, body: Mapping[str, Any], notes: list[str]) -> list[dict[str, Any]]:
    """The combinations of the matrix, one empty one where there is none."""
    strategy = body.get("strategy")
    matrix = strategy.get("matrix") if isinstance(strategy, dict) else None
    if matrix is None:
        return [{}]
    if not isinstance(matrix, dict) or any(isinstance(axis, str) for axis in matrix.values()):
        notes.append(f"job {name} computes its matrix when it runs: counted as one job")
        return [{}]
    axes = {
        key: axis
        for key, axis in matrix.items()
        if key not in ("include", "exclude") and isinstance(axis, list)
    }
    if prod(map(len, axes.values())) > MOST_JOBS:
        raise UsageError(
            f"the matrix of job {name!r} has more than {MOST_JOBS} combinations: GitHub refuses it"
        )
    rows: list[dict[str, Any]] = []
    if axes:
        rows = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    for left_out in _rows(matrix.get("exclude")):
        rows = [row for row in rows if not left_out.items() <= row.items()]
    for added in _rows(matrix.get("include")):
        shared = {key: value for key, value in added.items() if key in axes}
        fitting = [row for row in rows if shared.items() <= row.items()] if axes else []
        for row in fitting:
            row.update(added)
        rows += [] if fitting else [dict(added)]
    return rows or [{}]


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


# -- crons


def firings(cron: str, month: Month, zone: str = "UTC") -> int:
    """How often a cron fires in a month; more often than GitHub's every 5 minutes counts as that."""
    fired, last_s = 0, -EVERY_MIN_S
    for at_s in Cron(cron, zone).after(month.start_ms // 1000 - 1):
        if at_s * 1000 >= month.end_ms:
            break
        if at_s - last_s >= EVERY_MIN_S:
            fired, last_s = fired + 1, at_s
    return fired
