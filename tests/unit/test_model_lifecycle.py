"""The table of transitions: complete, and final means final."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from relayq.model.lifecycle import (
    CODE,
    FINAL,
    GRACE_MAX_MS,
    GRACE_MIN_MS,
    HEARTBEAT_MS,
    LEASE_MS,
    MEANING,
    TRANSITIONS,
    State,
    grace_ms,
    state_of,
)


def test_every_state_of_the_table_is_known():
    named = {state for before, _, after in TRANSITIONS for state in (before, after)} - {None}
    assert named == set(State)


def test_every_state_has_a_code_and_a_meaning():
    assert set(CODE) == set(MEANING) == set(State)
    assert sorted(CODE.values()) == sorted("PRNUSFCKE")


def test_a_code_leads_back_to_its_state():
    assert all(state_of(code) is state for state, code in CODE.items())


def test_no_transition_is_listed_twice():
    assert len(set(TRANSITIONS)) == len(TRANSITIONS)


def test_final_states_are_left_by_retry_or_late_success_only():
    left = {(event, after) for before, event, after in TRANSITIONS if before in FINAL}
    assert left == {("retry", State.RUNNABLE), ("late_success", State.SUCCEEDED)}


def test_every_final_state_can_be_retried():
    assert {before for before, event, _ in TRANSITIONS if event == "retry"} == FINAL


def test_only_a_job_given_up_as_lost_becomes_succeeded_after_its_end():
    assert [before for before, event, _ in TRANSITIONS if event == "late_success" and before in FINAL] == [
        State.FAILED
    ]


def test_an_attempt_starts_from_runnable_or_comes_back_from_unreachable():
    assert {before for before, _, after in TRANSITIONS if after is State.RUNNING} == {
        State.RUNNABLE,
        State.UNREACHABLE,
    }


def test_every_state_is_reached_and_every_state_can_end():
    ahead = defaultdict(set)
    for before, _, after in TRANSITIONS:
        ahead[before].add(after)
    assert _reachable(None, ahead) == set(State)
    assert all(_reachable(state, ahead) & FINAL for state in State)


def test_two_lost_heartbeats_are_survived():
    assert 3 * HEARTBEAT_MS <= LEASE_MS


@given(st.integers(0, 10**10))
def test_grace_is_the_time_run_within_bounds(run_ms):
    grace = grace_ms(run_ms)
    assert GRACE_MIN_MS <= grace <= GRACE_MAX_MS
    assert grace in (run_ms, GRACE_MIN_MS, GRACE_MAX_MS)


@given(st.integers(0, 10**10), st.integers(1, 10**9))
def test_a_grace_of_its_own_wins(run_ms, wanted):
    assert grace_ms(run_ms, wanted) == wanted


def _reachable(start, ahead):
    found, todo = set(), [start]
    while todo:
        for state in ahead[todo.pop()] - found:
            found.add(state)
            todo.append(state)
    return found
