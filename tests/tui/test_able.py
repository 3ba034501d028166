"""Whether there is a worker that could ever take a job."""

from __future__ import annotations

import pytest

from relayq.model.lifecycle import State
from relayq_tui.able import Ability
from relayq_tui.feed import JobsChanged
from relayq_tui.rows import JobRow, WorkerRow
from tests.tui.app_support import PHONE, WIDE, running, settled, shows

PI = WorkerRow(name="pi", offer={"cpus_milli": 4000, "memory_bytes": 1 << 30, "labels": ["pi"]})
AWAY = WorkerRow(name="mac", offer={"cpus_milli": 8000, "gpus": 1, "labels": ["mac"]}, online=False)


@pytest.mark.parametrize(
    ("needs", "lacks"),
    [
        ("", False),
        ("pi,cpus=2,memory=512M", False),
        ("tool:ffmpeg", False),  # which tools it has it tells only when it is asked
        ("mac", True),
        ("gpu=1", True),
        ("cpus=8", True),
        ("\ufffd==", False),
    ],
)
def test_what_none_that_is_online_has_is_lacking(needs: str, lacks: bool) -> None:
    assert Ability().lacks(needs, {"pi": PI, "mac": AWAY}) is lacks


def test_where_no_worker_is_known_nothing_is_said_of_them() -> None:
    assert not Ability().lacks("gpu=1", {})


def test_when_the_workers_are_other_ones_it_is_asked_again() -> None:
    ability = Ability()
    assert ability.lacks("mac", {"pi": PI})
    assert not ability.lacks("mac", {"mac": WorkerRow(name="mac", offer=AWAY.offer)})


@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_the_list_says_that_no_worker_can_take_a_job(size: tuple[int, int]) -> None:
    async with running(size) as (app, pilot):
        now_ms = app.store.now_ms()
        huge = JobRow(id="H" * 16, name="huge", command="true", state=State.RUNNABLE, needs="gpu=64",
                      submitted_ms=now_ms, ready_ms=now_ms)  # fmt: skip
        app.post_update(JobsChanged([huge]))
        await settled(pilot)
        assert shows(app, "no worker")
        assert not shows(app, "of its kind")
