"""The Jobs screen: filter, views, marks, orders on many, the preview and the log below."""

from __future__ import annotations

import asyncio
import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from relayq.client.steering import Order
from relayq.model.lifecycle import State
from relayq_tui.app import Options, RelayQApp
from relayq_tui.demo import DemoFeed
from relayq_tui.feed import JobDetail, JobsChanged, JobsGone
from relayq_tui.glyphs import clock
from relayq_tui.screens.jobactions import new_priority
from relayq_tui.screens.jobs import JobsScreen
from relayq_tui.screens.preview import Preview
from relayq_tui.screens.querybox import QueryInput
from tests.support import eventually
from tests.tui.app_support import PHONE, WIDE, grid, running, settled, shows
from tests.tui.test_app import Recorder


async def typed(pilot: Pilot[None], text: str) -> None:
    """Type text key by key."""
    names = {":": "colon", "-": "minus", " ": "space", ">": "greater_than_sign", ",": "comma"}
    await pilot.press(*(names.get(character, character) for character in text))
    await settled(pilot)


def jobs(app: object) -> JobsScreen:
    """The screen."""
    screen = app.screen  # type: ignore[attr-defined]  # the app
    assert isinstance(screen, JobsScreen)
    return screen


async def test_a_query_filters_with_every_key() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash")
        await typed(pilot, "state:failed")
        assert {row.state for row in jobs(app).table.rows} == {State.FAILED}
        await pilot.press("enter")
        await settled(pilot)
        assert shows(app, "state:failed")
        assert jobs(app).table.has_focus


async def test_where_nothing_matches_nothing_of_another_job_stays() -> None:
    async with running() as (app, pilot):
        await eventually(lambda: shows(app, "log 7RDKX2"), "the output of the first job")
        await pilot.press("slash")
        await typed(pilot, "name:nowhere")
        assert shows(app, "no job matches")
        await eventually(lambda: not shows(app, "7RDKX2"), "no output of any job")


async def test_an_empty_hub_says_how_to_begin() -> None:
    feed = DemoFeed()
    feed.home.jobs.clear()
    app = RelayQApp(feed, Options(ticks=False))
    async with app.run_test(size=WIDE):
        await eventually(lambda: shows(app, "no job yet: o opens the form of one"), "a word")


class Aging(DemoFeed):
    """A home whose clock can be put forward."""

    late_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.late_ms


async def test_ages_go_on_while_other_jobs_change() -> None:
    feed = Aging()
    async with running(feed=feed) as (app, pilot):
        line = next(line for line in grid(app) if "7RDKW9" in line)
        feed.late_ms = 60_000
        app.store.touch("clock")
        app.post_update(JobsChanged([replace(feed.home.jobs[app.store.newest[0].id], progress=69.0)]))
        await settled(pilot)
        assert next(row for row in grid(app) if "7RDKW9" in row) != line
        assert shows(app, "9m02s")


async def test_the_last_words_may_come_before_the_job_is_shown() -> None:
    async with running() as (app, _):
        preview, failed = app.screen.query_one(Preview), jobs(app).table.rows[2]
        preview.set_last_words(failed.id, "no space left")
        preview.set_job(failed)
        assert preview.last_words == "no space left"
        preview.set_job(jobs(app).table.rows[3])
        assert preview.last_words == ""


async def test_the_same_sentence_said_again_stays_as_long_as_the_first() -> None:
    async with running() as (app, _):
        app.say("held it")
        first = app._unsaying
        app.say("held it")
        assert app._unsaying is not first
        assert first._task is None or first._task.cancelled() or first._task.cancelling()


async def test_paused_queues_are_named_above_everything() -> None:
    async with running(grace_s=60.0) as (app, pilot):
        await app.order(Order(verb="pause", ids=("media",)))
        await eventually(lambda: "media paused" in grid(app)[1], "the header")
        await pilot.press("u")
        await eventually(lambda: "media paused" not in grid(app)[1], "it goes on")


async def test_a_query_that_makes_no_sense_is_said_and_the_list_stays() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash")
        await typed(pilot, "state:failed")
        count = len(jobs(app).table.rows)
        app.screen.query_one(QueryInput).value = "state:failed colour:blue"
        await settled(pilot)
        assert any("^" in line and "colour" in line for line in grid(app))
        assert len(jobs(app).table.rows) == count


