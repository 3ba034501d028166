"""Columns stand below each other whatever letters are in them."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from relayq.cli.output import print_facts, print_table

NAMES = ["plain", "日本語", "école", "e\u0301cole", "🚀 launch", ""]


def test_the_next_column_begins_at_one_place(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["NAME", "STATE"], [[name, "RUNNING"] for name in NAMES])
    lines = capsys.readouterr().out.splitlines()
    assert {
        cell_len(line[: line.index(word)]) for line in lines for word in ("STATE", "RUNNING") if word in line
    } == {11}
    assert [line[: line.index("RUNNING")].rstrip() for line in lines[1:]] == NAMES


def test_values_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("名前", "one\ntwo"), ("e\u0301", "three")])
    assert capsys.readouterr().out == "名前  one\n      two\ne\u0301     three\n"
