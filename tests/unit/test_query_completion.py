"""Completion of queries: the word before the cursor, and what it may become."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relayq.query import FIELDS, complete, insert, parse
from relayq.query.grammar import GROUPS

VALUES = {"queue": ["gpu", "media", "odd name"], "worker": ["pi3-shed", "pi4-attic", "mac-mini"]}


def completed(text: str) -> list[str]:
    """The completions at the end of the text."""
    return complete(text, len(text), VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("st", ["state:"]),
        ("-q", ["-queue:"]),
        ("queue:gpu wo", ["worker:"]),
        ("(na", ["name:"]),
        ("so", ["sort:"]),
        ("state:fa", ["state:failed"]),
        ("state:failed,ru", ["state:failed,runnable", "state:failed,running", "state:failed,run"]),
        ("-state:canc", ["-state:cancelled"]),
        ("queue:g", ["queue:gpu"]),
        ("queue:o", ['queue:"odd name"']),
        ('queue:"od', ['queue:"odd name"']),
        ("worker:pi", ["worker:pi3-shed", "worker:pi4-attic"]),
        ("worker:attic", ["worker:pi4-attic"]),
        ("worker:pi3-shed,pi", ["worker:pi3-shed,pi4-attic"]),
        ("sort:-du", ["sort:-dur"]),
        ("group:w", ["group:worker"]),
        ("age:<1", ["age:<1h", "age:<1d"]),
        ("what:", []),
        ("zzz", []),
    ],
)
def test_the_word_before_the_cursor_is_completed(text: str, expected: list[str]) -> None:
    assert completed(text) == expected


def test_nothing_typed_offers_every_field() -> None:
    assert completed("") == completed("gpu ") == [f"{name}:" for name in (*FIELDS, "sort", "group")]


def test_only_the_word_before_the_cursor_counts() -> None:
    assert complete("state:fa queue:gpu", 8, VALUES) == ["state:failed"]


@pytest.mark.parametrize(
    ("text", "cursor", "word", "expected"),
    [
        ("st", 2, "state:", ("state:", 6)),
        ("state:fa", 8, "state:failed", ("state:failed ", 13)),
        ("state:fa queue:gpu", 8, "state:failed", ("state:failed queue:gpu", 12)),
        ("(na)", 3, "name:", ("(name:)", 6)),
        ("(state:fa)", 9, "state:failed", ("(state:failed)", 13)),
    ],
)
def test_a_completion_takes_the_place_of_the_word(
    text: str, cursor: int, word: str, expected: tuple[str, int]
) -> None:
    assert insert(text, cursor, word) == expected


def test_the_page_about_queries_tells_every_field_and_group() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "query.md").read_text()
    assert [name for name in FIELDS if f"`{name}:`" not in page] == []
    assert [name for name in GROUPS if f"`{name}`" not in page] == []


def test_the_examples_on_the_page_are_queries() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "query.md").read_text()
    examples = re.findall(r"relayq jobs '([^']+)'", page)
    assert len([parse(text) for text in examples if text != "QUERY"]) == 4
