"""A job ends, and GitHub is told once: on a real hub, with real workers, by one or several notifiers."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relayq.client.aio import AsyncClient
from relayq.client.schedules import add, fire_latest
from relayq.errors import SpecError
from relayq.github.api import GitHub, Manners
from relayq.github.notifier import Eyes, Notifier
from relayq.github.token import Token
from relayq.model.job import JobSpec
from relayq.model.notice import Notice, wants
from relayq.model.schedule import Rule, Schedule
from relayq.store.notices import Notices
from relayq.trust.keys import Keyring, SigningKey
from tests.github.server import TOKEN, Failure, Replay
from tests.integration.worker_support import Rig
from tests.support import PrivateServer, eventually

SHA = "0123456789abcdef0123456789abcdef01234567"
STATUS = f"status:acme/site@{SHA}"
SITE = "acme/site"


@pytest.fixture
def live() -> Iterator[Replay]:
    """GitHub, by the real clock."""
    server = Replay()
    server.repo(SITE)
    yield server
    server.close()


@pytest.fixture
async def rig(hub_url: str, fleet: str, home: Path) -> AsyncIterator[Rig]:
    """A fleet."""
    rig = Rig(hub_url, fleet, home)
    await rig.hub.open()
    yield rig
    await rig.hub.close()


def notifier(github: GitHub, rig: Rig, *, publics: set[str] | None = None) -> Notifier:
    """A notifier in this process that reads the rig's roster, or believes these keys in its place."""

    def eyes() -> Eyes:
        submitters = rig.roster().submitters() if publics is None else Keyring(publics)
        standing = rig.standing()
        return Eyes(submitters, standing.runs.by(rig.roster().github), standing.reader(), is_reader=True)

    return Notifier(github, url=rig.url, fleet=rig.fleet, repos=(SITE,), eyes=eyes)


async def tell(rig: Rig, live: Replay, **options: Any) -> None:
    """Tell everything that is due."""
    async with GitHub(live.url, Token(TOKEN, "gh"), manners=Manners(patience_s=0, gap_s=0)) as github:
        await notifier(github, rig, **options).work(Notices(rig.hub))


async def shift(rig: Rig, ms: int) -> None:
    """Move the hub's clock."""
    await rig.hub.link.call("HINCRBY", rig.hub.keys.anchor, "shift", ms)


async def finished(rig: Rig, command: str = "true", **fields: Any) -> str:
    """A job that has ended on a worker; its id."""
    job = await rig.submit(command, **fields)
    async with rig.worker():
        await rig.ended(job)
    return job


@contextmanager
def process(
    rig: Rig, live: Replay, name: str, *options: str, **more: str
) -> Iterator[subprocess.Popen[bytes]]:
    """`relayq notifier` in a process of its own."""
    environ = os.environ | {
        "RELAYQ_URL": rig.url, "RELAYQ_FLEET": rig.fleet, "RELAYQ_GITHUB_API": live.url,
        "RELAYQ_GITHUB_TOKEN": "env:REPLAY", "REPLAY": TOKEN, "RELAYQ_GITHUB_NOTIFY": "acme/*",
        **more,
    }  # fmt: skip
    with (rig.marks / f"{name}.log").open("ab") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", "relayq", "notifier", *options], env=environ, stdout=log, stderr=log
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


# -- the wish


@pytest.mark.parametrize(
    "text",
    [
        STATUS,
        f"check:a/b.c@{SHA}",
        "comment:acme/site#12",
        "dispatch:acme/site@done",
        f"status:a/b@{'0' * 64}",
    ],
)
def test_a_wish_is_read_back_as_it_is_written(text: str) -> None:
    assert Notice.from_json(text).to_json() == text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="stauchekomndip:/@#.0123456789abcdef-_AZ~ \n", max_size=60) | st.from_regex(
    r"(status|check|comment|dispatch):[a-z]{1,3}/[a-z.]{1,4}([@#][0-9a-f]{1,41})?", fullmatch=True
))  # fmt: skip
def test_any_text_is_a_wish_that_is_read_back_or_a_sentence(text: str) -> None:
    try:
        notice = Notice.from_json(text)
    except SpecError as error:
        assert "is no notice" in str(error)
    else:
        assert Notice.from_json(notice.to_json()) == notice
        assert ".." not in notice.repo.split("/")


