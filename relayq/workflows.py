"""The cron lines of GitHub workflows: read them, count their minutes, write the twin of a schedule.

A twin is a workflow that fires a schedule's slots too, a little after their time, for the
night in which nothing at home does. It carries no command and no signature: it names the
schedule and its rule, and the hub has the rest. Whoever comes second changes nothing.

GitHub's cron is a backup and no clock: it fires every five minutes at most, late or not at
all under load, worst at the full hour, and stops after 60 idle days in public repositories.
Each job of a run is billed as at least one minute (GitHub Docs, actions-runner-pricing,
read 2026-11-23), so a cron of */5 costs 8,640 minutes in 30 days, */30 1,440, hourly 720.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from relayq.errors import RelayQError, SpecError, UsageError
from relayq.model.cron import MACROS, Cron, CronError, nearest
from relayq.model.cronruns import CronRuns, Seen, seen
from relayq.model.schedule import Schedule
from relayq.model.systems import factor_of, system_of
from relayq.places import make_dir

FOLDER = Path(".github") / "workflows"
ACTION = "./.github/actions/submit"
LATER_MIN = 7  # how long after its slot a twin fires, where the rule leaves room
EVERY_MIN_S = 300  # GitHub's shortest interval
MOST_FIRINGS = 30 * 86_400 // EVERY_MIN_S
MATRIX_MAX = 256
GIT_S = 10.0
_BYTES_MAX = 1 << 20
_CHECKOUT = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2"
_USES = re.compile(r"(?:\./[\w./-]+|[\w.-]+/[\w./-]+@[0-9a-f]{40})")


class WorkflowCron(NamedTuple):
    """A cron line of a workflow file. `twin_of` names the schedule whose slots it fires, or "".

    `minutes` is the least that 30 days of it are billed, in minutes of a private repository.
    `since_ms` is when the file was changed last.
    """

    path: Path
    name: str
    cron: str
    zone: str
    minutes: int
    twin_of: str
    since_ms: int = 0

    def next_ms(self, now_ms: int, count: int) -> tuple[int, ...]:
        """The next nominal firings."""
        return tuple(s * 1000 for s in islice(Cron(self.cron, self.zone).after(now_ms // 1000), count))


class Found(NamedTuple):
    """What the workflow files of a repository hold, and one sentence for each line that cannot be read.

    `repo` is OWNER/NAME at GitHub, or empty.
    """

    crons: list[WorkflowCron]
    problems: list[str]
    repo: str = ""

    def seen(self, cron: WorkflowCron, known: Mapping[str, CronRuns]) -> Seen | None:
        """What GitHub's clock did with one of the lines, as far as that is known by repository."""
        runs = known.get(self.repo.lower())
        if runs is None:
            return None
        mine = [one for one in self.crons if one.path == cron.path]
        lines = [Cron(one.cron, one.zone) for one in mine]
        return seen(lines, mine.index(cron), cron.name, cron.since_ms, runs)


def repository_of(directory: Path) -> Path | None:
    """The git repository that a directory lies in."""
    return next((place for place in (directory, *directory.parents) if (place / ".git").exists()), None)


def read_crons(repository: Path) -> Found:
    """Every cron line of the repository's workflows."""
    found = Found([], [], origin_of(repository))
    for path in sorted((repository / FOLDER).glob("*.y*ml")):
        try:
            _read_file(path, found)
        except RelayQError as error:
            found.problems.append(str(error))
    return found


def origin_of(directory: Path) -> str:
    """What `origin` of a clone names at GitHub, OWNER/NAME; empty where it is none."""
    url = _git(directory, "config", "--get", "remote.origin.url")
    parts = url.removesuffix(".git").replace(":", "/").split("/")
    return "/".join(parts[-2:]) if "github" in url and len(parts) > 2 else ""


def _changed_ms(path: Path) -> int:
    """When a file was changed last: by its commit, or by the disk where it is not as it was committed."""
    committed = _git(path.parent, "log", "-1", "--format=%ct", "--", path.name)
    is_clean = committed.isdecimal() and not _git(path.parent, "status", "--porcelain", "--", path.name)
    return int(committed) * 1000 if is_clean else int(path.stat().st_mtime * 1000)