async def test_escape_takes_the_query_away() -> None:
    async with running() as (app, pilot):
        before = len(jobs(app).table.rows)
        await pilot.press("slash")
        await typed(pilot, "worker:pi3-shed")
        assert len(jobs(app).table.rows) < before
        await pilot.press("escape")
        await settled(pilot)
        assert len(jobs(app).table.rows) == before


async def test_tab_completes_the_word() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash")
        await typed(pilot, "worker:mac")
        await pilot.press("tab")
        await settled(pilot)
        assert {row.worker for row in jobs(app).table.rows} == {"mac-mini"}


async def test_saved_views_are_tabs() -> None:
    async with running(views=(("gpu", "queue:gpu"),)) as (app, pilot):
        assert "gpu" in grid(app)[3]
        await pilot.press("F", "F", "F", "F")
        await settled(pilot)
        assert "[gpu " in grid(app)[3]
        assert {row.queue for row in jobs(app).table.rows} == {"gpu"}


async def test_marked_jobs_are_what_an_order_is_for() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        await pilot.press("space", "space")
        await settled(pilot)
        assert shows(app, "2 marked")
        marked = set(jobs(app).table.marks)
        await pilot.press("C")
        await eventually(lambda: feed.orders, "the order")
        assert set(feed.orders[0].ids) == marked
        await settled(pilot)
        assert jobs(app).table.marks == set()


async def test_a_range_is_marked_from_here_to_there() -> None:
    async with running() as (app, pilot):
        await pilot.press("down", "v", "down", "down", "v", "down")
        await settled(pilot)
        assert len(jobs(app).table.marks) == 3


async def test_all_that_matches_can_be_marked() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash")
        await typed(pilot, "state:failed")
        await pilot.press("enter", "asterisk")
        await settled(pilot)
        assert len(jobs(app).table.marks) == len(jobs(app).table.rows) > 3
        await pilot.press("U")
        assert jobs(app).table.marks == set()


async def test_deleting_many_asks_for_their_number() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        await pilot.press("asterisk", "X")
        await settled(pilot)
        assert shows(app, "to do it.")
        await pilot.press("1", "enter", "escape")
        await settled(pilot)
        assert feed.orders == []


async def test_a_priority_is_typed() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        await pilot.press("P")
        await settled(pilot)
        assert shows(app, "Priority of")
        await pilot.press("2", "0", "enter")
        await eventually(lambda: feed.orders, "the order")
        assert (feed.orders[0].verb, feed.orders[0].value) == ("reprioritise", "20")


@pytest.mark.parametrize(
    ("old", "answer", "new"),
    [
        (0, "5", 5),
        (5, "+5", 10),
        (5, "-5", 0),
        (0, "-5", -5),
        (0, "x", None),
        (0, "101", None),
        (99, "+5", None),
    ],
)
def test_priorities_are_numbers_or_steps(old: int, answer: str, new: int | None) -> None:
    assert new_priority(old, answer) == new


async def test_the_preview_says_why_and_what_to_do() -> None:
    async with running() as (app, pilot):
        await pilot.press("down", "down", "down", "down", "down", "down")
        await settled(pilot)
        preview = "\n".join(line[76:] for line in grid(app))
        assert "exit 137 (KILL)" in preview
        assert "out of its 1G" in preview
        assert "fix" in preview
        await eventually(lambda: shows(app, "attempts"), "the round trip's part of the preview")


async def test_the_end_of_the_output_stands_below_the_list() -> None:
    async with running() as (app, pilot):
        await pilot.press("down", "down", "down", "down", "down", "down")
        await eventually(lambda: shows(app, "process group killed"), "the job's last words")
        assert shows(app, "log 7RDKM4")


async def test_a_phone_shows_the_list_the_reason_and_buttons() -> None:
    async with running(PHONE) as (app, pilot):
        await pilot.press("down", "down", "down", "down", "down", "down")
        await settled(pilot)
        lines = grid(app)
        assert any("train-lora epochs=9" in line and "e137" in line for line in lines)
        assert any("out of its 1G" in line for line in lines[-5:])
        assert "[ Retry ]" in lines[-2]


async def test_buttons_can_be_tapped() -> None:
    feed = Recorder()
    async with running(PHONE, feed=feed, grace_s=0.0) as (app, pilot):
        column = grid(app)[-2].index("Cancel")
        await pilot.click(offset=(column, 23))
        await eventually(lambda: feed.orders, "the order of the tap")


