"""The owner's word for a job of a GitHub Actions run, given in the terminal UI to a real hub and worker."""

from __future__ import annotations

from dataclasses import replace

import pytest

from relayq.client.glance import asked_by
from relayq.config import load
from relayq.model.lifecycle import State
from relayq_tui.feed import JobsChanged
from relayq_tui.hubfeed import HubFeed
from tests.integration.worker_support import Rig
from tests.security.issuer import Issuer
from tests.security.test_runs import HARMLESS, RULE, issuer, rig, run_of, trust
from tests.support import eventually
from tests.tui.app_support import running, settled, shows

__all__ = ["issuer", "rig"]
WHO = {"repository": "me/site", "run_id": "9190", "actor": "octocat", "event_name": "push"}


def feed_of(rig: Rig, *, read_only: bool = False) -> HubFeed:
    """What the owner sees of the hub."""
    return HubFeed(load({"hub.url": rig.url, "hub.fleet": rig.fleet}), read_only=read_only)


async def asked(rig: Rig, issuer: Issuer) -> str:
    """A job that waits for the owner's word."""
    job, submission = run_of(rig, issuer, HARMLESS, **WHO)
    await rig.jobs.submit([submission])
    await rig.in_state(job, "PENDING")
    return job


async def test_a_job_that_asks_is_shown_with_who_asked_and_runs_once_it_is_approved(
    rig: Rig, issuer: Issuer
) -> None:
    trust(rig, RULE.but(approve=True))
    before = await rig.submit("true")
    async with rig.worker(), running(feed=feed_of(rig), ticks=True) as (app, pilot):
        await rig.ended(before)
        job = await asked(rig, issuer)
        await eventually(lambda: shows(app, "waits for your word (A)"), "the flag says so")
        assert shows(app, "asks")
        await eventually(lambda: shows(app, "run 9190 of me/site"), "the preview says who asked")

        await pilot.press("A")
        await eventually(lambda: shows(app, "let it run"), "it is shown first")
        await eventually(lambda: shows(app, "asked for by run 9190 of me/site by octocat"), "and who asked")
        assert shows(app, "$ echo ran")
        await pilot.press("escape")
        await settled(pilot)
        assert (await rig.record(job)).reason == "approval"

        await pilot.press("A")
        await eventually(lambda: shows(app, "let it run"), "it is shown again")
        await pilot.press("enter")
        assert (await rig.ended(job)).state is State.SUCCEEDED
        await eventually(lambda: not shows(app, "waits for your word"), "nobody asks any more")


async def test_only_what_was_shown_is_approved(rig: Rig, issuer: Issuer) -> None:
    """The hub may be in wrong hands: it could show one job of a run and have another one signed for."""
    trust(rig, RULE.but(approve=True))
    async with rig.worker():
        job = await asked(rig, issuer)
        async with running(feed=feed_of(rig), ticks=True) as (app, pilot):
            await pilot.press("A")
            await eventually(lambda: shows(app, "$ echo ran"), "it is shown")
            _, other = run_of(rig, issuer, HARMLESS.but(command="echo another"), **WHO)
            await rig.hub.link.call("SET", rig.hub.keys.of("s", job), other.envelope)
            await pilot.press("enter")
            await eventually(lambda: shows(app, "another one than was shown"), "it is not signed for")
        assert (await rig.record(job)).reason == "approval"


async def test_who_may_only_look_is_not_asked_for_a_word(rig: Rig, issuer: Issuer) -> None:
    trust(rig, RULE.but(approve=True))
    async with rig.worker():
        job = await asked(rig, issuer)
        async with running(feed=feed_of(rig, read_only=True), read_only=True, ticks=True) as (app, pilot):
            await eventually(lambda: shows(app, "asks"), "the job is there")
            await pilot.press("A")
            await eventually(lambda: shows(app, "read-only"), "it is refused")
        assert (await rig.record(job)).reason == "approval"


async def test_nothing_is_approved_that_does_not_ask() -> None:
    async with running() as (app, pilot):
        await pilot.press("A")
        await settled(pilot)
        assert shows(app, "no selected job waits for your word")


async def test_several_that_ask_are_told_of_in_one_line_and_approved_together() -> None:
    async with running() as (app, pilot):
        for row in [row for row in app.store.newest if row.state is State.FAILED][:4]:
            asking = replace(row, state=State.PENDING, reason="approval", ended_ms=0, exit_code=None)
            app.feed.home.jobs[row.id] = asking
            app.post_update(JobsChanged([asking]))
        await settled(pilot)
        assert shows(app, "5 jobs wait for your word (A)")
        for key in (*"/reason:approval", "enter", "*", "A"):
            await pilot.press(key)
        await eventually(lambda: shows(app, "and 2 more"), "three of them are introduced")
        await pilot.press("enter")
        await eventually(lambda: shows(app, "approved 5 jobs"), "all of them may run")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"1 ed25519 0a1b2c3d " + b"A" * 86, ""),
        (b"1 oidc e30.e30.x", "a run of repository ?"),
        (b"1z oidc e30.eyJydW5faWQiOiI3IiwicmVwb3NpdG9yeSI6ImEvYiJ9.x", "run 7 of a/b"),
        (b"1 oidc e30", ""),
        (b"1 oidc e30.bm8ganNvbg.x", ""),
        (b"1 oidc e30.W10.x", ""),
        (b"1 oidc e30.\xff.x", ""),
    ],
)
def test_who_asked_is_read_from_the_token_of_the_run(header: bytes, said: str) -> None:
    assert asked_by(header + b"\n{}") == said
