"""Cron lines of workflow files: read, priced, and written for the twin of a schedule."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from relayq.errors import SpecError, UsageError
from relayq.model.cron import Cron
from relayq.model.job import JobSpec
from relayq.model.schedule import Rule, Schedule
from relayq.workflows import (
    check_action,
    monthly_minutes,
    read_crons,
    repository_of,
    twin_cron,
    twin_path,
    write_twin,
)

SPEC = JobSpec.from_dict({"command": "restic backup ~"})
SHA = "acme/relayq/.github/actions/submit@" + "0123456789" * 4


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with a folder for workflows."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".github" / "workflows").mkdir(parents=True)
    return tmp_path


def workflow(repository: Path, name: str, text: str) -> None:
    """Write a workflow."""
    (repository / ".github" / "workflows" / name).write_text(text)


def nightly(cron: str = "30 2 * * *", name: str = "nightly") -> Schedule:
    """A schedule that can have a twin."""
    schedule = Schedule(name=name, rule=Rule(cron=cron, zone="Europe/Berlin"), spec=SPEC)
    return Schedule(name=name, rule=schedule.rule, spec=SPEC, github=twin_cron(schedule))


@pytest.mark.parametrize(
    ("cron", "minutes"),
    [("*/5 * * * *", 8_640), ("*/30 * * * *", 1_440), ("0 * * * *", 720), ("0 3 * * *", 30)],
)
def test_a_month_costs_a_minute_a_firing(cron: str, minutes: int) -> None:
    assert monthly_minutes(cron) == minutes


def test_crons_are_read_with_what_they_cost(repository: Path) -> None:
    workflow(repository, "a.yml", """
on:
  schedule:
    - cron: "*/30 * * * *"
    - cron: "0 3 * * *"
      timezone: Europe/Berlin
  push:
jobs:
  linux: {runs-on: ubuntu-latest}
  mac: {runs-on: macos-14, strategy: {matrix: {python: ["3.11", "3.13"], include: [1]}}}
  two: {runs-on: ubuntu-24.04, strategy: {matrix: {include: [{os: a}, {os: b}]}}}
  home: {runs-on: [self-hosted, linux]}
""")  # fmt: skip
    workflow(repository, "b.yaml", "on: push\njobs: {}\n")
    found = read_crons(repository)
    assert found.problems == []
    assert [(cron.name, cron.cron, cron.zone, cron.minutes) for cron in found.crons] == [
        ("a.yml", "*/30 * * * *", "UTC", 1_440 * 23),
        ("a.yml", "0 3 * * *", "Europe/Berlin", 30 * 23),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "on: {schedule: [{cron: '61 * * * *'}]}",
            "minute 61 is out of range: 0 to 59; nearest is '59 * * * *'",
        ),
        ("on: {schedule: [{cron: '0 * * * *', timezone: Moon/Base}]}", "the timezone 'Moon/Base'"),
        ("on: {schedule: [5]}", "has the cron None"),
        ("{", "is not a YAML file"),
        ("\x00", "is not a YAML file"),
        ("&a [*a]", ""),
        ("on: {schedule: 5}\njobs: [1]", ""),
        ("[" * 5000, "is not a YAML file"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(repository: Path, text: str, said: str) -> None:
    workflow(repository, "bad.yml", text)
    found = read_crons(repository)
    assert found.crons == []
    assert len(found.problems) == bool(said)
    assert said in "".join(found.problems)


def test_the_repository_is_found_from_below(repository: Path, tmp_path: Path) -> None:
    below = repository / "a" / "b"
    below.mkdir(parents=True)
    assert repository_of(below) == repository


@pytest.mark.parametrize(
    ("cron", "twin"),
    [
        ("30 2 * * *", "37 2 * * *"),
        ("*/5 * * * *", "2,7,12,17,22,27,32,37,42,47,52,57 * * * *"),
        ("0 * * * *", "7 * * * *"),
        ("55 * * * *", "2 * * * *"),
        ("53 * * * *", "59 * * * *"),
        ("57 23 * * 1", "59 23 * * 1"),
        ("55 * 1 * *", "59 * 1 * *"),
        ("55 * * * 1", "59 * * * 1"),
        ("55 * * 3 *", "59 * * 3 *"),
        ("0 4 * * 7", "7 4 * * 0"),
        ("@daily", "7 0 * * *"),
    ],
)
def test_a_twin_fires_a_little_after_its_slot(cron: str, twin: str) -> None:
    schedule = nightly(cron)
    assert schedule.github == twin
    now_s = next(Cron(twin, "Europe/Berlin").after(1_800_000_000))
    slot_ms = schedule.latest(now_s * 1000)
    assert slot_ms is not None
    assert 0 < now_s - slot_ms // 1000 <= 7 * 60


@pytest.mark.parametrize(
    "rule", [Rule(every_ms=3_600_000), Rule(cron="*/2 * * * *"), Rule(at_ms=(1_900_000_000_000,))]
)
def test_what_github_cannot_fire_has_no_twin(rule: Rule) -> None:
    with pytest.raises(SpecError, match="cannot have a twin"):
        twin_cron(Schedule(name="a", rule=rule, spec=SPEC))


@pytest.mark.parametrize("name", ["nightly", "a/b", "it.is+here"])
def test_a_twin_is_a_workflow_that_names_the_schedule_and_nothing_of_its_command(
    repository: Path, name: str
) -> None:
    schedule = nightly(name=name)
    path = write_twin(repository, schedule, SHA)
    assert path == twin_path(repository, name)
    text = path.read_text()
    read = yaml.safe_load(text)
    job = read["jobs"]["fire"]
    assert read[True]["schedule"] == [{"cron": "37 2 * * *", "timezone": "Europe/Berlin"}]
    assert read["permissions"] == {}
    assert (job["runs-on"], job["timeout-minutes"]) == ("ubuntu-slim", 2)
    assert "permissions" not in job  # the firing is not signed: the schedule in the hub is
    [step] = job["steps"]
    assert step["with"] == {"schedule": name, "slot": "30 2 * * * Europe/Berlin"}
    assert "restic" not in text
    assert "run:" not in text
    [cron] = read_crons(repository).crons
    assert (cron.twin_of, cron.minutes) == (name, 30)


def test_a_twin_with_an_action_of_its_own_repository_checks_it_out(repository: Path) -> None:
    path = write_twin(repository, nightly(), "./.github/actions/submit")
    job = yaml.safe_load(path.read_text())["jobs"]["fire"]
    assert job["permissions"]["contents"] == "read"
    assert job["steps"][0]["with"] == {"persist-credentials": False}


def test_the_action_must_be_pinned_and_is_remembered(repository: Path) -> None:
    for loose in ("acme/relayq@main", "acme/relayq@v1", "https://x", "./a b", "a/b@" + "0" * 40 + "\nrun: x"):
        with pytest.raises(UsageError, match="is no action to rely on"):
            check_action(repository, "nightly", loose)
    with pytest.raises(UsageError, match="has no submit action of its own"):
        check_action(repository, "nightly", None)
    write_twin(repository, nightly(), check_action(repository, "nightly", SHA))
    assert check_action(repository, "nightly", None) == SHA
    own = repository / ".github" / "actions" / "submit"
    own.mkdir(parents=True)
    (own / "action.yml").write_text("")
    assert check_action(repository, "other", None) == "./.github/actions/submit"
