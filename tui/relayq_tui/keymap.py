"""Other keys for actions, as the configuration gives them: checked before the first frame."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from relayq.errors import ConfigError
from relayq_tui.actions import ACTIONS, Action


def keymap(given: Mapping[str, str]) -> dict[str, str]:
    """The keys by action id; ConfigError when there is no such action, or two would share a key."""
    known = {action.id for action in ACTIONS}
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no action {name!r} (tui.keys): see the help page of the terminal UI")
    for context in {action.context for action in ACTIONS}:
        _check([action for action in ACTIONS if action.context == context], given)
    return dict(given)


def _check(actions: list[Action], given: Mapping[str, str]) -> None:
    owners: dict[str, str] = {}
    keys = chain.from_iterable(
        ((key.strip(), action.id) for key in given.get(action.id, action.keys).split(","))
        for action in actions
    )
    for key, name in keys:
        if owners.setdefault(key, name) != name:
            raise ConfigError(
                f"the key {key!r} is for {owners[key]} and for {name} (tui.keys): give one another"
            )
