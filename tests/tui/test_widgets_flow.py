"""The flow: columns by the longest path, lines that tell the truth, a cursor."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayq.model.lifecycle import State
from relayq_tui.glyphs import ASCII
from relayq_tui.widgets.canvas import DOWN, LEFT, RIGHT, UP
from relayq_tui.widgets.flow import Flow
from relayq_tui.widgets.gutters import gutter
from relayq_tui.widgets.layers import Edge, Node, is_passage, laid_out
from tests.tui.widget_support import drawn, heard, staged


def node(name: str, state: State = State.SUCCEEDED, detail: str = "") -> Node:
    """A job with its id for a label."""
    return Node(id=name, label=name, state=state, detail=detail)


def flow(edges: str, *more: Node, names: str = "") -> Flow:
    """A flow of `ab bc`: b waits for a, c for b."""
    pairs = [(pair[0], pair[1]) for pair in edges.split()]
    known = dict.fromkeys([*names, *(name for pair in pairs for name in pair)])
    found = Flow()
    found.set_graph([*(node(name) for name in known), *more], pairs)
    return found


NIGHTLY = (
    [
        node("build", detail="4m"),
        node("scrape-prices", detail="9m31s"),
        node("embed-docs", State.RUNNABLE, "#4 ≈6m"),
        node("train-lora", State.FAILED, "137"),
        node("report", State.PENDING),
        node("mail", State.PENDING),
    ],
    [("build", "scrape-prices"), ("scrape-prices", "report"), ("embed-docs", "report"),
     ("train-lora", "report"), ("report", "mail")],
)  # fmt: skip


async def test_a_flow_is_drawn_from_left_to_right() -> None:
    found = Flow()
    found.set_graph(*NIGHTLY)
    found.move_to_id("build")
    async with staged(found, (80, 4)):
        assert drawn(found) == [
            "[build ✓ 4m]────▶ scrape-prices ✓ 9m31s ──┐",
            "                  embed-docs    ○ #4 ≈6m ─┼──▶ report ◷ ────▶ mail ◷",
            "                  train-lora    ✗ 137 ────┘",
            "",
        ]


async def test_one_may_let_many_begin() -> None:
    found = flow("ab ac ad")
    async with staged(found, (30, 4)):
        assert [line.replace("[", " ").replace("]", " ").rstrip() for line in drawn(found)] == [
            "      ┌──▶ b ✓",
            " a ✓ ─┼──▶ c ✓",
            "      └──▶ d ✓",
            "",
        ]


async def test_a_line_over_several_columns_passes_between_the_nodes() -> None:
    found = flow("ab bc ac")
    async with staged(found, (40, 3)):
        text = "\n".join(drawn(found))
        assert text.count("▶") == 2
        assert "│" in text or "┐" in text


async def test_the_cursor_follows_the_lines() -> None:
    found = Flow()
    found.set_graph(*NIGHTLY)
    found.move_to_id("train-lora")
    async with staged(found, (80, 4)) as pilot:
        await pilot.press("right")
        assert found.current is not None
        assert found.current.id == "report"
        await pilot.press("l")
        assert found.current.id == "mail"
        await pilot.press("left", "left")
        assert found.current.id == "embed-docs"
        await pilot.press("k")
        assert found.current.id == "scrape-prices"
        await pilot.press("k", "j", "j", "j")
        assert found.current.id == "train-lora"


async def test_the_cursor_stays_on_its_job_when_the_flow_changes() -> None:
    found = Flow()
    found.set_graph(*NIGHTLY)
    found.move_to_id("report")
    async with staged(found, (80, 4)):
        nodes, edges = NIGHTLY
        found.set_graph([*nodes, node("new")], [*edges, ("new", "build")])
        assert found.current is not None
        assert found.current.id == "report"


async def test_a_flow_too_wide_moves_with_the_cursor() -> None:
    found = flow("ab bc cd de ef fg gh hi ij")
    async with staged(found, (24, 2)) as pilot:
        assert "[a ✓]" in drawn(found)[0]
        for _ in range(9):
            await pilot.press("right")
        assert "[j ✓]" in drawn(found)[0]
        await pilot.press("left")
        assert "[i ✓]" in drawn(found)[0]


async def test_a_click_chooses_a_job() -> None:
    found = flow("ab bc")
    async with staged(found, (60, 3)) as pilot:
        x = drawn(found)[0].index("b")
        await pilot.click(Flow, offset=(x, 0))
        assert found.current is not None
        assert found.current.id == "b"
        assert heard(pilot) == ["Moved"]
        await pilot.click(Flow, offset=(x, 0))
        assert heard(pilot) == ["Moved", "Chosen"]


async def test_many_jobs_that_are_alike_become_one() -> None:
    chunks = [node(f"chunk-{n}", State.SUCCEEDED if n < 34 else State.RUNNING) for n in range(36)]
    edges = [("split", chunk.id) for chunk in chunks] + [(chunk.id, "merge") for chunk in chunks]
    found = Flow()
    found.set_graph([node("split"), *chunks, node("merge")], edges)
    async with staged(found, (70, 5)):
        text = "\n".join(drawn(found))
        assert "34× chunk-…" in text
        assert "chunk-34" in text
        assert "chunk-35" in text
        assert "chunk-7" not in text


async def test_the_cursor_goes_to_what_stands_for_a_job() -> None:
    chunks = [node(f"chunk-{n}") for n in range(9)]
    found = Flow()
    found.set_graph([node("split"), *chunks], [("split", chunk.id) for chunk in chunks])
    async with staged(found, (70, 5)):
        assert found.move_to_id("chunk-7")
        assert found.current is not None
        assert (found.current.label, found.current.count) == ("chunk-…", 9)


def test_a_flow_of_thousands_is_laid_out_while_one_waits() -> None:
    dice = random.Random(1)
    jobs = [node(f"n{number}") for number in range(3_000)]
    edges = [(f"n{a}", f"n{b}") for a in range(2_000) for b in dice.sample(range(a + 1, a + 500), 2)]
    began = time.process_time()
    layout = laid_out(jobs, edges)
    strokes = [gutter(step, layout.rows).strokes() for step in layout.edges]
    assert time.process_time() - began < 2.0
    assert sum(one.count for column in layout.columns for one in column if not is_passage(one.id)) == 3_000
    assert len(strokes) == len(layout.columns) - 1


async def test_an_empty_flow_takes_every_key() -> None:
    found = flow("")
    async with staged(found, (40, 3)) as pilot:
        await pilot.press("j", "k", "left", "right")
        assert found.current is None
        assert drawn(found) == ["", "", ""]


async def test_the_plain_characters_are_plain() -> None:
    found = flow("ab ac bd cd ad")
    async with staged(found, (60, 6), glyphs=ASCII, palette="mono"):
        assert "\n".join(drawn(found)).isascii()


def test_a_job_stands_behind_all_it_waits_for_and_not_earlier_than_need_be() -> None:
    nodes, edges = NIGHTLY
    columns = [{one.id for one in column} for column in laid_out(nodes, edges).columns]
    assert columns == [{"build"}, {"scrape-prices", "embed-docs", "train-lora"}, {"report"}, {"mail"}]


def test_a_circle_cannot_hang_it() -> None:
    layout = laid_out([node(name) for name in "abcd"], [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")])
    assert {one.id for column in layout.columns for one in column} >= set("abcd")


names = st.sampled_from("abcdefghi")
graphs = st.lists(st.tuples(names, names).filter(lambda pair: pair[0] < pair[1]), max_size=16)


@given(graphs)
def test_every_line_leads_from_one_column_to_the_next(edges: list[Edge]) -> None:
    layout = laid_out([node(name) for name in "abcdefghi"], edges)
    places = {one.id: index for index, column in enumerate(layout.columns) for one in column}
    assert all(
        places[b] == places[a] + 1 == index + 1 for index, step in enumerate(layout.edges) for a, b in step
    )
    for column in layout.columns:
        rows = [layout.rows[one.id] for one in column]
        assert rows == sorted(set(rows))


@given(graphs)
def test_every_dependency_can_be_followed_and_no_other(edges: list[Edge]) -> None:
    jobs = [node(name) for name in "abcdefghi"]
    layout = laid_out(jobs, edges)
    shown = {one.id for column in layout.columns for one in column if not is_passage(one.id)}
    if shown != set("abcdefghi"):
        return  # some that are alike have become one
    steps = [edge for step in layout.edges for edge in step]
    found = {(job.id, end) for job in jobs for end in _ends(job.id, steps)}
    assert found == set(edges)


def _ends(name: str, steps: list[Edge]) -> set[str]:
    """The jobs that lines lead to from here, past all places where they only pass."""
    after = {target for source, target in steps if source == name}
    return {end for target in after for end in (_ends(target, steps) if is_passage(target) else {target})}


rows = st.integers(0, 5)


@given(st.sets(st.tuples(rows, rows), min_size=1, max_size=10))
def test_lines_in_a_gutter_reach_every_target_from_its_sources(pairs: set[tuple[int, int]]) -> None:
    places = {f"{side}{row}": row for side in "st" for row in range(6)}
    lines = gutter([(f"s{a}", f"t{b}") for a, b in sorted(pairs)], places)
    strokes = lines.strokes()
    assert {y for (x, y), sides in strokes.items() if x == 0 and sides & LEFT} == {a for a, _ in pairs}
    last = lines.width - 1
    assert {y for (x, y), sides in strokes.items() if x == last and sides & RIGHT} == {b for _, b in pairs}
    for x, y in strokes:
        assert not strokes[x, y] & DOWN or strokes.get((x, y + 1), 0) & UP


@pytest.mark.parametrize("count", [300])
def test_a_long_chain_is_laid_out_at_once(count: int) -> None:
    chain = [str(number) for number in range(count)]
    layout = laid_out([node(name) for name in chain], list(pairwise(chain)))
    assert len(layout.columns) == count
    assert layout.height == 1
