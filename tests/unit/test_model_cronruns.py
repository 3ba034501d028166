"""How late GitHub's clock was: runs held against the slots of the lines that may have started them."""

from __future__ import annotations

import pytest

from relayq.model.cron import Cron
from relayq.model.cronruns import CronRun, CronRuns, seen
from relayq.model.lifecycle import State
from tests.github.server import moment

NIGHTLY = Cron("17 2 * * *")
OFTEN = Cron("*/30 * * * *")


def ms(text: str) -> int:
    """A moment of UTC."""
    return int(moment(text) * 1000)


def runs(*made: str, read: str = "2026-11-28T12:00:00", is_whole: bool = True) -> CronRuns:
    """Runs of nightly.yml that were made then, newest first."""
    return CronRuns.of(
        [CronRun("nightly.yml", ms(one), "success") for one in made], ms(read), is_whole=is_whole
    )


LONG_AGO = "2026-11-20T12:00:00"


def test_the_last_run_is_as_late_as_it_came_after_its_slot() -> None:
    found = seen(
        [NIGHTLY], 0, "nightly.yml", ms(LONG_AGO), runs("2026-11-28T02:29:30", "2026-11-27T02:17:00")
    )
    assert found is not None and found.last is not None
    assert (found.late_ms, found.slot_ms) == (750_000, ms("2026-11-28T02:17:00"))
    assert found.last.state is State.SUCCEEDED


def test_slots_without_a_run_are_missed_once_they_are_an_hour_old() -> None:
    given = runs(
        "2026-11-26T02:20:00", "2026-11-25T02:20:00", "2026-11-24T02:20:00", read="2026-11-28T03:00:00"
    )
    found = seen([NIGHTLY], 0, "nightly.yml", ms("2026-11-24T00:00:00"), given)
    assert found is not None
    assert found.missed == 1  # the 27th; the 28th may still come
    later = given._replace(read_ms=ms("2026-11-28T03:18:00"))
    found = seen([NIGHTLY], 0, "nightly.yml", ms("2026-11-24T00:00:00"), later)
    assert found is not None
    assert found.missed == 2


def test_a_list_that_has_no_end_says_nothing_of_what_was_before_it() -> None:
    given = runs("2026-11-28T02:20:00", "2026-11-27T02:20:00", is_whole=False)
    found = seen([NIGHTLY], 0, "nightly.yml", ms("2026-01-01T00:00:00"), given)
    assert found is not None
    assert found.missed == 0


def test_runs_from_before_the_line_was_written_are_not_its_own() -> None:
    given = runs("2026-11-28T02:20:00")
    assert seen([Cron("40 5 * * *")], 0, "nightly.yml", ms("2026-11-28T09:00:00"), given) == (None, 0, 0)
    unknown = given._replace(is_whole=False)
    assert seen([Cron("40 5 * * *")], 0, "nightly.yml", ms("2026-11-28T09:00:00"), unknown) is None


def test_a_slot_from_before_the_line_was_written_is_not_its_own() -> None:
    """The old line made the run after the new one was pushed: a number would be wrong by hours."""
    given = runs("2026-11-28T09:05:00", is_whole=False)
    assert seen([Cron("40 5 * * *")], 0, "nightly.yml", ms("2026-11-28T09:00:00"), given) is None


def test_a_run_belongs_to_the_line_whose_slot_is_the_latest_before_it() -> None:
    given = runs("2026-11-28T02:35:00", "2026-11-28T02:19:00")
    nightly, often = (
        seen([NIGHTLY, OFTEN], at, "nightly.yml", ms("2026-11-28T02:01:00"), given) for at in (0, 1)
    )
    assert nightly is not None and often is not None
    assert (nightly.late_ms, often.late_ms) == (120_000, 300_000)


def test_another_file_and_a_line_that_is_too_quick_for_github_are_not_judged() -> None:
    assert seen([NIGHTLY], 0, "other.yml", ms(LONG_AGO), runs("2026-11-28T02:20:00", is_whole=False)) is None
    found = seen([Cron("* * * * *")], 0, "nightly.yml", ms(LONG_AGO), runs("2026-11-28T02:20:00"))
    assert found is not None
    assert found.missed is None


def test_it_is_by_the_clock_of_its_zone() -> None:
    line = Cron("17 2 * * *", "Europe/Berlin")
    found = seen([line], 0, "nightly.yml", ms(LONG_AGO), runs("2026-11-28T01:20:00"))
    assert found is not None
    assert found.late_ms == 180_000


def test_only_the_newest_are_kept_and_read_back() -> None:
    many = [CronRun("a.yml", at, "failure") for at in range(1, 151)]
    kept = CronRuns.of(many, 9, is_whole=True)
    assert (len(kept.runs), kept.runs[0].made_ms, kept.is_whole) == (100, 150, False)
    assert CronRuns.from_json(kept.to_json()) == kept


@pytest.mark.parametrize(
    "broken", [{}, {"read_ms": 1, "runs": [[1]], "whole": True}, {"read_ms": "x", "runs": [], "whole": 1}]
)
def test_what_is_none_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        CronRuns.from_json(broken)
