"""A job's own screen: output, details, attempts, flow, spec."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from textual.pilot import Pilot

from relayq.model.lifecycle import State
from relayq.store.records import End, LogEntry
from relayq_tui.app import RelayQApp
from relayq_tui.demo import DemoFeed
from relayq_tui.feed import JobDetail, JobsChanged, JobsGone
from relayq_tui.screens.job import TABS, JobScreen
from relayq_tui.screens.jobfacts import JobFacts, spelled
from relayq_tui.screens.joblog import JobLog
from tests.support import eventually
from tests.tui.app_support import PHONE, WIDE, grid, running, settled, shows

SIZES = ((40, 15), (60, 25), (80, 24), (120, 40), (250, 80))
STEP = 1 << 44


@asynccontextmanager
async def showing(
    job: str, tab: str = "log", size: tuple[int, int] = WIDE, feed: DemoFeed | None = None
) -> AsyncIterator[tuple[RelayQApp, Pilot[None], JobScreen]]:
    """The screen of the job with this short id."""
    async with running(size, feed or DemoFeed()) as (app, pilot):
        full = next(row.id for row in app.store.newest if row.short_id == job)
        app.action_push("job", full, tab)
        await settled(pilot)
        screen = app.screen
        assert isinstance(screen, JobScreen)
        yield app, pilot, screen


def log_of(app: RelayQApp) -> JobLog:
    """The log pane."""
    return app.screen.query_one(JobLog)


@pytest.mark.parametrize("size", SIZES)
async def test_every_tab_at_every_size_says_what_the_job_is_and_why_it_failed(size: tuple[int, int]) -> None:
    async with showing("7RDKM4", size=size) as (app, pilot, _):
        for tab in TABS:
            assert shows(app, "✗ failed  7RDKM4 train-lora")
            assert shows(app, "why  killed, most likely out of its 1G")
            assert shows(app, f"[{tab}")
            await pilot.press("tab")
            await settled(pilot)


async def test_the_log_ends_with_how_the_job_ended() -> None:
    async with showing("7RDKM4") as (app, _, _):
        assert shows(app, "relayq: oom, process group killed (SIGKILL), attempt 3/3")
        assert shows(app, "── exit 137 (KILL) ──")


async def test_attempts_are_told_apart_and_brackets_go_between_them() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        lines = log_of(app).view.buffer
        assert len(lines.attempts) == 3
        await pilot.press("left_square_bracket")
        await settled(pilot)
        assert shows(app, "── attempt 3 ──")


async def test_enter_on_an_attempt_leads_to_its_output() -> None:
    async with showing("7RDKM4", "attempts") as (app, pilot, _):
        assert shows(app, "exit 137 (KILL)")
        await pilot.press("j", "enter")
        await settled(pilot)
        assert shows(app, "── attempt 2 ──")


async def test_search_marks_counts_and_steps() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        await pilot.press("slash", *"oom")
        await settled(pilot)
        assert shows(app, '6 matches "oom"')
        await pilot.press("enter", "n")
        await settled(pilot)
        assert shows(app, 'of 6 matches "oom"')
        assert log_of(app).view.has_focus


async def test_escape_leaves_the_search_first_and_then_the_screen() -> None:
    async with showing("7RDKM4") as (app, pilot, screen):
        await pilot.press("slash", "x", "escape")
        await settled(pilot)
        assert app.screen is screen
        await pilot.press("escape")
        await settled(pilot)
        assert app.screen is not screen


async def test_e_finds_the_next_error_and_w_wraps() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        await pilot.press("e")
        await settled(pilot)
        assert log_of(app).view.here is not None
        await pilot.press("w")
        assert log_of(app).view.wraps


async def test_m_and_capital_m_go_a_minute_on_and_back() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        view = log_of(app).view
        await pilot.press("M")
        before = view.top.line
        times = view.buffer.times
        await pilot.press("M")
        assert 55_000 <= times[before] - times[view.top.line] <= 65_000
        await pilot.press("m")
        assert abs(view.top.line - before) <= 2


async def test_times_go_from_relative_to_clock_to_none() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        assert shows(app, "14m54s")
        await pilot.press("t")
        await settled(pilot)
        assert shows(app, "22:10:0")
        await pilot.press("t")
        assert log_of(app).view.times == "off"


async def test_each_attempts_times_are_its_own() -> None:
    async with showing("7RDKM4", "attempts") as (app, pilot, _):
        await pilot.press("j", "j", "enter")
        await settled(pilot)
        assert any(line.strip().startswith("0.0s ── attempt 1 ──") for line in grid(app))
        assert not any(line.strip().startswith("-") for line in grid(app))


async def test_tab_goes_round() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        for tab in (*TABS[1:], TABS[0]):
            await pilot.press("tab")
            await settled(pilot)
            assert shows(app, f"[{tab}")


async def test_the_footer_offers_what_the_tab_can_do() -> None:
    async with showing("7RDKM4") as (app, pilot, _):
        assert "search" in grid(app)[-1]
        await pilot.press("tab")
        await settled(pilot)
        assert "search" not in grid(app)[-1]
        assert "retry" in grid(app)[-1]


async def test_nobody_is_offered_to_cancel_what_has_ended() -> None:
    async with showing("7RDKM4") as (app, _, _):
        assert "cancel" not in grid(app)[-1]
    async with showing("7RDKX2") as (app, _, _):
        assert "cancel" in grid(app)[-1]
        assert "retry" not in grid(app)[-1]


async def test_details_tell_what_where_when_and_who_waits() -> None:
    async with showing("7RDKM4", "details") as (app, _, _):
        for text in (
            "python train.py --epochs 9",
            "gpu=1 memory=1G",
            "Sat 22 Aug 21:43:07",
            "7RDKJ7 report-weekly",
        ):
            assert shows(app, text)


async def test_the_spec_is_there_as_json() -> None:
    async with showing("7RDKM4", "json") as (app, _, _):
        assert shows(app, '"command": "python train.py --epochs 9"')


async def test_an_array_shows_its_elements_as_bars() -> None:
    async with showing("7RDK88", "attempts") as (app, _, _):
        assert any("succeeded" in line and "38" in line for line in grid(app))
        assert any("failed" in line and line.endswith(" 2") for line in grid(app))


async def test_an_element_that_failed_stands_first_and_leads_to_its_output() -> None:
    async with showing("7RDK88", "attempts") as (app, pilot, _):
        [first] = [line for line in grid(app) if line.startswith("▶")]
        assert first.split()[1:5] == ["0", "✗", "exit", "1"]
        await pilot.press("j", "enter")
        await settled(pilot)
        assert shows(app, "── log 7RDK88:1 ──")


async def test_the_flow_stands_with_the_cursor_on_what_blocks() -> None:
    async with showing("7RDKJ7", "flow") as (app, pilot, screen):
        assert shows(app, "blocked by ✗ 7RDKM4 train-lora epochs=9")
        assert [row.short_id for row in screen.selected()] == ["7RDKM4"]
        await pilot.press("R")
        await eventually(
            lambda: app.store.jobs[screen.selected()[0].id].state is State.RUNNABLE, "it was retried"
        )


async def test_a_whole_flow_can_be_cancelled() -> None:
    async with showing("7RDKJ7", "flow") as (app, pilot, _):
        await pilot.press("W")
        await settled(pilot)
        [order] = app.steering.waiting
        assert order.verb == "cancel"
        assert {job[-6:] for job in order.ids} == {"7RDKN0", "7RDKJ7", "7RDKH9"}
        await pilot.press("u")


async def test_enter_in_the_flow_opens_that_job() -> None:
    async with showing("7RDKJ7", "flow") as (app, pilot, screen):
        await pilot.press("enter")
        await settled(pilot)
        assert app.screen is not screen
        assert shows(app, "✗ failed  7RDKM4")


async def test_orders_from_here_are_for_this_job() -> None:
    async with showing("7RDKN0", "details") as (app, pilot, screen):
        await pilot.press("C")
        await settled(pilot)
        assert [order.ids for order in app.steering.waiting] == [(screen.selected()[0].id,)]
        await pilot.press("u")


async def test_a_job_that_is_forgotten_is_said_to_be() -> None:
    async with showing("7RDKM4") as (app, pilot, screen):
        app.post_update(JobsGone([screen.selected()[0].id]))
        await settled(pilot)
        assert shows(app, "the hub does not know this job any more")
        await pilot.press("tab", "tab", "R")
        await settled(pilot)


async def test_a_job_that_runs_again_is_read_again() -> None:
    async with showing("7RDKM4") as (app, _, screen):
        row = screen.selected()[0]
        again = replace(row, state=State.RUNNING, attempt=4, started_ms=app.store.now_ms(), ended_ms=0)
        feed = app.feed
        assert isinstance(feed, DemoFeed)
        feed.home.jobs[row.id] = again
        app.post_update(JobsChanged([again]))
        await eventually(lambda: len(log_of(app).view.buffer.attempts) == 4, "the fourth attempt is shown")


class Gapped(DemoFeed):
    """A hub that has dropped the middle of the output, whose job writes what it should not."""

    async def log(self, job: str, from_id: str = "0", attempt: int | None = None) -> list[LogEntry | End]:
        """Two pieces with a hole, and the end."""
        second = 5 + (3 << 20)
        return [
            LogEntry(id=f"{STEP}-1", attempt=1, position=0, stream=1, data=b"head\n"),
            LogEntry(
                id=f"{STEP + second}-1",
                attempt=1,
                position=second,
                stream=2,
                data=b"\x1b]0;gotcha\x07 [red]tail[/]\n",
            ),
            End(id="end", state=State.FAILED, exit_code=None, reason="timeout", result=b""),
        ]


async def test_what_the_hub_left_out_is_told_and_output_is_only_text() -> None:
    async with showing("7RDKM4", feed=Gapped()) as (app, _, _):
        assert shows(app, "3.0M left out here")
        assert shows(app, "[red]tail[/]")
        assert shows(app, "── timeout ──")
        assert not any("\x1b" in line or "\x07" in line for line in grid(app))


async def test_on_a_phone_the_fix_has_a_line_of_its_own() -> None:
    async with showing("7RDKM4", size=PHONE) as (app, _, _):
        assert shows(app, "fix  more memory than 1G")


def test_fields_of_a_spec_are_spelled_in_one_line() -> None:
    assert spelled(["a", "b c"]) == "a b c"
    assert spelled({"A": "1", "B": ["x"]}) == "A=1 B=x"
    assert spelled(3) == "3"
    assert spelled([{"a": 1}]) == '[{"a": 1}]'
    assert spelled("a\x1bb") == "a␛b"


async def test_a_job_without_rules_has_no_heading_for_them() -> None:
    async with running() as (app, _):
        row = app.store.newest[0]
        for spec, has_rules in (({"command": "true"}, False), ({"timeout": "1h"}, True)):
            detail = JobDetail(row=row, spec=spec)
            told = ["".join(text for text, _ in pieces) for pieces in JobFacts(app, row, detail).details()]
            assert ("rules" in map(str.strip, told)) == has_rules


async def test_a_flow_that_is_over_is_said_to_be() -> None:
    feed = DemoFeed()
    for job in [row for row in feed.home.jobs.values() if not row.is_final]:
        feed.home.jobs[job.id] = replace(job, state=State.CANCELLED, ended_ms=feed.now_ms())
    async with showing("7RDKM4", "flow", feed=feed) as (app, _, _):
        assert shows(app, "all have ended")
        assert not shows(app, "% done")


async def test_a_log_that_is_followed_says_when_the_job_ended() -> None:
    async with showing("7RDKX2") as (app, _, _):
        end = End(id="0-0", state=State.SUCCEEDED, exit_code=0, reason="", result=b"")
        log = log_of(app)
        log._show([end], next(row for row in app.store.newest if row.short_id == "7RDKX2"))
        await eventually(lambda: shows(app, "2m41s ── exit 0 ──"), "when, and how")
