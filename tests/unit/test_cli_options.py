"""What options of a job mean."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from relayq.cli.options import moment


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The clock on the wall is Berlin's, which was moved on 2026-03-29 and 2026-10-25."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "now", "meant"),
    [
        ("18:00", "2026-10-24T17:59", "2026-10-24T18:00:00+02:00"),
        ("18:00", "2026-10-24T18:01", "2026-10-25T18:00:00+01:00"),
        ("18:00", "2026-03-28T19:00", "2026-03-29T18:00:00+02:00"),
        ("18:00", "2026-06-30T19:00", "2026-07-01T18:00:00+02:00"),
        ("2026-12-31T18:00", "2026-06-30T19:00", "2026-12-31T18:00:00+01:00"),
    ],
)
def test_a_time_of_day_is_the_next_one_by_the_clock_on_the_wall(text: str, now: str, meant: str) -> None:
    assert moment(text, datetime.fromisoformat(now)) == meant
