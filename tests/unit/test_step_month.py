"""The line about the month in a step's summary: every figure with its source and age, or an honest word."""

from __future__ import annotations

import json

import pytest

from relayq.step.month import line
from relayq.store.wire import WireReplyError

NOW_S = 1_795_862_400.0  # 2026-11-28 10:40 UTC


def told(**changes: object) -> bytes:
    """What a refresh leaves for steps, three hours old."""
    known = {
        "owner": "acme",
        "month": "2026-11",
        "used": 412.0,
        "included": 2000,
        "read_ms": 1e3 * NOW_S - 108e5,
    }
    return json.dumps({**known, **changes}).encode()


def test_the_sum_has_its_source_and_its_age() -> None:
    assert line([b"runs", told()], "Acme", NOW_S) == (
        "Minutes of `acme` in 2026-11: 412 of 2,000 used, 1,588 left (counted from runs, 3h00m ago)."
    )


def test_what_was_counted_speaks_before_the_bill_and_the_bill_before_nothing() -> None:
    bill, old = told(used=400.0), told(month="2026-10")
    assert "412 of 2,000" in line([b"bill", bill, b"runs", told()], "acme", NOW_S)
    assert "400 of 2,000 used, 1,600 left (by GitHub's bill" in line(
        [b"runs", old, b"bill", bill], "acme", NOW_S
    )


def test_nothing_is_left_of_a_month_that_is_overdrawn() -> None:
    assert "2,300 of 2,000 used, 0 left" in line([b"runs", told(used=2300)], "acme", NOW_S)


def test_a_clock_that_is_behind_makes_no_negative_age() -> None:
    assert "0.0s ago" in line([b"runs", told(read_ms=1e3 * NOW_S + 5000)], "acme", NOW_S)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ([], "nobody at home has counted those of 2026-11"),
        ([b"runs", told(month="2026-10")], "nobody at home has counted those of 2026-11"),
        ([b"runs", told(owner="someone-else")], "those of another account"),
        (WireReplyError("NOPERM no permissions"), "`relayq hub upgrade` lets it"),
    ],
)
def test_what_is_not_known_is_said(reply: object, why: str) -> None:
    assert why in line(reply, "acme", NOW_S)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"7", b"[" * 9000, told(used="many"), told(used=-1), told(used=None), told(used=True),
     told(read_ms=1e99), told(owner=7), told(owner="x" * 65), told(month=None),
     b'{"used": NaN}', told(used=float("nan"))],
)  # fmt: skip
def test_broken_figures_are_none(data: bytes) -> None:
    assert "nobody at home has counted" in line([b"runs", data], "acme", NOW_S)


def test_no_word_of_it_ends_the_line_or_its_code() -> None:
    shown = line([b"runs", told(owner="a`|<b\n::error::x")], "", NOW_S)
    assert "\n" not in shown
    assert shown.count("`") == 2
    assert "<" not in shown
