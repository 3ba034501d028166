"""What happened, in words."""

from __future__ import annotations

import re
from pathlib import Path

from relayq.model.lifecycle import State
from relayq.store import keys
from relayq_tui.audit import SILENT, TEMPLATES, Diary, deed, title_of
from relayq_tui.feed import EventsSeen, JobsChanged
from relayq_tui.rows import EventRow, JobRow
from relayq_tui.store import Store

JOB = "0123456789ABCDEF"
LUA = Path(keys.__file__).parent / "lua"


def store() -> Store:
    """A store with one job."""
    known = Store(lambda: 1_000_000)
    row = JobRow(id=JOB, name="backup", command="restic", state=State.FAILED, worker="pi", by="you@laptop")
    known.apply(JobsChanged([row]))
    return known


def said(kind: str, subject: str = JOB, detail: str = "") -> tuple[str, str]:
    """(who, what) of an event."""
    found = deed(EventRow("5-1", kind, subject, detail), store())
    assert found is not None
    return found.who, found.what


def test_who_submitted_is_told() -> None:
    assert said("submit") == ("you@laptop", "submitted")


def test_a_start_names_the_worker_and_a_later_attempt() -> None:
    assert said("start", detail="1 pi#77") == ("pi", "started")
    assert said("start", detail="3 pi#77") == ("pi", "started, attempt 3")


def test_an_end_says_how() -> None:
    assert said("end", detail="S 0 ") == ("pi", "succeeded")
    assert said("end", detail="F 137 exit") == ("pi", "failed, exit 137")
    assert said("end", detail="F  timeout") == ("pi", "failed, it reached its timeout")
    assert said("end", detail="E  deadline") == ("pi", "came too late")


def test_whoever_cancelled_is_told() -> None:
    assert said("end", detail="C  tui wrong file") == ("tui wrong file", "cancelled")
    assert said("end", detail="C  cancelled") == ("", "cancelled")
    assert said("cancel", detail="cli") == ("cli", "told it to end")


def test_workers_come_and_go_by_name() -> None:
    assert said("worker", "pi", "pi#1") == ("pi", "came")
    assert said("worker-gone", "pi#1") == ("pi", "went away")
    assert said("quiet", "pi") == ("pi", "was told to take nothing new")


def test_what_was_done_to_the_budget_is_a_sentence() -> None:
    assert said("budget", "limit", '{"percent": 90.0}') == ("", "the limit was set to 90%")
    assert said("budget", "limit", "{}") == ("", "the limit was taken away")
    assert said("budget", "limit", "nonsense") == ("", "the limit was set")
    assert said("budget", "runs") == ("", "GitHub's minutes were read")


def test_a_worker_that_may_go_on_is_no_queue() -> None:
    assert said("resume", "pi", "pi#1") == ("pi", "was told to take jobs again")
    assert said("resume", "media") == ("", "queue media was resumed")


def test_every_word_of_the_hub_is_known() -> None:
    words = re.compile(r"R\.event\(x, '([a-z-]+)'")
    told = {word for path in LUA.glob("*.lua") for word in words.findall(path.read_text("utf-8"))}
    assert len(told) > 20
    assert told - TEMPLATES.keys() - SILENT == {"start", "end", "budget"}


def test_a_word_of_a_newer_hub_is_shown_as_it_is() -> None:
    assert said("sang", detail="a {song}") == ("", "sang a {song}")


def test_braces_and_escapes_in_what_people_wrote_are_text() -> None:
    assert said("cancel", detail="{subject}") == ("{subject}", "told it to end")
    assert said("end", detail="C  \x1b[31mred")[0] == "␛[31mred"


def test_progress_is_no_deed() -> None:
    assert deed(EventRow("5-1", "progress", JOB, "10"), store()) is None


def test_a_broken_ending_is_no_error() -> None:
    assert said("end", detail="") == ("pi", "skipped")


def test_the_diary_puts_each_event_into_words_once() -> None:
    known = store()
    diary = Diary(known)
    known.apply(EventsSeen([EventRow("5-1", "submit", JOB)]))
    first = list(diary.read())
    known.apply(EventsSeen([EventRow("6-1", "start", JOB, "1 pi#1"), EventRow("6-2", "progress", JOB, "3")]))
    both = list(diary.read())
    assert both[0] is first[0]
    assert [one.what for one in both] == ["submitted", "started"]
    assert list(diary.read()) == both


def test_what_it_was_done_to_has_a_name() -> None:
    known = store()
    one = deed(EventRow("5-1", "submit", JOB), known)
    gone = deed(EventRow("5-1", "submit", "ZZZZZZZZZZ999999"), known)
    assert one is not None
    assert gone is not None
    assert title_of(one, known) == "ABCDEF backup"
    assert title_of(gone, known) == "999999"
