"""Schedules: when they fire next, how the last one ended, and an honest word where there are none."""

from __future__ import annotations

import re

import pytest

from relayq.cli.commands import COMMANDS
from relayq.model.lifecycle import State
from relayq_tui.feed import SchedulesChanged
from relayq_tui.rows import ScheduleRow
from tests.tui.app_support import PHONE, grid, running, settled, shows


async def test_the_next_to_fire_stands_first_and_the_paused_last() -> None:
    async with running(screen="schedules") as (app, _):
        names = [line.split()[0].strip("▶") or line.split()[1] for line in grid(app)[4:10]]
        rows = [row.name for row in app.screen.table.rows]
        assert rows[0] == "links.yml"
        assert rows[-1] == "report-weekly"
        assert len(names) == len(rows)


async def test_the_one_under_the_cursor_is_told_in_words() -> None:
    async with running(screen="schedules") as (app, pilot):
        assert shows(app, "3 missed   7m00s late   fired by github   1440 GitHub minutes a month")
        await pilot.press("j")
        await settled(pilot)
        for text in ("ping-fleet  every 1h", "on time", "fires  23:00", "in 45m53s", "03:00"):
            assert shows(app, text), text


@pytest.mark.parametrize("size", [PHONE, (40, 15)], ids=lambda size: "{}x{}".format(*size))
async def test_what_was_missed_is_told_on_a_phone_too(size: tuple[int, int]) -> None:
    async with running(size, screen="schedules") as (app, _):
        assert shows(app, "3 missed")


async def test_a_firing_whose_time_has_passed_is_due_and_the_next_one_follows() -> None:
    async with running(screen="schedules") as (app, pilot):
        now_ms = app.store.now_ms()
        hour_ms = 3_600_000
        rows = [
            ScheduleRow(name="late", origin="local", rule="every 1h", next_ms=(now_ms - 11_000,)),
            ScheduleRow(
                name="soon", origin="local", rule="every 2h", next_ms=(now_ms - 500, now_ms + 2 * hour_ms)
            ),
        ]
        app.post_update(SchedulesChanged(rows))
        await settled(pilot)
        assert shows(app, "is due")
        assert shows(app, "2h00m")
        assert not shows(app, "-11s")


async def test_who_fired_it_and_what_it_costs_is_told() -> None:
    row = ScheduleRow(
        name="nightly",
        origin="both",
        rule="30 2 * * *",
        last_ms=1,
        last_state=State.SUCCEEDED,
        last_by="pi4",
        minutes=30,
    )
    async with running(screen="schedules") as (app, pilot):
        app.post_update(SchedulesChanged([row]))
        await settled(pilot)
        for text in ("MIN/MO", "fired by pi4", "30 GitHub minutes a month"):
            assert shows(app, text), text


async def test_it_says_when_nothing_is_there_to_fire_them() -> None:
    row = ScheduleRow(name="tidy", origin="local", rule="every 1d", next_ms=(5,))
    async with running(screen="schedules") as (app, pilot):
        app.post_update(SchedulesChanged([row], has_scheduler=False))
        await settled(pilot)
        assert shows(app, "no scheduler runs, so nothing fires")
        app.post_update(SchedulesChanged([row]))
        await settled(pilot)
        assert not shows(app, "no scheduler runs")


async def test_one_is_paused_and_resumed_with_the_same_key() -> None:
    async with running(screen="schedules") as (app, pilot):
        await pilot.press("j", "P")
        await settled(pilot)
        assert shows(app, "paused ping-fleet")
        assert app.screen.table.current.is_paused
        await pilot.press("P")
        await settled(pilot)
        assert shows(app, "resumed ping-fleet")


async def test_one_is_run_now() -> None:
    async with running(screen="schedules") as (app, pilot):
        count = len(app.store.jobs)
        await pilot.press("j", "R")
        await settled(pilot)
        assert shows(app, "ran ping-fleet")
        assert (len(app.store.jobs), app.store.newest[0].name) == (count + 1, "ping-fleet")


async def test_its_rule_is_changed_by_typing_another() -> None:
    async with running(screen="schedules") as (app, pilot):
        await pilot.press("j", "E")
        await settled(pilot)
        assert shows(app, "When shall ping-fleet fire")
        await pilot.press(*"every 2h", "enter")
        await settled(pilot)
        assert shows(app, "changed ping-fleet to every 2h")


async def test_removing_one_can_be_undone() -> None:
    async with running(screen="schedules") as (app, pilot):
        await pilot.press("j", "X")
        await settled(pilot)
        assert shows(app, "removed ping-fleet")
        await pilot.press("u")
        await settled(pilot)
        assert shows(app, "undone")
        assert "ping-fleet" in [row.name for row in app.store.schedules]


async def test_what_github_alone_keeps_is_a_file_to_edit() -> None:
    async with running(screen="schedules") as (app, pilot):
        for key in ("P", "R", "E", "X"):
            await pilot.press(key)
            await settled(pilot)
            assert shows(app, "links.yml is kept by GitHub alone")


async def test_nothing_is_changed_where_nothing_may_be() -> None:
    async with running(screen="schedules", read_only=True) as (app, pilot):
        for key in ("P", "R", "E", "X"):
            await pilot.press("j", key)
            await settled(pilot)
            assert shows(app, "this is read-only")
            await pilot.press("k")


async def test_a_paused_one_has_no_next_firing() -> None:
    async with running(screen="schedules") as (app, pilot):
        await pilot.press("G")
        await settled(pilot)
        assert shows(app, "it does not fire until it is resumed")


async def test_enter_opens_the_last_job_it_made() -> None:
    async with running(screen="schedules") as (app, pilot):
        await pilot.press("j", "enter")
        await settled(pilot)
        assert app.screen.label == "Job"
        assert shows(app, "ping-fleet")


async def test_a_job_that_is_gone_is_said_to_be() -> None:
    async with running(PHONE, screen="schedules") as (app, pilot):
        await pilot.press("enter")
        await settled(pilot)
        assert shows(app, "is not in the hub")


async def test_without_schedules_it_says_what_can_be_done_with_commands_that_exist() -> None:
    async with running(screen="schedules") as (app, pilot):
        app.post_update(SchedulesChanged([]))
        await settled(pilot)
        assert shows(app, "No schedules yet")
        told = "\n".join(grid(app))
        assert set(re.findall(r"relayq (\w+)", told)) <= COMMANDS.keys()


async def test_schedules_come_and_go_while_it_is_open() -> None:
    async with running(screen="schedules") as (app, pilot):
        app.post_update(SchedulesChanged([ScheduleRow(name="tidy", origin="local", rule="every 1d")]))
        await settled(pilot)
        assert shows(app, "tidy")
        assert shows(app, "it has not fired yet")
