"""A month of runs, and what it must add up to: reckoned by hand, line by line.

`MONTH` is November 2026. Each line is one job as GitHub lists it; the last column is
what it adds to the included minutes, by the rules of `relayq/model/budget.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.github.server import Replay, spelled

SITE, LAB, OPEN = "acme/site", "acme/lab", "acme/open"


class Line(NamedTuple):
    """One job: repo, run, workflow, created, attempt, label, seconds, what else, counted minutes."""

    repo: str
    run: int
    workflow: str
    created: str
    attempt: int
    label: str
    seconds: float
    other: dict[str, Any]
    counted: int


LINES = (
    # a plain run of 61 s is 2 minutes, one of 60 s is 1, one of 5 s is 1
    Line(SITE, 1, "ci.yml", "2026-11-01T08:00:00", 1, "ubuntu-latest", 61, {}, 2),
    Line(SITE, 2, "ci.yml", "2026-11-01T09:00:00", 1, "ubuntu-latest", 60, {}, 1),
    Line(SITE, 3, "ci.yml", "2026-11-02T09:00:00", 1, "ubuntu-24.04", 5, {}, 1),
    # a matrix: each job is rounded up by itself; Windows counts 2, macOS 10, slim 1
    Line(SITE, 4, "matrix.yml", "2026-11-03T09:00:00", 1, "ubuntu-latest", 125, {}, 3),
    Line(SITE, 4, "matrix.yml", "2026-11-03T09:00:00", 1, "windows-latest", 125, {}, 6),
    Line(SITE, 4, "matrix.yml", "2026-11-03T09:00:00", 1, "macos-14", 125, {}, 30),
    Line(SITE, 4, "matrix.yml", "2026-11-03T09:00:00", 1, "ubuntu-slim", 12, {}, 1),
    # a re-run is billed again, also when the first attempt failed
    Line(SITE, 5, "ci.yml", "2026-11-04T09:00:00", 1, "ubuntu-latest", 300, {"conclusion": "failure"}, 5),
    Line(SITE, 5, "ci.yml", "2026-11-04T09:00:00", 2, "ubuntu-latest", 299, {}, 5),
    # skipped, self-hosted and never started jobs cost nothing; a cancelled one what it ran
    Line(SITE, 6, "ci.yml", "2026-11-05T09:00:00", 1, "ubuntu-latest", 0, {"conclusion": "skipped"}, 0),
    Line(SITE, 6, "ci.yml", "2026-11-05T09:00:00", 1, "self-hosted", 9000, {}, 0),
    Line(SITE, 7, "ci.yml", "2026-11-05T10:00:00", 1, "ubuntu-latest", 90, {"conclusion": "cancelled"}, 2),
    Line(SITE, 7, "ci.yml", "2026-11-05T10:00:00", 1, "ubuntu-latest", 0,
         {"conclusion": "cancelled", "runner_id": None, "steps": []}, 0),
    # clocks that disagree: ended before it started is a minute
    Line(SITE, 8, "ci.yml", "2026-11-06T10:00:00", 1, "ubuntu-latest", -3, {}, 1),
    # another private repository, by a cron
    Line(LAB, 9, "nightly.yml", "2026-11-07T02:17:00", 1, "ubuntu-latest", 601, {}, 11),
    Line(LAB, 10, "nightly.yml", "2026-11-08T02:17:00", 1, "ubuntu-latest", 600, {}, 10),
    # a public repository is free
    Line(OPEN, 11, "ci.yml", "2026-11-09T10:00:00", 1, "ubuntu-latest", 3600, {}, 0),
    # the month's border: started in October is October's; a re-run in November is November's
    Line(SITE, 12, "ci.yml", "2026-10-31T23:59:30", 1, "ubuntu-latest", 120, {}, 0),
    Line(SITE, 13, "ci.yml", "2026-10-20T10:00:00", 1, "ubuntu-latest", 120, {}, 0),
    Line(SITE, 13, "ci.yml", "2026-11-10T10:00:00", 2, "ubuntu-latest", 120, {}, 2),
    # the last second of November, and the first of December
    Line(SITE, 14, "ci.yml", "2026-11-30T23:59:59", 1, "ubuntu-latest", 61, {}, 2),
    Line(SITE, 15, "ci.yml", "2026-12-01T00:00:00", 1, "ubuntu-latest", 61, {}, 0),
)  # fmt: skip

# By hand: 2+1+1 + 3+6+30+1 + 5+5 + 2 + 1 + 11+10 + 2 + 2
TOTAL = 82
BY_WORKFLOW = {
    "acme/site: matrix.yml": 40,
    "acme/site: ci.yml": 21,
    "acme/lab: nightly.yml": 21,
}
# Linux 2+1+1+3+5+5+2+1+11+10+2+2 = 45, Windows 3, macOS 3, slim 1: minutes before their factors
BY_SYSTEM = {"linux": 45, "windows": 3, "macos": 3, "slim": 1}
DOLLARS = 45 * 0.006 + 3 * 0.010 + 3 * 0.062 + 1 * 0.002


def fill(replay: Replay, lines: tuple[Line, ...] = LINES) -> None:
    """Put the month into the server."""
    for name in (SITE, LAB):
        replay.repo(name)
    replay.repo(OPEN, private=False)
    replay.user["login"] = "acme"
    for line in lines:
        _put(replay, line)


def _put(replay: Replay, line: Line) -> None:
    known = [run for run in replay.runs[line.repo] if run["id"] == line.run]
    if not known:
        event = "schedule" if line.workflow == "nightly.yml" else "push"
        path = f".github/workflows/{line.workflow}@main"
        known = [replay.run(line.repo, line.run, line.created + "Z", path=path, event=event)]
    known[0]["run_attempt"] = line.attempt
    known[0]["updated_at"] = line.created + "Z"
    # A job that spans the month's border keeps the run from being older than the month.
    if line.run == 12:
        known[0]["updated_at"] = "2026-11-01T00:01:30Z"
    replay.job(
        line.run,
        line.created + "Z",
        line.seconds,
        line.label,
        **{"run_attempt": line.attempt, "name": f"job {line.label}", **line.other},
    )


def example(replay: Replay) -> None:
    """A month up to now, for trying it by hand: a nightly run, a busy CI, a waste of a cron."""
    fill(replay, ())
    now_s = replay.now_s()
    day = 86_400
    first_s = now_s - (int(spelled(now_s)[8:10]) - 1) * day
    number = 100
    at_s = first_s
    while at_s < now_s:
        for workflow, event, jobs in (
            ("nightly.yml", "schedule", (700,)),
            ("ci.yml", "push", (40, 35, 50)),
            ("links.yml", "schedule", (15,)),
        ):
            number += 1
            replay.run(SITE, number, spelled(at_s), path=f".github/workflows/{workflow}@main", event=event)
            for seconds in jobs:
                replay.job(number, spelled(at_s + 5), seconds)
        at_s += day / 2
