"""Why and what to do: one sentence for each way in which a job can need somebody."""

from __future__ import annotations

import pytest

from relayq.model.lifecycle import State
from relayq.store.records import ArrayCounts
from relayq_tui.actions import ACTIONS
from relayq_tui.feed import JobDetail
from relayq_tui.hints import RULES, Hint, attempts, ending, hint, waited
from tests.tui.test_store import NOW, row


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (124, "time-out"), (126, "not executable"), (127, "not found"), (137, "out of memory"),
        (139, "crashed"), (1, "the command failed"),
    ],
)  # fmt: skip
def test_an_exit_code_says_why(code: int, why: str) -> None:
    assert why in hint(row(1, State.FAILED, exit_code=code, reason="exit")).why


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("timeout", "timeout"), ("crash_limit", "worker after worker"), ("refused", "signature"),
        ("lost", "did not come back"), ("deadline", "deadline"),
    ],
)  # fmt: skip
def test_a_reason_goes_before_the_exit_code(reason: str, why: str) -> None:
    assert why in hint(row(1, State.FAILED, exit_code=137, reason=reason)).why


def test_a_skipped_job_names_the_one_that_it_needed() -> None:
    only = hint(row(1, State.SKIPPED, reason="dependency", after=("0123456789NST8ZX",)))
    assert only.why == "NST8ZX did not do what it needed"
    assert "needed" in hint(row(1, State.SKIPPED, reason="dependency", after=("A" * 16, "B" * 16))).why


def test_of_an_array_the_elements_that_failed_are_counted() -> None:
    counts = ArrayCounts(
        size=50, start=0, waiting=0, running=0, succeeded=47, failed=3, cancelled=0, skipped=0
    )
    assert hint(row(1, State.FAILED, exit_code=1, reason="exit", array=counts)) == Hint(
        "3 of 50 elements failed", "see which, and why", "open"
    )


def test_what_memory_it_had_is_said() -> None:
    said = hint(row(1, State.FAILED, exit_code=137, reason="exit", needs="gpu=1,memory=1G"))
    assert "1G" in said.why
    assert said.fix == "more memory than 1G"


def test_a_job_that_no_worker_can_run_says_what_is_missing() -> None:
    waiting = row(1)
    told = JobDetail(row=waiting, explain=["worker pi is offline", "worker mac has no tool ffmpeg"])
    assert "mac has no tool ffmpeg" in hint(waiting, told).why


def test_a_job_that_only_waits_its_turn_is_no_trouble() -> None:
    waiting = row(1)
    told = JobDetail(row=waiting, explain=["3 jobs of its kind stand before it", "worker mac could run it"])
    said = hint(waiting, told)
    assert (said.why, said.fix) == ("3 jobs of its kind stand before it", "")


def test_a_long_wait_that_goes_on_changes_no_figure_every_minute() -> None:
    assert waited(row(3_660), NOW) == "1h"
    assert waited(row(3_540), NOW) == "59m00s"
    assert waited(row(3_660, State.SUCCEEDED, started_ms=NOW), NOW) == "1h01m"


def test_a_healthy_job_is_quiet() -> None:
    for state in (State.RUNNING, State.SUCCEEDED):
        assert hint(row(1, state)).why == ""


def test_every_action_that_is_named_exists() -> None:
    known = {action.id for action in ACTIONS} | {""}
    assert {rule.action for rule in RULES} <= known


def test_a_signal_has_its_name() -> None:
    assert ending(row(1, State.FAILED, exit_code=137, reason="exit")) == "exit 137 (KILL)"
    assert ending(row(1, State.FAILED, exit_code=143, reason="timeout")) == "exit 143 (TERM) timeout"


def test_attempts_say_whether_any_is_left() -> None:
    assert attempts(row(1, State.FAILED, attempt=3, max_attempts=3)) == "try 3/3, none left"
    assert attempts(row(1, State.RUNNING, attempt=1, max_attempts=3)) == "try 1/3"
    assert attempts(row(1)) == ""