def _git(directory: Path, *argv: str) -> str:
    """What git prints, or nothing."""
    try:
        ended = subprocess.run(
            ["git", *argv], capture_output=True, text=True, timeout=GIT_S, check=False, cwd=directory
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


def monthly_minutes(cron: str, zone: str = "UTC", each: int = 1) -> int:
    """The minutes of 30 days at `each` minutes a firing, of which GitHub makes one in 5 minutes at most."""
    return _rounded(min(Cron(cron, zone).firings_a_month, MOST_FIRINGS) * each)


def check_github_cron(text: str) -> None:
    """Refuse what cron knows and GitHub does not; CronError with what to write in its place."""
    if text.strip().startswith("@"):
        meant = MACROS.get(text.strip().lower()) or Cron(nearest(text)).text
        raise CronError("GitHub knows no names of rules", MACROS.get(meant, meant))


# -- the twin


def twin_cron(schedule: Schedule) -> str:
    """The cron line of a schedule's twin: a few minutes after each slot, where the rule leaves room."""
    rule = schedule.rule
    if not rule.cron:
        raise SpecError(
            f"schedule '{schedule.name}' cannot have a twin: GitHub fires cron rules only (--cron)"
        )
    cron = Cron(rule.cron, rule.zone)
    gap_s = min(after - before for before, after in pairwise(islice(cron.after(0), 200)))
    if gap_s < EVERY_MIN_S:
        raise SpecError(
            f"schedule '{schedule.name}' cannot have a twin: it fires every {gap_s // 60} min, "
            "and GitHub at most every 5 min"
        )
    words = MACROS.get(rule.cron.lower(), rule.cron).split()
    if "7" in words[4]:  # GitHub's Sunday is 0
        words[4] = ",".join(map(str, cron.weekdays))
    most = min(LATER_MIN, gap_s // 120)
    is_hourly = [len(cron.hours), len(cron.days), len(cron.months), len(cron.weekdays)] == [24, 31, 12, 7]
    if not is_hourly:  # it must not run into another hour, or day
        most = min(most, 59 - max(cron.minutes))
    later = next((later for later in range(most, 0, -1) if not _is_full(cron.minutes, later)), 0)
    minutes = sorted((minute + later) % 60 for minute in cron.minutes)
    return " ".join([",".join(map(str, minutes)), *words[1:]])


def _is_full(minutes: list[int], later: int) -> bool:
    """Would one of them stand at the full hour, when everybody's crons fire?"""
    return any((minute + later) % 60 == 0 for minute in minutes)


def twin_path(repository: Path, name: str) -> Path:
    """Where the twin of a schedule stands."""
    return repository / FOLDER / f"relayq-{_file_name(name)}.yml"


def check_action(repository: Path, name: str, uses: str | None) -> str:
    """The submit action for a schedule's twin: the one named, the one it has, or the repository's own."""
    if uses is None:
        old = twin_path(repository, name)
        text = old.read_text(encoding="utf-8", errors="replace") if old.is_file() else ""
        kept = [word for word in re.findall(r"^ *- uses: (\S+)", text, re.MULTILINE) if word not in _CHECKOUT]
        uses = kept[0] if kept else ACTION
        if not kept and not (repository / ACTION / "action.yml").is_file():
            raise UsageError(
                f"{repository.name} has no submit action of its own: "
                "name one with --uses OWNER/REPO/.github/actions/submit@SHA"
            )
    if not _USES.fullmatch(uses):
        raise UsageError(
            f"{uses!r} is no action to rely on: write ./PATH, or OWNER/REPO/PATH@ and a commit's "
            "40 digits, as `git rev-parse HEAD` prints them in a clone of it"
        )
    return uses


def write_twin(repository: Path, schedule: Schedule, uses: str) -> Path:
    """Write the twin of a schedule, with the submit action as `check_action` gives it."""
    path = twin_path(repository, schedule.name)
    make_dir(path.parent)
    try:
        path.write_text(twin_text(schedule, uses), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    return path


def twin_text(schedule: Schedule, uses: str) -> str:
    """The workflow file."""
    is_local = uses.startswith("./")
    steps = (
        [f"      - uses: {_CHECKOUT}", "        with:", "          persist-credentials: false"]
        if is_local
        else []
    )
    needs = ["    permissions:", "      contents: read"] if is_local else []
    return "\n".join(
        [
            f"# The twin of schedule {schedule.name}: fires a slot that nothing else has fired.",
            "# Written by `relayq schedule`; change the schedule there and write it again.",
            f"name: {_quoted('relayq ' + schedule.name)}",
            "",
            "on:",
            "  schedule:",
            f"    - cron: {_quoted(schedule.github)}",
            f"      timezone: {_quoted(schedule.rule.zone)}",
            "  workflow_dispatch:",
            "",
            "permissions: {}",
            "",
            "concurrency:",
            f"  group: {_quoted('relayq-' + _file_name(schedule.name))}",
            "",
            "jobs:",
            "  fire:",
            f"    name: {_quoted('Fire ' + schedule.name)}",
            "    runs-on: ubuntu-slim",
            "    timeout-minutes: 2",
            *needs,
            "    steps:",
            *steps,
            f"      - uses: {uses}",
            "        env:",
            "          RELAYQ_JOIN: ${{ secrets.RELAYQ_JOIN }}",
            "        with:",
            f"          schedule: {_quoted(schedule.name)}",
            f"          slot: {_quoted(schedule.rule.key)}",
            "",
        ]
    )


def _file_name(schedule: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", schedule)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# -- reading


def _read_file(path: Path, found: Found) -> None:
    workflow = _parsed(path)
    # YAML 1.1 reads the bare word `on` as true.
    triggers = workflow.get("on", workflow.get(True))
    entries = triggers.get("schedule") if isinstance(triggers, Mapping) else None
    since_ms = _changed_ms(path) if entries else 0
    each = sum(_job_minutes(job) for job in _jobs(workflow))
    twin_of = next(_schedules_of(workflow), "")
    for entry in entries if isinstance(entries, list) else ():
        given = entry if isinstance(entry, Mapping) else {}
        cron, zone = given.get("cron"), given.get("timezone", "UTC")
        try:
            check_github_cron(str(cron))
            minutes = monthly_minutes(str(cron), str(zone), each)
        except CronError as error:
            found.problems.append(f"{path.name} has the cron {cron!a}: {error}; nearest is '{error.nearest}'")
        except (KeyError, ValueError, OSError):
            found.problems.append(f"{path.name} has the timezone {zone!a}, which is not known here")
        else:
            found.crons.append(
                WorkflowCron(path, path.name, str(cron), str(zone), minutes, twin_of, since_ms)
            )


def _parsed(path: Path) -> Mapping[Any, Any]:
    import yaml

    try:
        if path.stat().st_size > _BYTES_MAX:
            raise UsageError(f"{path.name} is larger than 1 MiB: that is no workflow")
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        raise UsageError(f"{path.name} is not a YAML file that can be read") from None
    return workflow if isinstance(workflow, Mapping) else {}


def _jobs(workflow: Mapping[Any, Any]) -> list[Mapping[Any, Any]]:
    jobs = workflow.get("jobs")
    return [job for job in jobs.values() if isinstance(job, Mapping)] if isinstance(jobs, Mapping) else []


def runner_labels(job: Mapping[str, Any]) -> list[str]:
    """The labels of `runs-on`: one, a list, or those of a group."""
    given = job.get("runs-on", "")
    if isinstance(given, Mapping):
        given = given.get("labels") or given.get("group") or ""
    return [str(label) for label in (given if isinstance(given, list) else [given])]


def _job_minutes(job: Mapping[Any, Any]) -> int:
    """The least that one run of a job is billed: a minute for each of its matrix, by its system's factor."""
    factor = factor_of(system_of(runner_labels(job)))
    strategy = job.get("strategy")
    matrix = strategy.get("matrix") if isinstance(strategy, Mapping) else None
    count = 1
    for name, values in matrix.items() if isinstance(matrix, Mapping) else ():
        if name not in ("include", "exclude") and isinstance(values, list):
            count = min(MATRIX_MAX, count * max(1, len(values)))
    if isinstance(matrix, Mapping) and not matrix.keys() - {"include", "exclude"}:
        rows = matrix.get("include")
        count = min(MATRIX_MAX, max(1, len(rows))) if isinstance(rows, list) else 1
    return factor * count


def _schedules_of(workflow: Mapping[Any, Any]) -> Iterator[str]:
    """The schedules whose slots its steps fire."""
    for job in _jobs(workflow):
        steps = job.get("steps")
        for step in steps if isinstance(steps, list) else ():
            given = step.get("with") if isinstance(step, Mapping) else None
            if isinstance(given, Mapping) and isinstance(given.get("schedule"), str) and "slot" in given:
                yield given["schedule"]


def _rounded(number: float) -> int:
    return int(number + 0.5)
