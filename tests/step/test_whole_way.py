"""The whole way of a workflow's job: step, inbox, admission, worker, commit status, and nobody at a screen.

Everything is real but GitHub: the composite action in bash, an installed hub with TLS and roles,
tokens of a loopback issuer, a worker that tells notices beside its work, and a server that
answers as GitHub does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.hub.acl import SUBMITTER, User, rules
from relayq.store.wire import Wire
from tests.github.server import TOKEN, Replay, spelled
from tests.security.issuer import Issuer, running
from tests.step.house import Home, json_url
from tests.step.runner_support import SHA, Ran, Runner
from tests.step.tokens import tokens
from tests.support import eventually_sync

SITE = "acme/site"
STATUSES = f"/repos/{SITE}/statuses/{SHA}"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def github() -> Iterator[Replay]:
    replay = Replay()
    replay.repo(SITE)
    replay.user["login"] = "acme"
    yield replay
    replay.close()


@pytest.fixture(scope="module")
def house(issuer: Issuer, github: Replay) -> Iterator[Home]:
    """The owner has written the token into a file of their own, and says for which repositories it is."""
    house = Home(
        issuer,
        f'[github]\napi = "{github.url}"\ntoken = "file:~/token"\nnotify = ["{SITE}"]\n',
        secret=TOKEN,
    )
    yield house
    house.site.close()


@pytest.fixture
def runner(tmp_path: Path, issuer: Issuer) -> Iterator[Runner]:
    """A runner of a job with `id-token: write`."""
    with tokens(issuer) as service:
        service.claims = {"repository": SITE}
        runner = Runner(tmp_path)
        runner.environment |= service.variables | {"GITHUB_REPOSITORY_ID": "12"}
        yield runner


def trust(house: Home, *options: str) -> None:
    """The owner's word about the repository; the same one takes it back."""
    numbers = () if "--remove" in options else ("--repository-id", "12", "--owner-id", "34")
    house.owner.relayq("trust", "github", SITE, *numbers, *options)


@pytest.fixture
def trusted(house: Home) -> Iterator[None]:
    trust(house)
    yield
    trust(house, "--remove")


def told(house: Home, job: str) -> list[str]:
    """What the hub knows of the telling of this job's end."""
    shown = house.owner.relayq("show", job)
    return re.findall(r"^ *told +(\S+)", shown, re.MULTILINE)


def statuses(github: Replay, job: str) -> list[dict[str, str]]:
    """The statuses that were posted about this job."""
    return [status for status in github.posts(STATUSES) if job in status["description"]]


def signed_by_its_run(house: Home, job: str) -> bool:
    envelope = Wire(json_url(house.owner)).call("GET", f"{{rq:home}}:s:{job}")
    return re.match(rb"1z? oidc ", envelope) is not None


def jobs(house: Home) -> set[str]:
    """Every job that the hub has."""
    wire = Wire(json_url(house.owner))
    keys = wire.call("SCAN", 0, "COUNT", 100_000, "MATCH", "{rq:home}:j:*")[1]
    wire.close()
    return {key.decode().rpartition(":")[2] for key in keys}


def test_a_push_becomes_a_job_and_the_job_a_commit_status(
    house: Home, github: Replay, runner: Runner, trusted: None
) -> None:
    ran = runner.run(
        command='echo "made of $PARAM"', params="PARAM=it", name="render", notify="status", join=house.join
    )
    job = ran.outputs["job-id"]
    assert (ran.code, ran.outputs["status"], ran.log.commands) == (0, "accepted", []), ran.raw
    assert signed_by_its_run(house, job)
    eventually_sync(lambda: statuses(github, job), "its status is posted")
    assert house.output(job) == "made of it\n"
    [status] = statuses(github, job)
    assert (status["state"], status["context"]) == ("success", "relayq/render")
    assert status["description"].startswith("succeeded after ")
    eventually_sync(lambda: told(house, job) == ["posted"], "the hub knows", every_s=0.2)
    assert TOKEN not in (house.owner.home / "worker.log").read_text() + ran.raw


def test_a_second_notifier_beside_the_worker_posts_nothing_again(
    house: Home, github: Replay, runner: Runner, trusted: None
) -> None:
    second = house.owner.start("notifier", log="notifier.log")
    try:
        ids = [
            runner.run(command=f"exit {code}", name=f"j{code}", notify="status", join=house.join).outputs[
                "job-id"
            ]
            for code in range(4)
        ]
        eventually_sync(
            lambda: all(told(house, job) == ["posted"] for job in ids), "all are told", every_s=0.2
        )
        ended = house.owner.process("notifier", "--once")
        assert ended.returncode == 0, ended.stderr
    finally:
        second.kill()
        second.wait()
    assert [[status["state"] for status in statuses(github, job)] for job in ids] == [
        ["success"], ["failure"], ["failure"], ["failure"]
    ]  # fmt: skip
    assert "with exit code 3" in statuses(github, ids[3])[0]["description"]