async def test_hostile_names_are_only_text() -> None:
    feed = Recorder()
    async with running(feed=feed) as (app, _):
        await feed.submit({"name": "[@click=app.quit]x[/x] [red]y[/]", "command": "true"})
        await eventually(lambda: shows(app, "[@click=app.quit]"), "the name as it is")


async def test_what_the_list_shows_can_be_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as (app, pilot):
        await pilot.press("x", "enter")
        await eventually(lambda: list(tmp_path.glob("*.csv")), "the file")
        count = len(jobs(app).table.rows)
        await pilot.press("x", "down", "enter")
        await eventually(lambda: list(tmp_path.glob("*.json")), "the file")
        await settled(pilot)
    [path] = tmp_path.glob("*.csv")
    with path.open() as file:
        assert len(list(csv.DictReader(file))) == count
    [path] = tmp_path.glob("*.json")
    assert len(json.loads(path.read_text())) == count


async def test_the_list_alone_can_have_the_whole_screen() -> None:
    async with running() as (app, pilot):
        await pilot.press("z")
        await settled(pilot)
        assert not app.screen.query_one(Preview).display
        await pilot.press("z")
        await settled(pilot)
        assert app.screen.query_one(Preview).display


async def test_new_jobs_are_counted_while_somebody_looks_elsewhere() -> None:
    feed = Recorder()
    async with running(feed=feed) as (app, pilot):
        await pilot.press("down", "down")
        await feed.submit({"name": "brand-new", "command": "true"})
        await eventually(lambda: shows(app, "+1 new"), "the chip")
        await pilot.press("g")
        await settled(pilot)
        assert shows(app, "brand-new")
        assert not shows(app, "+1 new")


async def test_while_updates_are_paused_no_row_changes_or_goes() -> None:
    async with running() as (app, pilot):
        first, second, third = list(app.store.newest[:3])
        app.post_update(JobsChanged([replace(first, name="as-it-was")]))
        await settled(pilot)
        await pilot.press("p")
        app.post_update(JobsChanged([replace(first, name="another-name")]))
        app.post_update(JobsGone([second.id]))
        app.store.drain()
        app.post_update(JobsChanged([replace(third, id="ZZZZZZZZZZZZZZZZ", name="brand-new")]))
        await pilot.press("j", "j", "k", "k")
        await settled(pilot)
        assert shows(app, "as-it-was")
        assert shows(app, second.short_id)
        assert not shows(app, "another-name")
        assert not shows(app, "brand-new")
        await pilot.press("p")
        await settled(pilot)
        assert shows(app, "another-name")
        assert shows(app, "brand-new")
        assert second.id not in {row.id for row in jobs(app).table.rows}


async def test_what_is_asked_for_while_updates_are_paused_stays_as_it_was_then() -> None:
    async with running() as (app, pilot):
        first = app.store.newest[0]
        await pilot.press("p")
        app.post_update(JobsChanged([replace(first, name="asked-for")]))
        jobs(app).action_ask("asked-for")
        app.post_update(JobsChanged([replace(first, name="another-name")]))
        jobs(app).table.refresh()
        await settled(pilot)
        assert [row.name for row in jobs(app).table.rows] == ["asked-for"]


async def test_the_preview_follows_the_cursor_even_when_the_hub_tells_nothing() -> None:
    class Mute(DemoFeed):
        """The demo, whose hub takes very long to explain a job."""

        async def detail(self, job: str) -> JobDetail | None:
            await asyncio.Event().wait()
            return None

    async with running(feed=Mute()) as (app, pilot):
        await pilot.press("j", "j")
        here = jobs(app).table.current
        assert here is not None
        preview = app.screen.query_one(Preview)
        await eventually(lambda: preview.row is not None and preview.row.id == here.id, "the preview follows")


async def test_the_cursor_stays_on_its_job_when_another_takes_the_room_of_one_that_is_gone() -> None:
    async with running() as (app, pilot):
        await pilot.press("j", "j", "j")
        here = jobs(app).table.current
        assert here is not None
        app.action_screen("workers")
        await settled(pilot)
        gone = list(app.store.newest[:2])
        app.post_update(JobsGone([row.id for row in gone]))
        app.store.drain()
        app.post_update(JobsChanged([replace(row, id=f"{number:016}") for number, row in enumerate(gone)]))
        app.action_screen("jobs")
        await settled(pilot)
        assert jobs(app).table.current == app.store.jobs[here.id]


