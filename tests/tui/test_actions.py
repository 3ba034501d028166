"""The table of actions: keys that never clash, handlers that exist, twins on the command line."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest

from relayq.cli.commands import COMMANDS
from relayq_tui.actions import ACTIONS, CONTEXTS, Action, of_context
from relayq_tui.app import RelayQApp
from relayq_tui.screens import SCREENS, screen_class
from relayq_tui.widgets.jobtable import JobTable
from relayq_tui.widgets.logview import LogView

# Which contexts are listened to at the same time: the focused widget's, then the screen's, then the app's.
TOGETHER = {name: (name, "list") for name in ("jobs", "workers", "schedules", "budget", "events")}


def keys(actions: list[Action]) -> Counter[str]:
    """Every key of these actions, how often it is there."""
    return Counter(chain.from_iterable(action.keys.split(",") for action in actions))


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_key_means_one_thing_in_a_context(context: str) -> None:
    assert {key: count for key, count in keys(of_context(context)).items() if count > 1} == {}


@pytest.mark.parametrize("context", TOGETHER)
def test_a_screen_and_its_list_share_no_key(context: str) -> None:
    assert {key: count for key, count in keys(of_context(*TOGETHER[context])).items() if count > 1} == {}


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(action.id for action in ACTIONS).items() if count > 1] == []


def test_lower_case_looks_and_upper_case_changes() -> None:
    letters = [action for action in ACTIONS if len(action.key) == 1 and action.key.isalpha()]
    harmless = {"G", "F", "U", "N", "M", "O", "D", "T"}  # ends, views, marks, and back in a log
    assert [action.id for action in letters if action.key.islower() and action.changes] == []
    assert [a.id for a in letters if a.key.isupper() and not a.changes and a.key not in harmless] == []


def test_no_action_needs_a_key_that_a_phone_has_not() -> None:
    hard = [action.id for action in ACTIONS if action.key.startswith(("f1", "alt+", "ctrl+"))]
    assert hard == ["quit"]


def test_whatever_changes_something_has_a_twin_on_the_command_line() -> None:
    assert [action.id for action in ACTIONS if action.changes and not action.cli] == []


def test_every_twin_is_a_command() -> None:
    named = {action.id: action.cli.split()[1] for action in ACTIONS if action.cli}
    assert {name: word for name, word in named.items() if word not in COMMANDS and word != "--help"} == {}


def test_every_action_of_a_screen_is_carried_out_by_it() -> None:
    everywhere = [RelayQApp, JobTable, LogView]
    handlers = [*everywhere, *(screen_class(name) for name in SCREENS)]
    shown = set(chain.from_iterable(getattr(one, "contexts", ()) for one in handlers)) | {"anywhere", "list"}
    missing = [
        action.id
        for action in ACTIONS
        if action.context in shown and not any(hasattr(one, f"action_{action.method}") for one in handlers)
    ]
    assert missing == []
