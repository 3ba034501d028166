"""`relayq worker` in a terminal: a few lines that stay where the command was typed."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

import pytest

from relayq.config import load
from relayq.plugins import Outcome
from relayq.worker.options import WorkerOptions
from relayq.worker.worker import Worker
from relayq_tui.workerview import LiveView, WorkerApp
from tests.support import eventually_sync
from tests.tui.test_pty import COLOUR, Terminal

RUN = [sys.executable, "-m", "relayq"]


class FakeAttempt:
    """As much of an attempt as is shown."""

    def __init__(self, number: int) -> None:
        self.job, self.key = f"AAAAAAAAAAAA{number:04d}", f"{number}.1"
        self.asked, self.attempt, self.is_adopted = "", 1, False
        self.progress: tuple[float | None, str] | None = (40.0, "step \x1b[31m4")
        self.spec = type("Spec", (), {"name": f"job [b]{number}", "command": "true"})()

    def ran_ms(self) -> float:
        """Always the same."""
        return 61_000.0


def made(home: Path, **options: bool) -> WorkerApp:
    """The view of a worker that does not run."""
    config = load()
    return WorkerApp(Worker(config, WorkerOptions(url="unix:///nowhere")), "relayq worker pi4", **options)


def told(app: WorkerApp, width: int = 100) -> list[str]:
    """Its lines as text."""
    return [line.strip(width).text.rstrip() for line in app.lines(width)]


def test_what_runs_and_what_has_ended_is_told(home: Path) -> None:
    app = made(home)
    for number in (1, 2, 3):
        app.live.started(FakeAttempt(number))  # type: ignore[arg-type]  # as much of one as is shown
    app.live.ended(FakeAttempt(1), Outcome(ok=True))  # type: ignore[arg-type]
    app.live.ended(FakeAttempt(2), Outcome(ok=False, exit_code=7, reason="exit"))  # type: ignore[arg-type]
    lines = "\n".join(told(app))
    for text in ("1 running", "✓1 ✗1", "job [b]3", "40%", "1m01s", "exit 7"):
        assert text in lines, text
    assert "\x1b" not in lines


def test_its_height_never_changes(home: Path) -> None:
    app = made(home)
    heights = set()
    for number in range(12):
        app.live.started(FakeAttempt(number))  # type: ignore[arg-type]
        if number > 6:
            app.live.ended(FakeAttempt(number), Outcome(ok=True))  # type: ignore[arg-type]
        app.log_lines.emit(logging.makeLogRecord({"msg": "news", "levelname": "INFO"}))
        heights.add(len(told(app)))
    assert heights == {12}
    assert any("and 4 more" in line for line in told(app))


@pytest.mark.parametrize("width", [40, 60, 100, 200])
def test_every_line_fits(home: Path, width: int) -> None:
    app = made(home)
    app.live.started(FakeAttempt(1))  # type: ignore[arg-type]
    assert [line for line in told(app, width) if len(line) > width] == []


def test_an_adopted_job_is_shown_as_running() -> None:
    view, attempt = LiveView(), FakeAttempt(1)
    attempt.is_adopted = True
    view.started(attempt)  # type: ignore[arg-type]
    assert list(view.running) == ["1.1"]


def worker(hub_url: str, *options: str, **environment: str) -> Terminal:
    """A worker in a terminal."""
    return Terminal([*RUN, "worker", "--url", hub_url, *options], **environment)


def test_a_worker_in_a_terminal_is_seen_and_left(home: Path, hub_url: str) -> None:
    made = worker(hub_url)
    try:
        eventually_sync(lambda: made.shows("waits for jobs"), "it is drawn")
        eventually_sync(lambda: made.shows("worker ready"), "its log is in the view")
        made.press(b"\x03")
        eventually_sync(made.has_ended, "it has left")
        assert made.code == 0
        assert made.shows("has left after")
        assert b"\x1b[?1049h" not in made.out, "it must not take the whole screen"
        assert b"\x1b[?25h" in made.out, "the cursor is back"
    finally:
        made.close()


def test_without_colours_the_view_has_none(home: Path, hub_url: str) -> None:
    made = worker(hub_url, NO_COLOR="1")
    try:
        eventually_sync(lambda: made.shows("worker ready"), "it is drawn")
        made.press(b"\x03")
        eventually_sync(made.has_ended, "it has left")
        assert COLOUR.findall(made.out) == []
    finally:
        made.close()


@pytest.mark.parametrize(
    ("options", "environment"), [(("--headless",), {}), (("--log-json",), {}), ((), {"TERM": "dumb"})]
)
def test_where_no_view_can_be_there_are_lines(
    home: Path, hub_url: str, options: tuple[str, ...], environment: dict[str, str]
) -> None:
    made = worker(hub_url, *options, "--once", **environment)
    try:
        eventually_sync(made.has_ended, "it has left")
        assert made.shows("worker ready")
        assert re.search(rb"\x1b\[", made.out) is None
    finally:
        made.close()


def test_a_worker_that_cannot_start_says_why_and_leaves(home: Path, hub_url: str) -> None:
    first = worker(hub_url)
    try:
        eventually_sync(lambda: first.shows("worker ready"), "the first one is there")
        second = worker(hub_url)
        try:
            eventually_sync(second.has_ended, "the second one has left")
            assert second.code == 125
            assert second.shows("runs here already")
        finally:
            second.close()
    finally:
        first.close()
