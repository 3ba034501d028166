"""Whether the month's minutes last."""

from __future__ import annotations

import pytest

from relayq.model.forecast import outlook


def even(per_day: float, days: int) -> list[float]:
    """A month in which every day uses the same."""
    return [per_day * day for day in range(1, days + 1)]


def test_an_even_month_goes_on_evenly() -> None:
    ahead = outlook(even(50, 20), 30, 2000)
    assert ahead.burn == pytest.approx(50)
    assert ahead.middle[-1] == pytest.approx(1500)
    assert ahead.low == ahead.middle == ahead.high
    assert (ahead.verdict, ahead.empty_in_days) == ("lasts", pytest.approx(20))


def test_too_much_a_day_runs_out() -> None:
    ahead = outlook(even(90, 20), 30, 2000)
    assert (ahead.verdict, ahead.empty_in_days) == ("runs out", pytest.approx(200 / 90))


def test_days_that_differ_make_it_doubtful() -> None:
    uneven = [0.0]
    for day in range(20):
        uneven.append(uneven[-1] + (10 if day % 2 else 120))
    ahead = outlook(uneven[1:], 30, 1950)
    assert ahead.verdict == "tight"
    assert ahead.low[-1] < ahead.middle[-1] < ahead.high[-1]
    assert ahead.give_or_take > 0


def test_only_the_last_two_weeks_count() -> None:
    quiet_then_busy = [*[0.0] * 10, *even(30, 14)]
    assert outlook(quiet_then_busy, 30, 2000).burn == pytest.approx(30)


def test_what_is_used_is_never_given_back() -> None:
    ahead = outlook([100.0, 100.0, 400.0], 30, 2000)
    assert min(ahead.low) >= 400


@pytest.mark.parametrize("days", [[], [0.0]])
def test_a_month_without_use_has_no_end(days: list[float]) -> None:
    ahead = outlook(days, 30, 2000)
    assert ahead.empty_in_days is None
    assert ahead.verdict in ("unknown", "lasts")
