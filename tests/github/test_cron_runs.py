"""What GitHub's clock did, from its runs to the list and the screen: a real hub, a replayed GitHub."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.model.lifecycle import State
from relayq_tui.rows import ScheduleRow
from tests.e2e.command_line import objects, printed, relayq
from tests.github.server import TOKEN, Failure, Replay, spelled
from tests.support import eventually
from tests.tui.test_hubfeed import watched

SITE = "acme/site"
HOUR_S = 3600


@pytest.fixture
def last_s() -> int:
    """The full hour before the one that has just begun: its slot is an hour old, and the next is not."""
    return int(time.time()) // HOUR_S * HOUR_S - HOUR_S


@pytest.fixture
def live(hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """GitHub with one repository, which is public: no minutes of it are counted."""
    server = Replay()
    server.repo(SITE, private=False)
    server.user["login"] = "acme"
    for name, value in {
        "RELAYQ_URL": hub_url, "RELAYQ_FLEET": fleet, "RELAYQ_GITHUB_API": server.url,
        "RELAYQ_GITHUB_TOKEN": "env:REPLAY", "REPLAY": TOKEN,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield server
    server.close()


@pytest.fixture
def clone(live: Replay, last_s: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with an hourly workflow that was committed seven hours before the slot at last_s."""
    place = tmp_path / "site"
    (place / ".github" / "workflows").mkdir(parents=True)
    monkeypatch.chdir(place)
    git(place, "init", "-q")
    git(place, "remote", "add", "origin", f"git@github.com:{SITE}.git")
    written(place, "hourly.yml", "0 * * * *")
    git(place, "add", ".")
    git(place, "commit", "-qm", "hourly", at_s=last_s - 7 * HOUR_S + 60)
    return place


def written(place: Path, name: str, cron: str) -> None:
    """A workflow with one cron line."""
    text = f"on: {{schedule: [{{cron: '{cron}'}}]}}\njobs: {{a: {{runs-on: ubuntu-latest}}}}\n"
    (place / ".github" / "workflows" / name).write_text(text)


def git(place: Path, *argv: str, at_s: int = 0) -> None:
    """Git as somebody with a name, at that time."""
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@x",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@x",
    }
    when = {"GIT_COMMITTER_DATE": f"{at_s} +0000"} if at_s else {}
    subprocess.run(["git", *argv], cwd=place, env=os.environ | who | when, check=True)


def fired(live: Replay, number: int, at_s: float, name: str = "hourly.yml", **fields: str) -> None:
    """GitHub's clock made a run."""
    given = {"event": "schedule", "path": f".github/workflows/{name}@main", **fields}
    live.run(SITE, number, spelled(at_s), **given)


def row(live: Replay) -> list[str]:
    """The words of the line about it: next (two), last, ago, by, late, missed, minutes."""
    [line] = [line for line in printed("schedule", "list").splitlines() if line.startswith("hourly.yml")]
    return re.split(r"  +", line)


def test_the_list_tells_how_late_the_last_run_was_and_how_many_are_missed(
    live: Replay, clone: Path, last_s: int
) -> None:
    # Seven slots since the commit, of which the first and the fourth were dropped.
    for number, (hours, late_s) in enumerate(((0, 725), (1, 180), (2, 300), (4, 60), (5, 90))):
        fired(
            live,
            number + 1,
            last_s - hours * HOUR_S + late_s,
            conclusion="failure" if not hours else "success",
        )
    fired(live, 90, last_s + 900, event="push")
    told = row(live)
    assert told[4].startswith("FAILED ")
    assert told[5:] == ["github", "12m05s", "2", "720"]
    [shown] = objects("schedule", "list")
    last = shown["last"]
    assert isinstance(last, dict)
    assert (last["late_ms"], last["by"], last["state"]) == (725_000, "github", "failure")
    assert TOKEN not in json.dumps(shown)


def test_github_is_asked_once_a_quarter_of_an_hour_and_the_rest_is_said_with_its_age(
    live: Replay, clone: Path, last_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired(live, 1, last_s + 60)
    for _ in range(2):
        assert "1m00s" in row(live)
    assert live.count("GET /repos/acme/site/actions/runs") == 1
    grow_old(20 * 60_000)
    live.script("GET", Failure(500, {"message": "no"}, times=9))
    listed = relayq("schedule", "list")
    assert "what GitHub's clock did cannot be read" in listed.stderr
    assert re.search("what GitHub's clock did is known as of 20m.* ago", listed.stderr)
    assert "1m00s" in listed.stdout
    monkeypatch.delenv("REPLAY")
    monkeypatch.setenv("RELAYQ_GITHUB_TOKEN", "auto")
    assert "1m00s" in row(live)


def grow_old(ms: int) -> None:
    """Let what the hub knows be older than it is."""
    import asyncio

    from relayq.client.aio import AsyncClient

    async def work() -> None:
        async with AsyncClient(tell=lambda _: None) as client:
            _, known = await client.budget.crons()
            runs = known[SITE]
            await client.budget.keep_crons(SITE, runs._replace(read_ms=runs.read_ms - ms))

    asyncio.run(work())


def test_what_is_not_known_is_a_question_mark(
    live: Replay, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REPLAY")
    monkeypatch.setenv("RELAYQ_GITHUB_TOKEN", "auto")
    assert row(live)[4:8] == ["?", "github", "?", "?"]
    assert live.asked == []


def test_runs_of_another_rule_say_nothing_about_this_one(live: Replay, clone: Path, last_s: int) -> None:
    fired(live, 1, last_s + 60)
    written(clone, "hourly.yml", "20 * * * *")  # not committed: GitHub goes by the old one
    assert row(live)[4:8] == ["never", "-", "-", "0"]


def test_a_repository_that_the_token_may_not_see_is_one_sentence(live: Replay, clone: Path) -> None:
    live.repos.clear()
    listed = relayq("schedule", "list")
    assert (listed.returncode, "Traceback" in listed.stderr) == (0, False)
    assert "what GitHub's clock did cannot be read" in listed.stderr
    assert re.search(r"hourly.yml .* \? +github +\? +\?", listed.stdout)


def test_counting_the_minutes_of_a_private_repository_tells_it_too(
    live: Replay, clone: Path, last_s: int
) -> None:
    live.repo(SITE)
    fired(live, 1, last_s + 240)
    printed("budget", "refresh")
    asked = live.count("GET /repos/acme/site/actions/runs")
    assert "4m00s" in row(live)
    assert live.count("GET /repos/acme/site/actions/runs") == asked


async def test_the_screen_shows_the_same(
    live: Replay, clone: Path, last_s: int, hub_url: str, fleet: str
) -> None:
    fired(live, 1, last_s + 725)
    printed("schedule", "list")
    async with watched(hub_url, fleet) as watching:

        def found() -> ScheduleRow | None:
            return next((row for row in watching.store.schedules if row.last_ms), None)

        seen = await eventually(found, "the last run is there")
        assert seen is not None
        assert (seen.drift_ms, seen.last_state, seen.last_by) == (725_000, State.SUCCEEDED, "github")
