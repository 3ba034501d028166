"""Every action has a twin on the command line that the command line understands."""

from __future__ import annotations

import shlex

import pytest

from relayq.cli.commands import COMMANDS
from relayq.cli.parser import parser_of
from relayq_tui.actions import ACTIONS, Action
from relayq_tui.screens.palette import COMMANDS as WORDS

ID = "T50YG4H0GZ7RDKM4"
# What has no twin only moves about in what is seen, or belongs to the screens alone.
ALONE = {"anywhere", "list", "log", "timeline", "form"}
OWN = {
    "views", "flow", "sort", "zoom", "mark", "range", "mark_all", "unmark", "copy", "job.next",
    "job.previous", "worker.copy", "schedule.open", "event.filter", "event.kind", "event.follow",
}  # fmt: skip


def filled(template: str) -> list[str]:
    """A twin with something sensible in its places."""
    line = template.format(ids=f"{ID} {ID}", id=ID, name="pi4-attic", value="5", query="state:failed")
    return shlex.split(line)


@pytest.mark.parametrize("action", [one for one in ACTIONS if one.cli], ids=lambda one: one.id)
def test_a_twin_is_understood(action: Action) -> None:
    program, command, *words = filled(action.cli)
    assert program == "relayq"
    if command.startswith("--"):
        return
    parser, _ = parser_of(COMMANDS[command])
    cut = words.index("--") if "--" in words else len(words)
    parser.parse(words[:cut])


@pytest.mark.parametrize("command", WORDS, ids=lambda one: one.word)
def test_a_command_of_the_palette_is_understood(command: object) -> None:
    _, name, *words = shlex.split(command.about)  # type: ignore[attr-defined]  # it is a Command
    parser, _ = parser_of(COMMANDS[name])
    parser.parse(["state:failed" if word == "QUERY" else word for word in words])


def test_what_has_no_twin_changes_nothing_and_shows_nothing_new() -> None:
    lacking = [action for action in ACTIONS if not action.cli]
    assert [action.id for action in lacking if action.changes] == []
    assert [action.id for action in lacking if action.context not in ALONE and action.id not in OWN] == []