def test_a_step_that_waits_says_the_same_as_the_status(
    house: Home, github: Replay, runner: Runner, trusted: None
) -> None:
    ran = runner.run(
        command="echo from home; exit 5",
        name="tests",
        notify="status",
        wait="true",
        cap="1m",
        join=house.join,
    )
    job = ran.outputs["job-id"]
    assert (ran.code, ran.outputs["status"]) == (5, "failed"), ran.raw
    assert "from home" in ran.log.shown
    assert ran.error == f"job {job} has failed with exit code 5"
    eventually_sync(lambda: statuses(github, job), "its status is posted")
    [status] = statuses(github, job)
    assert status["state"] == "failure"
    assert status["description"].startswith("failed with exit code 5 after ")


def test_an_array_of_a_run_is_told_as_a_whole_and_its_end_is_believed_at_home(
    house: Home, github: Replay, runner: Runner, trusted: None
) -> None:
    ran = runner.run(command="true", array="3", notify="status", join=house.join)
    job = ran.outputs["job-id"]
    eventually_sync(lambda: statuses(github, job), "its status is posted")
    assert [status["state"] for status in statuses(github, job)] == ["success"]
    ended = house.owner.ended("wait", job)
    assert (ended.returncode, "not believed" in ended.stderr) == (0, False), ended.stderr


def test_a_repository_that_is_not_trusted_gets_a_sentence_and_no_job(
    house: Home, github: Replay, runner: Runner, tmp_path: Path
) -> None:
    before, posted = jobs(house), len(github.posted)
    ran = refused(runner, house, tmp_path, "no rule of the roster is for repository acme/site")
    assert "relayq trust github acme/site" in ran.error
    trust(house, "--branch", "release")
    try:
        refused(runner, house, tmp_path, "ref 'refs/heads/main' is not refs/heads/release")
    finally:
        trust(house, "--remove")
    assert jobs(house) == before
    assert len(github.posted) == posted


def test_the_summary_says_where_the_month_stands_as_far_as_that_is_known(
    house: Home, github: Replay, runner: Runner
) -> None:
    def summary() -> str:
        ran = runner.run(command="true", sign="key", join=house.join)
        assert (ran.code, ran.outputs["status"]) == (0, "accepted"), ran.raw
        return ran.summary

    assert "The month's minutes are not known: nobody at home has counted those of" in summary()
    begun = spelled(github.now_s())
    run = github.run(SITE, 77, begun, path=".github/workflows/ci.yml@main")
    github.job(run["id"], begun, 125)
    house.owner.relayq("budget", "refresh")
    assert re.search(
        r"Minutes of `acme` in \d{4}-\d\d: 3 of 2,000 used, 1,997 left \(counted from runs, \S+ ago\)\.",
        summary(),
    )
    forget_the_month(house)
    assert "may not read them yet (at home, `relayq hub upgrade` lets it)" in summary()
    house.owner.relayq("hub", "upgrade")
    assert "3 of 2,000 used" in summary()
    runner.event = {"repository": {"private": False}}
    assert "used" not in summary()


def forget_the_month(house: Home) -> None:
    """Give the step's user the rights that it had before there was such a line."""
    user = User(SUBMITTER, "ci", "home", house.ticket.mark)
    keys = [word for word in rules(user, "", (7, 0)) if word[0] in "%~" and not word.endswith(":bs")]
    wire = Wire(json_url(house.owner))
    wire.call("ACL", "SETUSER", user.login, "resetkeys", *keys)
    wire.close()


def refused(runner: Runner, house: Home, tmp_path: Path, why: str) -> Ran:
    """A step whose job nobody lets in, and nobody runs."""
    ran = runner.run(
        command=f"touch {tmp_path}/ran", notify="status", sign="oidc", wait="true", join=house.join
    )
    job = ran.outputs["job-id"]
    assert (ran.code, ran.outputs["status"]) == (1, "refused"), ran.raw
    assert why in ran.error
    assert why in ran.summary
    assert "is not in the hub" in house.owner.refused("show", job)
    assert not (tmp_path / "ran").exists()
    return ran