async def test_the_clock_strikes_no_more_often_than_the_times_on_the_screen_go_on() -> None:
    loop = asyncio.get_running_loop()
    async with running(ticks=True) as (app, _):

        def still_s() -> float:
            """How long it is until the clock strikes."""
            assert app._clock is not None
            return app._clock.when() - loop.time()

        assert still_s() <= 1
        jobs(app).action_ask("state:done age:>2h")
        await eventually(lambda: 50 < still_s() <= 60, "a minute's rest among jobs that ended hours ago")
        jobs(app).action_ask("state:waiting -reason:delay")
        assert still_s() <= 15
        jobs(app).action_ask("state:running")
        assert still_s() <= 1


async def test_times_of_the_day_are_shown_whole_and_of_older_jobs_the_day() -> None:
    async with running() as (app, pilot):
        row = next(row for row in app.store.newest if row.short_id == "7RDKW9")
        app.post_update(JobsChanged([replace(row, submitted_ms=row.submitted_ms - 48 * 3_600_000)]))
        await pilot.press("t", "G")
        await settled(pilot)
        aged = app.store.now_ms() - 48 * 3_600_000
        assert f" {clock(aged, '%d %b')} " in next(line for line in grid(app) if "  7RDKW9  " in line)
        await pilot.press("g")
        await settled(pilot)
        assert " 22:11  2m41s" in next(line for line in grid(app) if "train-lora epochs… 68%" in line)


async def test_on_a_phone_times_of_the_day_are_shown_too() -> None:
    async with running(PHONE) as (app, pilot):
        await pilot.press("t")
        await settled(pilot)
        assert any(line.endswith(" 22:11") for line in grid(app))


async def test_another_question_or_another_order_brings_nothing_new() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash")
        await typed(pilot, "state:failed")
        await pilot.press("enter", "j", "j", "escape")
        await settled(pilot)
        assert (jobs(app).table.cursor > 2, jobs(app).table.new_above) == (True, 0)
        await pilot.press("s")
        await settled(pilot)
        assert jobs(app).table.new_above == 0


async def test_when_the_query_is_left_the_cursor_stays_on_its_job() -> None:
    async with running() as (app, pilot):
        await pilot.press("slash")
        await typed(pilot, "7RDKM4")
        await pilot.press("enter", "escape")
        await settled(pilot)
        assert jobs(app).selected()[0].short_id == "7RDKM4"


async def test_another_order_begins_at_its_top() -> None:
    async with running() as (app, pilot):
        await pilot.press("s")
        await settled(pilot)
        assert (jobs(app).query_text, jobs(app).table.cursor) == ("sort:-dur", 0)


async def test_what_can_only_be_for_one_job_is_for_that_under_the_cursor() -> None:
    async with running() as (app, pilot):
        await pilot.press("space", "space", "j", "j", "enter")
        await eventually(lambda: app.screen.label == "Job", "a job's own screen")
        await settled(pilot)
        assert shows(app, "7RDKH9 mail-report")


async def test_of_marked_jobs_those_alone_are_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running() as (app, pilot):
        await pilot.press("space", "space", "x")
        await eventually(lambda: shows(app, "2 jobs as CSV"), "it asks")
        await pilot.press("enter")
        await eventually(lambda: shows(app, "2 jobs went into"), "it is written")
        [path] = tmp_path.iterdir()
        assert [row["id"][-6:] for row in csv.DictReader(path.open())] == ["7RDKX2", "7RDKW9"]
        await pilot.press("U", "space", "x")
        await eventually(lambda: shows(app, "1 job as CSV"), "it asks")


async def test_a_number_that_is_another_one_is_refused_aloud_and_the_way_out_is_told() -> None:
    feed = Recorder()
    async with running(feed=feed, grace_s=0.0) as (app, pilot):
        await pilot.press("asterisk", "X")
        await eventually(lambda: shows(app, "to do it."), "it asks")
        assert shows(app, "esc leaves")
        await pilot.press("7", "enter")
        await eventually(lambda: shows(app, "7 is not 1"), "it says so")
        await pilot.press("escape")
        await settled(pilot)
        assert feed.orders == []


async def test_why_a_job_waits_is_told_once() -> None:
    async with running() as (app, pilot):
        feed = app.feed
        assert isinstance(feed, DemoFeed)
        await feed.submit({"name": "brand-new", "command": "true"})
        await pilot.press("g")
        await eventually(lambda: shows(app, "· worker iphone-ssh is offline"), "what the others say")
        assert sum("jobs of its kind" in line for line in grid(app)) == 1
