"""The retry policy: who gets another attempt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.errors import SpecError
from relayq.model.retry import REASONS, RetryPolicy, decide, parse_patterns
from tests.unit.model_strategies import codes, patterns, policies


@given(policies)
def test_a_policy_reads_back(policy):
    assert RetryPolicy.from_dict(policy.to_dict()) == policy


@given(patterns)
def test_patterns_read_back(words):
    assert parse_patterns(list(words)) == words


def test_patterns_are_read_from_texts_and_numbers():
    assert parse_patterns(["75,100-110", "timeout", 9, "7-7", "075"]) == (
        "75",
        "100-110",
        "timeout",
        "9",
        "7",
    )


@pytest.mark.parametrize(
    "value",
    ["", "0", "256", "110-100", "1-", "exit", "-5", ["1", ""], 0, -1, 1.5, None, True, ["1"] * 17, [[]]],
)
def test_what_is_no_pattern_is_refused(value):
    with pytest.raises(SpecError, match=r"\(field 'retry_on'\)"):
        parse_patterns(value)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": 11}, "attempts"),
        ({"attempts": "3"}, "attempts"),
        ({"backoff": "soon"}, "backoff"),
        ({"backoff_cap": -1}, "backoff_cap"),
        ({"stop_on": "x"}, "stop_on"),
    ],
)
def test_a_wrong_field_is_named(fields, field):
    with pytest.raises(SpecError, match=rf"\(field '{field}'\)"):
        RetryPolicy.from_dict(fields).check()


def test_a_backoff_above_the_cap_that_nobody_named_is_its_own_cap():
    policy = RetryPolicy.from_dict({"backoff": "1h"})
    assert (policy.cap_ms, policy.to_dict()) == (3_600_000, {"backoff": "1h"})
    capped = RetryPolicy.from_dict({"backoff": "1h", "backoff_cap": "10m"})
    assert RetryPolicy.from_dict(capped.to_dict()) == capped
    assert RetryPolicy.from_dict({"backoff": "5m"}).cap_ms == 600_000


def test_a_policy_built_by_hand_is_checked_too():
    with pytest.raises(SpecError, match="canonical"):
        RetryPolicy(retry_on=("075",)).check()


@given(policies, codes, st.sampled_from(("exit", *REASONS)))
def test_attempts_are_counted_in_all(policy, code, reason):
    assert not decide(policy, policy.attempts, code, reason)


@given(codes)
def test_without_rules_every_exit_code_is_retried(code):
    assert decide(RetryPolicy(attempts=2), 1, code)


@pytest.mark.parametrize("reason", REASONS)
def test_a_timeout_and_a_refusal_are_retried_only_where_named(reason):
    assert not decide(RetryPolicy(attempts=2), 1, 143, reason)
    assert decide(RetryPolicy(attempts=2, retry_on=(reason,)), 1, 143, reason)


def test_with_rules_only_what_they_name_is_retried():
    policy = RetryPolicy(attempts=9, retry_on=parse_patterns("75,100-110"))
    assert [code for code in range(1, 256) if decide(policy, 1, code)] == [75, *range(100, 111)]


@given(policies, st.integers(1, 9), codes, st.sampled_from(("exit", *REASONS)))
def test_a_stop_rule_wins(policy, failures, code, reason):
    word = reason if reason in REASONS else str(code)
    stopping = RetryPolicy(attempts=policy.attempts, retry_on=policy.retry_on, stop_on=(word,))
    assert not decide(stopping, failures, code, reason)


def test_the_code_of_a_killed_attempt_matches_no_code_rule():
    policy = RetryPolicy(attempts=2, retry_on=("143",))
    assert not decide(policy, 1, 143, "timeout")
    assert decide(policy, 1, 143, "exit")
