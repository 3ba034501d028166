"""A month of recorded runs adds up, to the minute, to what was reckoned by hand."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayq.errors import GitHubDenied, GitHubError
from relayq.github.api import GitHub, Manners
from relayq.github.billing import bill
from relayq.github.minutes import Count, count
from relayq.github.repos import Owner, Repo, private_repos, repo
from relayq.github.token import Token
from relayq.model.budget import Month
from relayq.model.notice import Notice
from tests.github.conftest import Clock
from tests.github.month import BY_SYSTEM, BY_WORKFLOW, DOLLARS, LAB, LINES, OPEN, SITE, TOTAL, fill
from tests.github.server import TOKEN, Failure, Replay, moment, recorded

NOVEMBER = Month(2026, 11)


async def counted(github: GitHub, kept: dict[str, Any] | None = None, month: Month = NOVEMBER) -> Count:
    """The month of all three repositories."""
    repos = [await repo(github, name) for name in (SITE, LAB, OPEN)]
    return await count(github, repos, month, kept or {}, lambda _: None)


def test_the_table_adds_up() -> None:
    assert sum(line.counted for line in LINES) == TOTAL == sum(BY_WORKFLOW.values())


async def test_the_month_is_the_sum_by_hand(github: GitHub, replay: Replay) -> None:
    fill(replay)
    usage = (await counted(github)).usage
    assert usage.used == TOTAL
    assert {name: spent.minutes for name, spent in usage.by_workflow.items()} == BY_WORKFLOW
    assert usage.by_system == BY_SYSTEM
    assert usage.by_repo == {SITE: 61, LAB: 21}
    assert usage.dollars == pytest.approx(DOLLARS)
    assert sum(usage.by_day) == TOTAL
    assert (usage.by_day[0], usage.by_day[2], usage.by_day[29]) == (3, 40, 2)
    assert f"{OPEN} is public: its minutes are free" in usage.notes
    assert not any("incomplete" in note for note in usage.notes)


async def test_the_months_beside_it_have_the_rest(github: GitHub, replay: Replay) -> None:
    fill(replay)
    assert (await counted(github, month=Month(2026, 12))).usage.used == 2
    assert (await counted(github, month=Month(2026, 10))).usage.used == 4


async def test_what_has_ended_is_not_asked_for_twice(github: GitHub, replay: Replay) -> None:
    fill(replay)
    first = await counted(github)
    asked = replay.count("GET /repos/acme/site/actions/runs/")
    again = await counted(github, first.ended)
    assert again.usage.used == TOTAL
    assert again.usage.by_workflow == first.usage.by_workflow
    assert replay.count("GET /repos/acme/site/actions/runs/") == asked


async def test_a_run_that_runs_again_is_asked_for_again(github: GitHub, replay: Replay) -> None:
    fill(replay)
    first = await counted(github)
    replay.runs[SITE][0] |= {"run_attempt": 2, "updated_at": "2026-11-30T10:00:00Z"}
    replay.job(1, "2026-11-30T10:00:00Z", 30, run_attempt=2)
    assert (await counted(github, first.ended)).usage.used == TOTAL + 1


async def test_a_job_that_a_later_attempt_lists_as_it_was_is_billed_once(
    github: GitHub, replay: Replay
) -> None:
    replay.repo(SITE)
    replay.repo(LAB)
    replay.repo(OPEN)
    replay.run(SITE, 1, "2026-11-02T10:00:00Z", run_attempt=2)
    replay.job(1, "2026-11-02T10:00:00Z", 601, name="build", runner_id=7)
    replay.job(1, "2026-11-02T10:00:00Z", 61, name="test", runner_id=8, conclusion="failure")
    replay.job(1, "2026-11-02T10:00:00Z", 601, name="build", runner_id=7, run_attempt=2)
    replay.job(1, "2026-11-02T11:00:00Z", 61, name="test", runner_id=9, run_attempt=2)
    assert (await counted(github)).usage.used == 11 + 2 + 2


async def test_a_user_of_an_enterprise_has_an_underscore(github: GitHub, replay: Replay) -> None:
    replay.repo("mona_acme/site")
    assert (await repo(github, "mona_acme/site")).is_private
    assert Notice.from_json("comment:mona_acme/site#1").repo == "mona_acme/site"


async def test_more_than_a_thousand_runs_are_listed_in_slices(github: GitHub, replay: Replay) -> None:
    replay.repo(SITE)
    kept = {}
    for number in range(1, 1101):
        at = f"2026-11-{2 + number % 3:02d}T{number % 24:02d}:{number % 60:02d}:00Z"
        replay.run(SITE, number, at)
        job = [SITE, "ci.yml", "build", "linux", 1, NOVEMBER.start_ms, number]
        kept[f"{SITE} {number}"] = {"mark": f"1 {at}", "jobs": [job]}
    done = await count(github, [Repo(SITE, True, "main")], NOVEMBER, kept, lambda _: None)
    assert done.usage.used == 1100
    assert done.usage.notes == ()


async def test_a_job_that_runs_has_used_what_it_has_used_so_far(
    github: GitHub, replay: Replay, clock: Clock
) -> None:
    clock.now_s = moment("2026-11-20T12:10:30")
    replay.repo(SITE)
    replay.run(SITE, 1, "2026-11-20T12:00:00Z", status="in_progress", conclusion=None)
    replay.job(1, "2026-11-20T12:00:00Z", 0, completed_at=None, status="in_progress", conclusion=None)
    done = await count(github, [Repo(SITE, True, "main")], NOVEMBER, {}, lambda _: None)
    assert done.usage.used == 11
    assert done.ended == {}


async def test_an_answer_that_fails_on_the_way_leaves_a_marked_figure(github: GitHub, replay: Replay) -> None:
    fill(replay)
    replay.script("GET /repos/acme/lab/actions/runs/", Failure(500, {}, times=99))
    done = await counted(github)
    assert done.usage.used == 61
    assert done.failed is not None
    assert any(note.startswith("incomplete, more was used") for note in done.usage.notes)


async def test_a_repository_without_actions_is_said(github: GitHub, replay: Replay) -> None:
    replay.repo(SITE)
    replay.script("GET /repos/acme/site/actions/runs", Failure(404, {"message": "Not Found"}, times=99))
    done = await count(github, [Repo(SITE, True, "main")], NOVEMBER, {}, lambda _: None)
    assert done.usage.notes == ("acme/site has no Actions, or the token may not read them",)


@pytest.mark.parametrize(
    ("message", "blocked"),
    [
        ("The job was not started because recent account payments have failed or your spending limit needs "
         "to be increased.", True),
        ("The runner lost communication with the server.", False),
    ],
)  # fmt: skip
async def test_usage_that_is_blocked_is_seen(
    github: GitHub, replay: Replay, message: str, blocked: bool
) -> None:
    replay.repo(SITE)
    replay.run(SITE, 1, "2026-11-29T10:00:00Z", conclusion="failure")
    refused = {"conclusion": "failure", "runner_id": None, "steps": [], "id": 77}
    replay.job(1, "2026-11-29T10:00:00Z", 1, **refused)
    replay.annotations[77] = [{"annotation_level": "failure", "message": message}]
    done = await count(github, [Repo(SITE, True, "main")], NOVEMBER, {}, lambda _: None)
    assert (done.usage.used, done.usage.is_blocked) == (0, blocked)


async def test_only_private_repositories_of_the_account_are_counted(github: GitHub, replay: Replay) -> None:
    fill(replay)
    replay.repo("other/thing")
    assert [one.name for one in await private_repos(github, Owner("Acme", False))] == [LAB, SITE]


# -- the bill


async def test_the_bill_is_read_whatever_the_case_of_its_words(github: GitHub, replay: Replay) -> None:
    [item] = replay.usage["usageItems"]
    replay.usage["usageItems"] = [
        item,
        {**item, "product": "actions", "sku": "Actions Windows", "unitType": "Minutes", "grossQuantity": 10},
        {**item, "sku": "actions_linux_4_core", "grossQuantity": 7},
        {**item, "product": "Packages", "unitType": "gigabytes", "grossQuantity": 99},
    ]
    booked = await bill(github, Owner("monalisa", False), NOVEMBER)
    assert booked is not None
    assert booked.used == 1000 + 2 * 10
    assert any("7 minutes of larger runners" in note for note in booked.notes)


async def test_a_bill_of_nothing_is_no_bill_of_zero(github: GitHub, replay: Replay) -> None:
    replay.usage["usageItems"] = []
    assert await bill(github, Owner("monalisa", False), NOVEMBER) is None
    replay.usage = recorded("billing__get-github-billing-usage-summary-report-user")
    replay.usage["usageItems"][0]["grossQuantity"] = 0
    assert await bill(github, Owner("monalisa", False), NOVEMBER) is None
    assert not any("/timing" in line or "settings/billing/actions" in line for line in replay.asked)


async def test_a_bill_that_may_not_be_read_says_what_it_needs(github: GitHub, replay: Replay) -> None:
    replay.usage, replay.scopes = None, "repo, workflow"
    with pytest.raises(
        GitHubDenied, match=r"scope `user`.*has repo, workflow; type `gh auth refresh -s user`"
    ):
        await bill(github, Owner("monalisa", False), NOVEMBER)
    with pytest.raises(GitHubDenied, match="shown to its administrators alone"):
        await bill(github, Owner("acme", True), NOVEMBER)


# -- whatever an answer holds

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.text(max_size=8) | st.sampled_from(
        ["completed", "failure", "2026-11-03T10:00:00Z", "self-hosted", "9999-99-99", "ubuntu-latest"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["id", "labels", "status", "conclusion", "started_at", "completed_at", "updated_at", "path",
             "jobs", "workflow_runs", "total_count", "usageItems", "grossQuantity", "sku", "product",
             "unitType", "steps"]
        ),
        inner, max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=JSON, jobs=JSON, usage=JSON)
async def test_any_answer_is_a_figure_or_a_sentence(replay: Replay, runs: Any, jobs: Any, usage: Any) -> None:
    replay.repo(SITE)
    replay.failures.clear()
    listed = {"total_count": 1, "workflow_runs": [{"id": 5, "updated_at": "2026-11-30T10:00:00Z"}]}
    replay.script("GET /repos/acme/site/actions/runs?", Failure(200, runs if runs else listed, times=999))
    replay.script("GET /repos/acme/site/actions/runs/", Failure(200, {"jobs": [jobs]}, times=999))
    replay.script("GET /users/", Failure(200, {"usageItems": [usage]}, times=999))
    async with GitHub(replay.url, Token(TOKEN, "gh"), manners=Manners(pause=at_once)) as github:
        done = await count(github, [Repo(SITE, True, "main")], NOVEMBER, {}, lambda _: None)
        assert done.usage.used >= 0
        with suppress(GitHubError):
            booked = await bill(github, Owner("acme", False), NOVEMBER)
            assert booked is None or booked.source == "bill"


async def at_once(_: float) -> None:
    """No pause."""