def test_a_dispatch_has_a_type_of_its_own() -> None:
    assert Notice.from_json("dispatch:acme/site").target == "relayq"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mail:me@example.com", "is no notice: write status:OWNER/REPO@SHA"),
        ("status:acme/site@main", "behind status:OWNER/REPO stands @ and the whole SHA"),
        ("status:acme/site", "behind status:OWNER/REPO stands @"),
        ("comment:acme/site@12", "stands # and the number"),
        (f"status:https://evil/x@{SHA}", "is no notice"),
        (f"status:../..@{SHA}", "is no notice"),
        (f"status:acme/..@{SHA}", "is no notice"),
        (7, "is no notice"),
    ],
)
def test_what_is_no_wish_is_one_sentence(text: object, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        JobSpec.from_dict({"command": "true", "notify": [text]})


def test_repositories_are_named_one_by_one_or_by_their_owner() -> None:
    assert wants(("Acme/Site",), "acme/site")
    assert wants(("acme/*",), "ACME/other")
    assert not wants(("acme/site", "acm/*"), "acme/other")


# -- telling


async def test_a_worker_tells_a_status_beside_its_work(
    rig: Rig, live: Replay, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("API", live.url), ("TOKEN", "env:REPLAY"), ("NOTIFY", SITE)):
        monkeypatch.setenv(f"RELAYQ_GITHUB_{name}", value)
    monkeypatch.setenv("REPLAY", TOKEN)
    job = await rig.submit("exit 3", name="render", notify=[STATUS])
    worker = rig.process()
    await eventually(lambda: live.posts("/statuses/"), f"the status is posted: {worker.said()}")
    [status] = live.posts("/statuses/")
    record = await rig.record(job)
    assert (status["state"], status["context"]) == ("failure", "relayq/render")
    assert status["description"].startswith("failed with exit code 3 after ")
    assert status["description"].endswith(f"on w1 [{job}.{record.ended_ms}]")
    await eventually(lambda: told(rig, job), "the hub knows that it was told")
    assert TOKEN not in worker.said()
    worker.kill()


async def told(rig: Rig, job: str) -> list[str]:
    """What became of its notices."""
    return [notice.word for notice in (await rig.record(job)).notices]


async def test_every_kind_is_told_once(rig: Rig, live: Replay) -> None:
    wishes = [STATUS, f"check:acme/site@{SHA}", "comment:acme/site#7", "dispatch:acme/site@done"]
    job = await finished(rig, name="`@everyone`", notify=wishes)
    await tell(rig, live)
    await tell(rig, live)
    assert await told(rig, job) == ["posted"] * 4
    assert [len(live.posts(part)) for part in ("/statuses/", "/check-runs", "/comments", "/dispatches")] == [
        1
    ] * 4
    [check], [comment], [dispatch] = (
        live.posts(part) for part in ("/check-runs", "/comments", "/dispatches")
    )
    assert (check["conclusion"], check["head_sha"]) == ("success", SHA)
    assert "@everyone" not in comment["body"]
    assert dispatch["event_type"] == "done"
    assert dispatch["client_payload"]["state"] == "SUCCEEDED"
    assert len(dispatch["client_payload"]) <= 10
    assert await rig.hub.link.call("EXISTS", rig.hub.keys.prefix + "nq", rig.hub.keys.prefix + "nh") == 0


async def test_two_notifiers_of_which_one_is_killed_tell_it_once(rig: Rig, live: Replay) -> None:
    hang = threading.Event()
    live.script("POST /repos/acme/site/statuses/", Failure(0, hang=hang, after=True))
    job = await finished(rig, notify=[STATUS])
    with process(rig, live, "n1") as first:
        # The post was taken, and its answer never comes: the notifier dies in doubt.
        await eventually(lambda: len(live.posts("/statuses/")) == 1, "the first has posted")
        first.kill()
        first.wait()
    with process(rig, live, "n2"), process(rig, live, "n3"):
        await shift(rig, 200_000)
        await rig.hub.link.call("XADD", rig.hub.keys.events, "*", "k", "notice", "i", job, "d", "")
        await eventually(lambda: told(rig, job), "the second knows that it was told")
    hang.set()
    assert len(live.posts("/statuses/")) == 1
    assert (await rig.record(job)).notices[0].detail.endswith("(stood there already)")


async def test_many_notifiers_share_many_notices(rig: Rig, live: Replay) -> None:
    jobs = [await rig.submit("true", notify=[STATUS], name=f"j{number}") for number in range(12)]
    async with rig.worker(slots=4):
        for job in jobs:
            await rig.ended(job)
    with process(rig, live, "n1"), process(rig, live, "n2"), process(rig, live, "n3"):

        async def all_told() -> bool:
            return [await told(rig, job) for job in jobs] == [["posted"]] * 12

        await eventually(all_told, "all are told", timeout_s=30)
    marks = [status["description"].split("[")[1] for status in live.posts("/statuses/")]
    assert len(marks) == len(set(marks)) == 12


async def test_a_notifier_outlives_its_hub(
    own_server: PrivateServer, fleet: str, home: Path, live: Replay
) -> None:
    rig = Rig(own_server.url, fleet, home)
    await rig.hub.open()
    with process(rig, live, "n1") as running:
        job = await rig.submit("true", notify=[STATUS])
        await rig.jobs.cancel(job)
        await eventually(lambda: live.posts("/statuses/"), "the first is told")
        own_server.kill()
        await eventually(lambda: "tried again" in (rig.marks / "n1.log").read_text(), "it misses the hub")
        own_server.start()
        await rig.hub.close()
        await rig.hub.open()
        job = await rig.submit("true", notify=[STATUS])
        await rig.jobs.cancel(job)
        await eventually(lambda: len(live.posts("/statuses/")) == 2, "the second is told")
        assert running.poll() is None
    await rig.hub.close()


async def test_a_dispatch_in_doubt_is_not_made_again(rig: Rig, live: Replay) -> None:
    job = await finished(rig, notify=["dispatch:acme/site"])
    lost = Notices(rig.hub)
    assert await lost.claim([SITE], timedelta(minutes=3)) is not None
    await shift(rig, 200_000)
    await tell(rig, live)
    assert await told(rig, job) == ["unsure"]
    assert live.posts("/dispatches") == []


async def test_what_github_does_not_take_now_is_told_later(rig: Rig, live: Replay) -> None:
    job = await finished(rig, notify=[STATUS])
    live.script("POST", Failure(429, {"message": "slow down"}, {"retry-after": "90"}))
    await tell(rig, live)
    assert (await told(rig, job), live.posts("/statuses/")) == (["later"], [])
    await shift(rig, 60_000)
    await tell(rig, live)
    assert live.posts("/statuses/") == []
    await shift(rig, 31_000)
    await tell(rig, live)
    assert (await told(rig, job), len(live.posts("/statuses/"))) == (["posted"], 1)


async def test_an_answer_that_was_lost_is_looked_up(rig: Rig, live: Replay) -> None:
    job = await finished(rig, notify=[STATUS])
    live.script("POST", Failure(502, {"message": "Bad Gateway"}, after=True))
    await tell(rig, live)
    assert await told(rig, job) == ["later"]
    await shift(rig, 10_000)
    await tell(rig, live)
    assert (await told(rig, job), len(live.posts("/statuses/"))) == (["posted"], 1)


async def test_a_commit_that_is_not_there_is_given_up_with_a_sentence(rig: Rig, live: Replay) -> None:
    job = await finished(rig, notify=[STATUS])
    live.script("POST", Failure(422, {"message": f"No commit found for SHA: {SHA}"}))
    await tell(rig, live)
    [notice] = (await rig.record(job)).notices
    assert (notice.word, "No commit found for SHA" in notice.detail) == ("failed", True)


async def test_a_job_that_runs_again_is_told_again(rig: Rig, live: Replay) -> None:
    job = await finished(rig, "exit 1", notify=[STATUS])
    first = await rig.record(job)
    await tell(rig, live)
    assert await rig.retry(job, 1) == "retried"
    async with rig.worker():
        again = await rig.ended(job)
    assert again.ended_ms > first.ended_ms
    await tell(rig, live)
    assert len(live.posts("/statuses/")) == 2


async def test_a_hub_alone_makes_nobody_post(rig: Rig, live: Replay) -> None:
    stranger = SigningKey.generate()
    job = await finished(rig, notify=[STATUS])
    await tell(rig, live, publics={stranger.public})
    [notice] = (await rig.record(job)).notices
    assert notice.word == "failed"
    assert notice.detail.startswith("it is not told: ")
    assert live.posted == []


async def test_an_end_that_no_worker_signed_is_not_told(rig: Rig, live: Replay) -> None:
    job = await finished(rig, "exit 1", notify=[STATUS])
    await rig.hub.link.call("HSET", rig.hub.keys.of("j", job), "s", "S", "x", "0")
    await tell(rig, live)
    [notice] = (await rig.record(job)).notices
    assert (notice.word, "is not believed" in notice.detail) == ("failed", True)
    assert live.posted == []


async def test_a_stranger_s_machine_leaves_the_notice_to_others(
    rig: Rig, live: Replay, tmp_path: Path
) -> None:
    job = await finished(rig, notify=[STATUS])
    with process(rig, live, "n1", HOME=str(tmp_path)):
        log = rig.marks / "n1.log"
        await eventually(lambda: "nothing is told from here" in log.read_text(), "it says so")
        assert "belongs to another owner" in log.read_text()
    assert (await told(rig, job), live.posted) == ([], [])
    with process(rig, live, "n2", "--trust", rig.key.public, HOME=str(tmp_path)):
        await eventually(lambda: told(rig, job), "one that trusts the owner tells it")
    assert len(live.posts("/statuses/")) == 1
    [status] = live.posts("/statuses/")
    assert status["context"] == "relayq"  # the name is sealed to the fleet


async def test_the_members_of_a_batch_are_told(rig: Rig, live: Replay) -> None:
    specs = [JobSpec.from_dict({"command": "true", "notify": [f"comment:acme/site#{n}"]}) for n in (1, 2)]
    jobs = await rig.submit_batch(specs)
    async with rig.worker():
        for job in jobs:
            await rig.ended(job)
    await tell(rig, live)
    assert [await told(rig, job) for job in jobs] == [["posted"], ["posted"]]


async def test_a_job_of_a_schedule_is_told(rig: Rig, live: Replay) -> None:
    schedule = Schedule(
        name="nightly",
        rule=Rule(every_ms=1000),
        spec=JobSpec.from_dict({"command": "true", "notify": [STATUS]}),
    )
    async with AsyncClient(rig.url, fleet=rig.fleet, tell=lambda _: None) as client:
        await add(client, schedule)
        fired: list[str] = []

        async def fire() -> bool:
            slot = await fire_latest(client, "nightly", "test")
            fired.extend([slot.job] if slot and slot.word == "new" else [])
            return bool(fired)

        await eventually(fire, "a slot has come")
    async with rig.worker():
        await rig.ended(fired[0])
    await tell(rig, live)
    assert await told(rig, fired[0]) == ["posted"]
    assert len(live.posts("/statuses/")) == 1


async def test_what_the_hub_says_of_the_repository_is_held_against_the_signature(
    rig: Rig, live: Replay
) -> None:
    job = await finished(rig, notify=["comment:other/thing#1"])
    await rig.hub.link.call("HSET", rig.hub.keys.of("j", job), "nt", '["acme/site"]')
    await tell(rig, live)
    [notice] = (await rig.record(job)).notices
    assert (notice.word, "does not name other/thing" in notice.detail) == ("failed", True)


async def test_other_repositories_are_left_to_other_notifiers(rig: Rig, live: Replay) -> None:
    live.repo("other/thing")
    job = await finished(rig, notify=["comment:other/thing#1"])
    mine = await finished(rig, notify=["comment:acme/site#1"])
    await tell(rig, live)
    assert (await told(rig, job), await told(rig, mine)) == ([], ["posted"])


async def test_an_array_is_told_as_a_whole(rig: Rig, live: Replay) -> None:
    job = await finished(rig, 'test "$RELAYQ_ARRAY_INDEX" != 1', array=3, notify=[STATUS])
    await tell(rig, live)
    [status] = live.posts("/statuses/")
    assert status["state"] == "failure"
    assert status["description"].endswith(f"[{job}.{(await rig.record(job)).ended_ms}]")


async def test_a_cancelled_job_is_told_without_having_run(rig: Rig, live: Replay) -> None:
    job = await rig.submit("true", notify=[STATUS])
    assert await rig.jobs.cancel(job) == "cancelled"
    await tell(rig, live)
    [status] = live.posts("/statuses/")
    assert (status["state"], status["description"].partition(" [")[0]) == ("error", "cancelled")


async def test_forgetting_a_job_forgets_its_notices(rig: Rig) -> None:
    job = await rig.submit("true", notify=[STATUS])
    await rig.jobs.cancel(job)
    await shift(rig, 15 * 86_400_000)
    await rig.hub.run("tick", {})
    names = [rig.hub.keys.prefix + "nq", rig.hub.keys.prefix + "nh", rig.hub.keys.of("nr", job)]
    assert await rig.hub.link.call("EXISTS", *names) == 0
    assert await asyncio.wait_for(rig.jobs.record(job), 10) is None
