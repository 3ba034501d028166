"""The minutes of a month: rounded, judged, limited, advised on; and the price of what ran at home."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from relayq.errors import UsageError
from relayq.model.advice import advise
from relayq.model.budget import (
    DAY_MS,
    Minutes,
    Month,
    Spent,
    Usage,
    add_up,
    billed_minutes,
    judge,
    limit_minutes,
    read_limit,
    running_sum,
)
from relayq.model.price import NO_WORK, Work, hosted_system, tag
from relayq.model.steps import StepReport, step_of, used_by_steps
from relayq.model.systems import system_of

NOVEMBER = Month(2026, 11)
START = NOVEMBER.start_ms


def usage(per_day: float, days: int, **fields: object) -> Usage:
    """A month in which every day so far used the same."""
    given: dict[str, object] = {"source": "runs", "dollars": per_day * days * 0.006, **fields}
    return Usage(
        month=NOVEMBER,
        read_ms=START + days * DAY_MS - 1,
        used=per_day * days,
        by_day=(per_day,) * days,
        **given,  # type: ignore[arg-type]  # as the caller names them
    )


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(0, 1), (1, 1), (60, 1), (60.001, 2), (61, 2), (120, 2), (3600, 60), (-5, 1)]
)
def test_each_job_is_rounded_up_to_a_whole_minute(seconds: float, minutes: int) -> None:
    assert billed_minutes(0, round(seconds * 1000)) == minutes


@pytest.mark.parametrize(
    ("labels", "system"),
    [
        (["ubuntu-latest"], "linux"), (["Ubuntu-24.04-arm"], "linux"), (["ubuntu-slim"], "slim"),
        (["windows-2025"], "windows"), (["macos-14"], "macos"), (["Self-Hosted", "linux"], "self-hosted"),
        (["big-box"], ""), ([], ""),
    ],
)  # fmt: skip
def test_the_system_is_read_from_the_labels(labels: list[str], system: str) -> None:
    assert system_of(labels) == system


def test_a_month_has_its_days_in_utc() -> None:
    assert (Month.of(START), Month.of(START - 1)) == (NOVEMBER, Month(2026, 10))
    assert (Month(2028, 2).days, NOVEMBER.end_ms) == (29, Month(2026, 12).start_ms)
    assert Month.read(str(NOVEMBER)) == NOVEMBER


def test_systems_count_by_their_factor_and_cost_by_their_price() -> None:
    jobs = [
        Minutes("a/b", "ci.yml", "j", system, 10, START, run=1)
        for system in ("linux", "slim", "windows", "macos")
    ]
    found = add_up("runs", NOVEMBER, START + DAY_MS, jobs)
    assert found.used == 10 + 10 + 20 + 100
    assert found.dollars == pytest.approx(0.06 + 0.02 + 0.10 + 0.62)
    assert found.by_workflow == {"a/b: ci.yml": Spent(140, 1, 4, 0.0, 0, 0)}


def test_a_usage_is_read_back_from_json_as_it_was() -> None:
    before = usage(10, 3, by_workflow={"a/b: c.yml": Spent(1.0, 1, 1, 2.0, 1)}, notes=("x",))
    assert Usage.from_json(json.loads(json.dumps(before.to_json()))) == before


def test_an_even_month_is_foretold_without_doubt() -> None:
    verdict = judge(usage(50, 20), 2000)
    assert (verdict.left, verdict.percent, verdict.alert) == (1000, 50, 0)
    assert verdict.forecast == pytest.approx((1500, 1500, 1500))
    assert verdict.overrun_dollars == 0


def test_too_much_a_day_costs_or_blocks() -> None:
    verdict = judge(usage(90, 20), 2000)
    assert verdict.alert == 90
    assert verdict.outlook.verdict == "runs out"
    assert verdict.outlook.empty_in_days == pytest.approx(200 / 90)
    assert verdict.overrun_dollars == pytest.approx(700 * 0.006)


@pytest.mark.parametrize(
    ("used", "alert"), [(1499, 0), (1500, 75), (1800, 90), (1999, 90), (2000, 100), (9999, 100)]
)
def test_alerts_stand_at_75_90_and_100_percent(used: float, alert: int) -> None:
    assert judge(replace(usage(1, 1), used=used), 2000).alert == alert


def test_a_bill_without_days_is_foretold_evenly() -> None:
    bill = replace(usage(50, 20), by_day=(), source="bill")
    assert judge(bill, 2000).forecast[1] == pytest.approx(1500)
    assert running_sum((), 0) == ()


def test_a_limit_is_a_share_or_minutes() -> None:
    assert limit_minutes(read_limit("90%"), 2000) == 1800
    assert limit_minutes(read_limit("150"), 2000) == 150
    assert limit_minutes(read_limit("off"), 2000) == 2000


@pytest.mark.parametrize("text", ["", "0", "0%", "-5", "90 %", "1e9", "many", "9" * 30])
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no limit: write a share such as 90%"):
        read_limit(text)


# -- advice


def test_a_cron_is_better_kept_at_home_and_short_jobs_in_one() -> None:
    spent = {
        "a/b: nightly.yml": Spent(600, 20, 20, 34_000, 20),
        "a/b: ci.yml": Spent(90, 30, 90, 2_700, 0),
        "a/b: once.yml": Spent(5, 1, 1, 290, 0),
        "a/b: mixed.yml": Spent(66, 3, 6, 300, 0, 0),
    }
    found = advise(usage(35, 15, by_workflow=spent))
    assert [(one.workflow, one.kind, round(one.saves)) for one in found] == [
        ("a/b: nightly.yml", "schedule", 1200),
        ("a/b: nightly.yml", "period", 600),
        ("a/b: ci.yml", "one-job", 2 * (90 - 60)),
    ]


# -- the price


def test_the_price_is_the_formula_s() -> None:
    # Two hours on 2 CPUs with 4 GB, as one attempt of 120 minutes; the machine drew 12 W of 24 for it.
    work = Work(7200, 14_400, 28_800, {"linux": 120}, joules=12 * 7200)
    price = tag(work, 0.30)
    assert price.fargate_x86 == pytest.approx(4 * 0.04048 + 8 * 0.004445)
    assert price.fargate_arm == pytest.approx(4 * 0.03238 + 8 * 0.00356)
    assert price.hosted == pytest.approx(120 * 0.006)
    assert (price.kwh, price.home) == (pytest.approx(0.024), pytest.approx(0.0072))
    assert price.formulas["fargate_x86"] == "4 vCPU-h x $0.04048 + 8 GB-h x $0.004445"
    assert price.formulas["home"] == "0.024 kWh x 0.3"


def test_what_is_not_known_at_home_is_not_made_up() -> None:
    some = Work(60, 60, 120, {"linux": 1}, joules=0, unmetered_s=30)
    assert (tag(some, 0.3).home, tag(some, 0.3).formulas["home"][:9]) == (None, "not known")
    part = tag(some._replace(joules=3.6e6), 0.3)
    assert (part.home, part.home_is_part) == (0.3, True)
    assert part.formulas["home"] == "1 kWh x 0.3; 30s ran on workers whose watts are not set (worker.watts)"
    metered = some._replace(unmetered_s=0, joules=600)
    assert tag(metered, None).home is None
    assert "which is not set (budget.kwh_price)" in tag(metered, None).formulas["home"]


def test_work_adds_up() -> None:
    one = Work(1, 2, 3, {"linux": 1}, 5, 6)
    assert NO_WORK.plus(one).plus(one._replace(hosted_min={"macos": 2})) == Work(
        2, 4, 6, {"linux": 1, "macos": 2}, 10, 12
    )
    assert (hosted_system(("mac",)), hosted_system(("windows",)), hosted_system(("arm64",))) == (
        "macos", "windows", "linux",
    )  # fmt: skip


# -- steps

ENVIRON = {
    "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_JOB": "submit",
    "GITHUB_REPOSITORY": "acme/site", "GITHUB_WORKFLOW": "Nightly", "RUNNER_OS": "macOS",
    "GITHUB_WORKFLOW_REF": "acme/site/.github/workflows/nightly.yml@refs/heads/main",
    "RUNNER_ENVIRONMENT": "github-hosted", "RUNNER_NAME": "GitHub Actions 4",
}  # fmt: skip


def test_a_step_tells_what_it_is() -> None:
    found = step_of(ENVIRON, START, {"repository": {"private": True}})
    assert found is not None
    assert (found.key, found.workflow, found.system, found.private) == (
        "77.2.submit.GitHub Actions 4",
        "nightly.yml",
        "macos",
        True,
    )
    assert step_of({**ENVIRON, "GITHUB_ACTIONS": ""}, START, {}) is None


def test_what_steps_told_counts_until_they_were_last_heard() -> None:
    told = step_of(ENVIRON, START, {})
    assert told is not None
    reports = [
        replace(told, seen_ms=START + 61_000),
        replace(told, run=78, hosted=False),
        replace(told, run=79, private=False),
        replace(told, run=80, system="linux", seen_ms=START + 1),
    ]
    found = used_by_steps(reports, NOVEMBER, START + DAY_MS)
    assert (found.used, found.jobs, found.source) == (20 + 1, 2, "steps")


def test_jobs_of_a_matrix_count_each_and_one_that_tells_around_midnight_counts_once() -> None:
    told = [step_of({**ENVIRON, "RUNNER_NAME": f"GitHub Actions {one}"}, START, {}) for one in range(3)]
    reports = [replace(one, system="linux", seen_ms=START + 59_000) for one in told if one]
    heard = [*reports, replace(reports[0], seen_ms=START + 61_000)]
    for order in (heard, heard[::-1]):
        found = used_by_steps(
            [StepReport.read(json.dumps(asdict(one))) or one for one in order], NOVEMBER, START
        )
        assert (found.used, found.jobs) == (2 + 1 + 1, 3)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"repo": 1}', "\xff", '{"run": "x"}', "null", "[" * 5000])
def test_what_is_no_report_counts_nothing(text: str) -> None:
    assert StepReport.read(text) is None
