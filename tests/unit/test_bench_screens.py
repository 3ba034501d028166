"""The table of the screens' bars: what is met, what is missed and why."""

from __future__ import annotations

from pathlib import Path

from benchmarks.screens.measures import MEASURES
from benchmarks.screens.report import Run, document, table
from benchmarks.screens.rows import ROWS


def run(**own: float) -> Run:
    """A run with these figures."""
    return Run(own=own, minimal={"frame": 150.0}, failures={}, quick=False, soak_s=300, seconds=900)


def test_a_miss_is_shown_as_one_and_with_its_reason() -> None:
    text = document(run(rss=114.0, frame=300.0))
    assert "| first frame, with the rows of the cache | ms | 300 | ≤ 350 | met | 150 |" in text
    assert "| resident memory with 100,000 jobs | MiB | 114 | ≤ 80 | **missed** | – |" in text
    assert "1 of 2 bars are met." in text
    (why,) = (row.why for row in ROWS if row.key == "rss")
    assert why
    assert f"* resident memory with 100,000 jobs: {why}" in text


def test_what_could_not_be_measured_is_named() -> None:
    broken = Run(own={}, minimal={}, failures={"keys": "no hub"}, quick=True, soak_s=30, seconds=9)
    assert "* keys: no hub" in document(broken)


def test_only_what_was_measured_has_a_line() -> None:
    assert len(table(run(log=17.0)).splitlines()) == 3


def test_every_row_is_the_figure_of_a_measure() -> None:
    source = (Path(__file__).parents[2] / "benchmarks" / "screens" / "measures.py").read_text()
    spread = {"key_p50": "_p50", "key_p99": "_p99", "log": '"log"', "filter": '"filter"'}
    assert [row.key for row in ROWS if spread.get(row.key, f'"{row.key}"') not in source] == []
    assert len(MEASURES) == 10
