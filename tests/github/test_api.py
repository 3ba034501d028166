"""GitHub's manners and failures, against a server that shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayq.errors import GitHubDenied, GitHubLimited, GitHubMissing, GitHubUnavailable
from relayq.github.actions import dispatch
from relayq.github.api import GitHub, Manners
from relayq.github.repos import repo
from relayq.github.token import Token
from tests.github.conftest import Clock
from tests.github.server import TOKEN, Failure, Replay

SITE = "acme/site"


async def items(github: GitHub, path: str) -> list[int]:
    """The ids of a list of runs."""
    return [item["id"] async for item in github.pages(path, {}, "workflow_runs")]


async def test_a_list_is_read_to_its_end_page_by_page(github: GitHub, replay: Replay) -> None:
    replay.repo(SITE)
    for number in range(250):
        replay.run(SITE, number + 1, "2026-11-01T00:00:00Z")
    assert sorted(await items(github, f"/repos/{SITE}/actions/runs")) == list(range(1, 251))
    assert replay.count(f"GET /repos/{SITE}/actions/runs?") == 3


async def test_what_has_not_changed_is_not_sent_again(github: GitHub, replay: Replay) -> None:
    replay.repo(SITE)
    first, left = await repo(github, SITE), replay.remaining
    assert await repo(github, SITE) == first
    assert (replay.not_modified, replay.remaining) == (1, left)
    replay.repos[SITE]["private"] = False
    assert not (await repo(github, SITE)).is_private


async def test_a_limit_that_ends_soon_is_waited_for_by_github_s_clock(
    github: GitHub, replay: Replay, clock: Clock
) -> None:
    replay.repo(SITE)
    # This machine's clock is a month ahead or behind: only GitHub's own counts.
    reset = str(int(clock.now_s) + 40)
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
    replay.script("GET", Failure(403, {"message": "API rate limit exceeded"}, limit))
    assert (await repo(github, SITE)).name == SITE
    assert clock.waited == [pytest.approx(40, abs=2)]


async def test_a_limit_that_lasts_is_said_and_not_waited_for(
    github: GitHub, replay: Replay, clock: Clock
) -> None:
    limit = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(clock.now_s) + 1500)}
    replay.script("GET", Failure(403, {"message": "API rate limit exceeded"}, limit))
    with pytest.raises(
        GitHubLimited, match=r"no more requests with the token from env:GH_TOKEN for 2[45]m"
    ) as it:
        await repo(github, SITE)
    assert it.value.wait_s == pytest.approx(1500, abs=2)
    assert clock.waited == []


@pytest.mark.parametrize(
    ("failure", "wait"),
    [
        (Failure(429, {"message": "Too Many Requests"}, {"retry-after": "7"}), 7),
        (Failure(403, {"message": "You have exceeded a secondary rate limit."}), 60),
        (Failure(403, {"message": "You have exceeded a secondary rate limit."}, {"retry-after": "30"}), 30),
        (Failure(429, {"message": "slow down"}), 60),
    ],
)
async def test_retry_after_and_secondary_limits_are_obeyed(
    github: GitHub, replay: Replay, clock: Clock, failure: Failure, wait: float
) -> None:
    replay.repo(SITE)
    failure.times = 1
    replay.script("GET", failure)
    assert (await repo(github, SITE)).name == SITE
    assert clock.waited == [wait]


@pytest.mark.parametrize(
    "failure",
    [
        Failure(502, {"message": "Bad Gateway"}, times=2),
        Failure(200, {"full_name": SITE, "private": True, "padding": "x" * 4000}, times=2, cut=True),
        Failure(200, b'{"full_name": "acme/si', times=2),
    ],
    ids=["502", "a body that breaks off", "a body that is half a JSON"],
)
async def test_a_read_is_tried_again(github: GitHub, replay: Replay, clock: Clock, failure: Failure) -> None:
    replay.repo(SITE)
    failure.times = 2
    replay.script("GET", failure)
    assert (await repo(github, SITE)).name == SITE
    assert clock.waited == [1, 2]


async def test_a_server_that_stays_broken_is_one_sentence(github: GitHub, replay: Replay) -> None:
    replay.script("GET", Failure(503, b"<html>down</html>", times=99))
    with pytest.raises(GitHubUnavailable, match="answered GET /repos/acme/site with 503: try again later"):
        await repo(github, SITE)


async def test_a_post_that_may_have_been_taken_is_not_made_twice(github: GitHub, replay: Replay) -> None:
    replay.repo(SITE)
    replay.script("POST", Failure(502, {"message": "Bad Gateway"}, after=True))
    with pytest.raises(GitHubUnavailable) as it:
        await dispatch(github, SITE, "ci.yml", "main", {})
    assert it.value.is_unsure
    assert len(replay.posts("/dispatches")) == 1


async def test_a_wrong_token_is_named_by_its_place_alone(replay: Replay) -> None:
    secret = "ghp_thisIsWrongAndMustNotBeShown"
    async with GitHub(replay.url, Token(secret, "file /x/token")) as github:
        with pytest.raises(GitHubDenied, match="refuses the token from file /x/token: it has expired") as it:
            await repo(github, SITE)
    assert secret not in str(it.value) + repr(Token(secret, "here"))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (
            {"x-accepted-oauth-scopes": "repo", "x-oauth-scopes": "gist, user"},
            "scopes repo and has gist, user",
        ),
        ({"x-accepted-github-permissions": "actions=read"}, "it needs the permission actions=read"),
        ({}, "Resource not accessible by personal access token"),
    ],
)
async def test_a_right_that_is_missing_is_named(
    github: GitHub, replay: Replay, headers: dict[str, str], words: str
) -> None:
    body = {"message": "Resource not accessible by personal access token"}
    replay.script("GET", Failure(403, body, headers))
    with pytest.raises(GitHubDenied, match=words):
        await repo(github, SITE)


async def test_a_private_repository_that_is_hidden_is_not_called_missing_for_sure(github: GitHub) -> None:
    with pytest.raises(GitHubMissing, match=r"nothing at /repos/acme/hidden, or the token .* may not see it"):
        await repo(github, "acme/hidden")


async def test_no_address_of_an_answer_is_followed(github: GitHub, replay: Replay) -> None:
    other = Replay()
    replay.script("GET", Failure(301, {"url": other.url}, {"location": f"{other.url}/repos/acme/site"}))
    with pytest.raises(GitHubMissing, match="has moved: write the repository's new name"):
        await repo(github, SITE)
    link = {"link": f'<{other.url}/next>; rel="next"'}
    replay.script("GET", Failure(200, {"workflow_runs": []}, link))
    assert await items(github, f"/repos/{SITE}/actions/runs") == []
    assert other.asked == []
    other.close()


async def test_nobody_there_is_one_sentence(clock: Clock) -> None:
    async with GitHub("http://127.0.0.1:9", Token(TOKEN, "gh"), manners=Manners(pause=clock.pause)) as github:
        with pytest.raises(
            GitHubUnavailable, match=r"does not answer at http://127\.0\.0\.1:9: check the network"
        ):
            await repo(github, SITE)


async def test_the_last_requests_of_the_hour_are_left_to_others(replay: Replay) -> None:
    replay.repo(SITE)
    replay.remaining = 52
    async with GitHub(replay.url, Token(TOKEN, "gh"), manners=Manners(reserve=50)) as github:
        await repo(github, SITE)
        await repo(github, SITE)
        with pytest.raises(GitHubLimited, match="only 50 requests") as limited:
            await repo(github, SITE)
        assert 590 < limited.value.wait_s <= 600


async def test_what_is_kept_of_answers_only_its_owner_may_read(
    github: GitHub, replay: Replay, tmp_path: Path
) -> None:
    replay.repo(SITE)
    await repo(github, SITE)
    [kept] = (tmp_path / "etags").iterdir()
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_text("{broken")
    assert (await repo(github, SITE)).name == SITE
