"""The copied command line submits the same job, or is one that does."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from relayq.cli.commands import COMMANDS
from relayq.cli.options import fields_of as fields_of_cli
from relayq.cli.parser import parser_of
from relayq.model.job import JobSpec
from relayq_tui.submitline import submit_line

JOB = "T50YG4H0GZ7RDKM4"
OTHER = "AAAAAAAAAAAAAAA1"
SPECS: dict[str, dict[str, Any]] = {
    "a plain one": {"command": "make all"},
    "words of its own": {"command": ["printf", "%s", "a b"]},
    "where": {"command": "x", "queue": "gpu", "needs": ["mac", "tool:ffmpeg", "memory=1G"],
              "prefer": ["fast"], "prefer_wait": "5m", "cwd": "/srv/a b"},
    "rules": {"command": "x", "attempts": 3, "backoff": "10s", "retry_on": ["75", "100-110"],
              "timeout": "90s", "deadline": "2h", "grace": "5m", "on_lost": "hold", "priority": -5},
    "when": {"command": "x", "delay": "10m", "after": [OTHER, f"{JOB}:any"]},
    "many": {"command": "x", "array": "10-19", "unique": {"key": "k", "mode": "window", "window": "1h"},
             "limits": {"db": 2}, "rates": {"api": "5/1m"}, "share": "me"},
    "what it is told and leaves": {"command": "x", "env": {"A": "b c"}, "labels": {"owner": "me"},
                                   "outputs": ["*.txt"], "keep_output": "2M"},
    "a key alone": {"command": "x", "unique": "nightly"},
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_the_line_submits_the_same(name: str) -> None:
    spec = JobSpec.from_dict(SPECS[name])
    words = shlex.split(submit_line(spec.to_dict(), JOB))
    cut = words.index("--")
    command: Any = words[cut + 1 :]
    parser, _ = parser_of(COMMANDS["submit"])
    options = fields_of_cli(parser.parse(words[2:cut]))
    assert JobSpec.from_dict({"command": command[0] if len(command) == 1 else command, **options}) == spec


@pytest.mark.parametrize(
    "more",
    [
        {"secrets": {"TOKEN": "***"}},
        {"stdin": "a text"},
        {"array": {"size": 2, "values": ["a", "b"]}},
        {"command": ["make"]},
        {"command": ""},
        {"after": [{"job": OTHER, "mode": "index"}]},
    ],
    ids=lambda more: next(iter(more)),
)
def test_where_words_would_lose_something_the_line_is_a_clone(more: dict[str, Any]) -> None:
    given = {"command": "x", **more}
    if not given["command"]:
        given["payload"] = {}
    assert submit_line(given, JOB) == "relayq clone 7RDKM4"
