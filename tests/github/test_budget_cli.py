"""The minutes from the command line and on the screen: real processes, a real hub, a replayed GitHub."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.client.steering import Order, carry_out
from relayq.errors import GitHubError
from relayq.model.budget import Month, Usage
from relayq.model.steps import StepReport
from tests.e2e.command_line import objects, printed, relayq
from tests.github.month import LAB, SITE, fill
from tests.github.server import TOKEN, Failure, Replay, spelled
from tests.support import eventually
from tests.tui.test_hubfeed import watched

NOW_S = time.time()


@pytest.fixture
def live(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """GitHub with two repositories; three jobs of this month, 2 + 20 + 1 minutes."""
    server = Replay()
    fill(server, ())
    month = Month.of(int(NOW_S * 1000))
    at = spelled(month.start_ms / 1000)
    server.run(SITE, 1, at, path=".github/workflows/ci.yml@main", event="push")
    server.job(1, at, 61)
    server.job(1, at, 65, "macos-14")
    server.run(LAB, 2, at, path=".github/workflows/nightly.yml@main", event="schedule")
    server.job(2, at, 5)
    server.usage["usageItems"] = []
    for name, value in {
        "RELAYQ_URL": hub_url, "RELAYQ_FLEET": fleet, "RELAYQ_GITHUB_API": server.url,
        "RELAYQ_GITHUB_TOKEN": "env:REPLAY", "REPLAY": TOKEN,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield server
    server.close()


def test_the_month_is_shown_with_source_and_age(live: Replay) -> None:
    shown = printed("budget")
    assert "used      23 of 2000 (1 %), counted from runs (3 jobs), " in shown
    assert "acme/site: ci.yml      22       1     2" in shown
    [told] = objects("budget", "--cached")
    assert (told["used"], told["left"], told["source"]) == (23, 1977, "runs")
    assert {source["source"] for source in told["sources"]} == {"runs"}  # type: ignore[attr-defined]  # a list
    assert TOKEN not in json.dumps(told)


def test_a_month_that_is_over_stands_as_it_was_last_read(live: Replay, hub_url: str, fleet: str) -> None:
    october = Usage(source="runs", month=Month(2026, 10), read_ms=1, used=1234.0)

    async def keep() -> None:
        async with AsyncClient(tell=lambda _: None) as client:
            await client.budget.keep(october, 2000, "acme")

    asyncio.run(keep())
    # The figures of October are none of this month's, however new they are in the hub.
    assert objects("budget", "--cached")[0]["used"] is None
    assert "2026-10  1234 of 2000 when last read" in printed("budget", "--cached")
    assert "used      23 of 2000" in printed("budget")
    assert "used  1234 of 2000 when last read" in printed("budget", "show", "--month", "2026-10")


def test_a_count_that_breaks_off_leaves_the_fuller_one(live: Replay) -> None:
    printed("budget")
    live.run(SITE, 9, spelled(NOW_S), path=".github/workflows/ci.yml@main")
    live.script(f"GET /repos/{SITE}/actions/runs/", Failure(403, {"message": "no"}, times=99))
    ended = relayq("budget", "refresh")
    assert ended.returncode == 0
    assert "the token from the variable REPLAY may not GET /repos/acme/site/actions/runs/" in ended.stderr
    assert "used      23 of 2000" in ended.stdout


def test_the_figures_of_the_hub_are_enough_for_a_quarter_of_an_hour(live: Replay) -> None:
    printed("budget")
    asked = len(live.asked)
    printed("budget", "check", "--max", "90%")
    assert len(live.asked) == asked
    printed("budget", "refresh")
    assert len(live.asked) > asked


def test_a_check_ends_with_1_when_the_limit_is_reached(live: Replay) -> None:
    assert relayq("budget", "check", "--max", "90%").returncode == 0
    ended = relayq("budget", "check", "--max", "1%")
    assert ended.returncode == 1
    assert ended.stdout.startswith(
        "reached: 23 of at most 20 minutes used (2000 included), counted from runs (3 jobs), "
    )
    printed("budget", "limit", "23")
    assert relayq("budget", "check").returncode == 1
    printed("budget", "limit", "off")
    assert objects("budget", "check") == [{"ok": True, "used": 23, "limit": 2000, "blocked": False}]


def test_nothing_known_is_never_a_zero(live: Replay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAYQ_GITHUB_TOKEN", "auto")
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert "nothing is known of this month" in printed("budget")
    assert objects("budget")[0]["used"] is None
    ended = relayq("budget", "check")
    assert (ended.returncode, ended.stdout) == (125, "")
    assert "nothing is known of this month's minutes: log in with `gh auth login`" in ended.stderr
    assert "there is no GitHub token here" in relayq("budget", "refresh").stderr


def test_a_github_that_fails_leaves_the_old_figures_with_their_age(live: Replay) -> None:
    printed("budget")
    live.script("GET", Failure(401, {"message": "Bad credentials"}, times=99))
    ended = relayq("budget", "refresh")
    assert ended.returncode == 125
    assert ended.stderr == (
        "relayq: GitHub refuses the token from the variable REPLAY: it has expired or was revoked\n"
    )
    assert "used      23 of 2000" in printed("budget", "--cached")


def test_an_account_whose_bill_is_hidden_goes_on_with_the_runs(live: Replay) -> None:
    live.usage = None
    ended = relayq("budget", "refresh")
    assert ended.returncode == 0
    assert "the bill needs a classic token with the scope `user`" in ended.stderr
    assert "used      23 of 2000" in ended.stdout


def test_steps_alone_need_no_token(live: Replay, monkeypatch: pytest.MonkeyPatch, fleet: str) -> None:
    monkeypatch.setenv("REPLAY", "")
    start_ms = Month.of(int(NOW_S * 1000)).start_ms

    async def leave() -> None:
        async with AsyncClient(tell=lambda _: None) as client:
            for run in (1, 2):
                told = StepReport(repo=SITE, workflow="ci.yml", job="submit", run=run, started_ms=start_ms)
                now_ms = await client.now_ms()
                await client.budget.step(told if run == 1 else replaced(told, now_ms - 61_000))

    asyncio.run(leave())
    [told] = objects("budget", "--cached")
    assert (told["source"], told["sources"][0]["jobs"]) == ("steps", 2)  # type: ignore[index]  # a list


def test_a_submit_inside_of_actions_leaves_its_report(
    live: Replay, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"repository": {"private": true}}')
    step = {
        "GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_JOB": "submit",
        "GITHUB_REPOSITORY": SITE, "RUNNER_OS": "macOS", "GITHUB_EVENT_PATH": str(event),
        "GITHUB_WORKFLOW_REF": f"{SITE}/.github/workflows/nightly.yml@refs/heads/main",
    }  # fmt: skip
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    printed("submit", "--", "true")
    printed("submit", "--", "true")
    [told] = objects("budget", "--cached")
    [source] = told["sources"]  # type: ignore[misc]  # a list
    assert (source["source"], source["used"], source["jobs"]) == ("steps", 10, 1)
    assert source["by_repo"] == {SITE: 10}


def replaced(told: StepReport, started_ms: int) -> StepReport:
    """The same, started then."""
    return replace(told, started_ms=started_ms)


def test_a_plan_says_whether_it_fits(live: Replay, tmp_path: Path) -> None:
    path = tmp_path / "poll.yml"
    path.write_text("on: {schedule: [{cron: '*/5 * * * *'}]}\njobs: {a: {runs-on: ubuntu-latest}}\n")
    ended = relayq("budget", "plan", str(path))
    assert ended.returncode == 1
    assert "does not fit: " in ended.stdout
    path.write_text("on: {schedule: [{cron: '17 3 * * *'}]}\njobs: {a: {runs-on: ubuntu-latest}}\n")
    [told] = objects("budget", "plan", str(tmp_path))
    assert told["fits"]
    assert 28 <= float(str(told["planned"])) <= 31


def test_advice_names_the_workflow_and_the_minutes(live: Replay) -> None:
    shown = printed("budget", "advise")
    assert shown.splitlines()[1].startswith("acme/lab: nightly.yml")
    assert "1 of its 1 runs were started by a cron" in shown


def test_a_workflow_is_started_and_followed(live: Replay) -> None:
    ended = relayq("gh", "dispatch", "ci.yml", "--repo", SITE, "-f", "a=b=c", "--watch")
    assert (ended.returncode, ended.stdout) == (0, "run 9001 ended: success\n")
    [posted] = live.posts("/dispatches")
    assert (posted["ref"], posted["inputs"], posted["return_run_details"]) == ("main", {"a": "b=c"}, True)
    assert "9001" in printed("gh", "runs", "--repo", SITE)
    assert relayq("gh", "cancel", "9001", "--repo", SITE).stdout == "run 9001 has ended already\n"
    live.run(SITE, 77, spelled(NOW_S), status="in_progress", conclusion=None)
    assert printed("gh", "cancel", "77", "--repo", SITE) == "run 77 is asked to end\n"
    conclusions = {run["id"]: run["conclusion"] for run in objects("gh", "runs", "--repo", SITE)}
    assert conclusions[77] == "cancelled"


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["gh", "dispatch"], "name the workflow's file"),
        (["gh", "dispatch", "a b", "--repo", SITE], "is not a workflow: write its file's name"),
        (["gh", "dispatch", "ci.yml", "--repo", "../.."], "is not OWNER/NAME"),
        (["gh", "dispatch", "ci.yml", "--repo", SITE, "-f", "x"], "is not NAME=VALUE"),
        (["gh", "dispatch", "ci.yml", "--repo", SITE, *[w for n in range(26) for w in ("-f", f"i{n}=1")]],
         "26 inputs are too many for a workflow: at most 25"),
        (["gh", "dispatch", "ci.yml", "--repo", SITE, "-f", "x=" + "y" * 65_600], "at most 65535"),
        (["gh", "cancel", "x", "--repo", SITE], "is not the number of a run"),
        (["gh", "runs", "-n", "0", "--repo", SITE], "-n 0 is out of range"),
        (["budget", "show", "x"], "takes no 'x'"),
        (["budget", "limit"], "write the limit"),
        (["budget", "show", "--month", "2026-13"], "is no month: write 2026-11"),
        (["budget", "plan"], "name the planned files"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_sentence(live: Replay, argv: list[str], words: str) -> None:
    ended = relayq(*argv)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert live.posted == []


def test_a_notifier_without_repositories_or_token_says_so(
    live: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "write --repos OWNER/NAME, or set github.notify" in relayq("notifier").stderr
    assert "'acme' is not OWNER/NAME" in relayq("notifier", "--repos", "acme/*,acme").stderr
    monkeypatch.setenv("REPLAY", "")
    ended = relayq("notifier", "--repos", SITE)
    assert ended.returncode == 125
    assert "there is no GitHub token in the variable REPLAY" in ended.stderr


def test_a_job_shows_its_price_and_whom_it_told(live: Replay) -> None:
    job = printed("submit", "--notify", "comment:acme/site#3", "--needs", "cpus=1", "--", "true").strip()
    worker = relayq("worker", "--once", "--headless")
    assert worker.returncode == 0, worker.stderr
    printed("notifier", "--once", "--repos", "acme/*")
    shown = printed("show", job)
    assert "price      under 0.01 anywhere (--json says how much)" in shown
    assert "comment:acme/site#3" in shown
    [told] = objects("show", job)
    assert told["price"]["hosted"] == 0.006  # type: ignore[index]  # an object
    assert told["notices"][0]["word"] == "posted"  # type: ignore[index]  # a list
    assert len(live.posts("/comments")) == 1
    assert "What ran on your own machines in this month" in printed("budget", "--cached")


@pytest.mark.usefixtures("live")
def test_what_costs_a_cent_elsewhere_is_shown_with_its_formula() -> None:
    job = printed("submit", "--array", "2", "--needs", "cpus=1", "--", "true").strip()
    worker = relayq("worker", "--once", "--headless")
    assert worker.returncode == 0, worker.stderr
    shown = printed("show", job)
    assert "price Fargate x86" in shown
    assert "price hosted Actions  $0.0120 = 2 min linux x $0.006" in shown


# -- the screen


async def test_the_screen_has_the_hub_s_figures_and_gives_both_orders(
    live: Replay, hub_url: str, fleet: str
) -> None:
    async with watched(hub_url, fleet) as seen:
        await eventually(lambda: seen.store.budget is not None, "the budget came")
        assert seen.store.budget is not None
        assert (seen.store.budget.source, seen.store.budget.included_min) == ("", 2000)
        assert (await seen.feed.act(Order(verb="ask", ids=("GitHub",)))).sentence == "asked GitHub"
        await eventually(lambda: seen.store.budget and seen.store.budget.used_min == 23, "the minutes came")
        said = (await seen.feed.act(Order(verb="limit", ids=("budget",), value="10%"))).sentence
        assert said == "set the limit of the budget to 10%"
        await eventually(
            lambda: seen.store.budget and seen.store.budget.guard_percent == 10, "the limit came"
        )
        assert dict(seen.store.budget.spenders) == {"ci.yml": 22, "nightly.yml": 1}


async def test_a_github_that_cannot_be_asked_is_one_sentence_on_the_screen(
    live: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "REPLAY", "ghp_wrongwrongwrong")
    async with AsyncClient(tell=lambda _: None) as client:
        with pytest.raises(GitHubError, match=r"^GitHub refuses the token from the variable REPLAY"):
            await carry_out(client, Order(verb="ask", ids=("GitHub",)))


def test_what_the_token_may_not_see_any_more_makes_no_month_of_nothing(live: Replay) -> None:
    assert "used      23 of 2000" in printed("budget")
    live.script("GET /repos/acme/site/actions", Failure(404, {"message": "Not Found"}, times=99))
    live.script("GET /repos/acme/lab/actions", Failure(404, {"message": "Not Found"}, times=99))
    shown = relayq("budget", "refresh")
    assert "used      23 of 2000" in shown.stdout
    assert "acme/site has no Actions, or the token may not read them" in shown.stderr
    [told] = objects("budget", "--cached")
    months = told["months"]
    assert isinstance(months, dict)
    assert [month["used"] for month in months.values()] == [23]


def test_a_month_that_nobody_counted_cannot_be_counted_now(live: Replay) -> None:
    assert "nobody had the hub count it then" in printed("budget", "show", "--month", "2020-01")


def test_a_limit_is_told_with_what_to_do(live: Replay) -> None:
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW_S) + 1800)}
    live.script("GET", Failure(403, {"message": "API rate limit exceeded"}, reset, times=99))
    refused = relayq("budget", "refresh")
    assert (refused.returncode, "try again then" in refused.stderr) == (125, True)
    assert "what was read before is shown" not in refused.stderr
    assert "what was read before is shown" in relayq("budget").stderr
