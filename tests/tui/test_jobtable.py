"""The table: only what is seen is drawn, and the cursor stays on its job."""

from __future__ import annotations

import time
from dataclasses import dataclass

from relayq_tui.widgets.jobtable import Column, JobTable
from tests.tui.widget_support import staged


@dataclass
class Row:
    """A row of the test."""

    id: str
    text: str = ""


COLUMNS = [
    Column[Row]("ID", 6, lambda row: (row.id, None)),
    Column[Row]("TEXT", 0, lambda row: (row.text, None), tail=lambda row: "!" if row.text == "late" else ""),
    Column[Row]("N", 4, lambda row: (row.id[1:], None), right=True),
]


def rows(count: int, start: int = 0) -> list[Row]:
    """Rows r0, r1..."""
    return [Row(f"r{number}", f"row {number}") for number in range(start, start + count)]


def lines(table: JobTable[Row]) -> list[str]:
    """What it draws."""
    return [table.render_line(y).text.rstrip() for y in range(table.size.height)]


async def test_columns_have_their_widths_and_numbers_stand_at_the_right() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 4)) as pilot:
        table.set_rows([Row("r1", "a name that is much too long for it"), Row("r2", "late")], COLUMNS)
        await pilot.pause()
        assert lines(table)[0] == "   ID     TEXT                        N"
        assert lines(table)[1] == "▶  r1     a name that is much too…    1"
        assert lines(table)[2] == "   r2     late                   !    2"


async def test_wide_characters_do_not_shift_what_follows() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 3)) as pilot:
        table.set_rows([Row("r1", "漢字漢字漢字漢字漢字漢字漢字漢字")], COLUMNS)
        await pilot.pause()
        assert table.render_line(1).cell_length == 40
        assert lines(table)[1].endswith(" 1")


async def test_the_cursor_stays_on_its_job_and_its_line_when_rows_come_above() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 8)) as pilot:
        table.set_rows(rows(50), COLUMNS)
        await pilot.press("down", "down", "down")
        before = next(y for y, line in enumerate(lines(table)) if line.startswith("▶"))
        table.set_rows([Row("new1"), Row("new2"), *rows(50)])
        await pilot.pause()
        assert table.current == Row("r3", "row 3")
        assert lines(table)[before].startswith("▶  r3")
        assert table.new_above == 2


async def test_at_the_very_top_the_newest_is_followed() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 8)) as pilot:
        table.set_rows(rows(5), COLUMNS)
        table.set_rows([Row("new"), *rows(5)])
        await pilot.pause()
        assert table.current == Row("new")


async def test_when_its_job_goes_the_cursor_stays_where_it_was() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 8)) as pilot:
        table.set_rows(rows(5), COLUMNS)
        await pilot.press("down", "down")
        table.set_rows([row for row in rows(5) if row.id != "r2"])
        assert table.current == Row("r3", "row 3")
        table.set_rows([])
        assert table.current is None
        await pilot.press("down", "G", "g", "pagedown")
        assert table.current is None


async def test_moving_draws_two_lines_only() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 20)) as pilot:
        table.set_rows(rows(100), COLUMNS)
        await pilot.pause()
        drawn: list[int] = []
        original = table.render_line
        table.render_line = lambda y: (drawn.append(y), original(y))[1]  # type: ignore[method-assign]  # a spy
        await pilot.press("down")
        await pilot.pause()
        assert sorted(drawn) == [1, 2]


async def test_keys_go_to_the_ends_and_pages() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 11)) as pilot:
        table.set_rows(rows(100), COLUMNS)
        await pilot.press("G")
        assert table.cursor == 99
        await pilot.press("g")
        assert table.cursor == 0
        await pilot.press("pagedown", "pagedown")
        assert table.cursor == 18
        await pilot.press("k")
        assert table.cursor == 17


async def test_the_wheel_and_clicks_move_the_cursor() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 11)) as pilot:
        table.set_rows(rows(100), COLUMNS)
        await pilot.pause()
        await pilot.click(JobTable, offset=(5, 4))
        assert table.cursor == 3
        await pilot.click(JobTable, offset=(5, 0))
        assert table.cursor == 3


async def test_marks_are_kept_by_job() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 6)) as pilot:
        table.set_rows(rows(5), COLUMNS)
        table.mark(["r1"])
        await pilot.press("down")
        table.set_rows([Row("new"), *rows(5)])
        await pilot.pause()
        assert [line[1:2] for line in lines(table)[1:5]] == [" ", "*", " ", " "]
        table.mark(["r1"], is_marked=False)
        assert table.marks == set()


async def test_a_hundred_thousand_rows_cost_what_forty_cost() -> None:
    table: JobTable[Row] = JobTable()
    many = rows(100_000)
    async with staged(table, (120, 40)) as pilot:
        began = time.process_time()
        table.set_rows(many, COLUMNS)
        await pilot.pause()
        for _ in range(20):
            await pilot.press("pagedown")
        assert time.process_time() - began < 2.0
        assert table.cursor == 20 * (table.page - 1)


async def test_another_list_keeps_the_job_under_the_cursor_and_has_nothing_new() -> None:
    table: JobTable[Row] = JobTable()
    async with staged(table, (40, 8)) as pilot:
        table.set_rows(rows(1, start=30), COLUMNS)
        await pilot.pause()
        table.set_rows(rows(50), is_other=True)
        await pilot.pause()
        assert table.current is not None
        assert (table.current.id, table.new_above) == ("r30", 0)
