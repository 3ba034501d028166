"""Other keys for actions, as the configuration gives them: checked before the first frame."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from textual.keys import Keys

from relayq.errors import ConfigError
from relayq_tui.actions import ACTIONS, Action

EVERYWHERE = ("anywhere", "list")
MODIFIERS = frozenset({"ctrl", "shift", "alt"})
NAMED = frozenset(key.value for key in Keys)


def keymap(given: Mapping[str, str]) -> dict[str, str]:
    """The keys by action id; ConfigError when there is no such action or key, or two would share one.

    No keys at all, `""`, is an action without a key.
    """
    known = {action.id: action for action in ACTIONS}
    for name in given:
        if name not in known:
            raise ConfigError(f"there is no action {name!r} (tui.keys): see the help page of the terminal UI")
        for key in _keys(known[name], given):
            if not _is_key(key):
                raise ConfigError(f"there is no key {key!r} ({name} in tui.keys): write x, ctrl+x, f2, space")
    for context in {action.context for action in ACTIONS}:
        _check([action for action in ACTIONS if action.context == context], given)
    for name in given:
        _check_beside(known[name], given)
    return dict(given)


def _keys(action: Action, given: Mapping[str, str]) -> Iterator[str]:
    return filter(None, (key.strip() for key in given.get(action.id, action.keys).split(",")))


def _is_key(key: str) -> bool:
    """Is it one that a terminal may send: a character, or the name of a key, with modifiers or without?"""
    *modifiers, base = key.split("+") if len(key) > 1 else [key]
    if not MODIFIERS.issuperset(modifiers):
        return False
    if len(base) == 1 or key in NAMED or base in NAMED:
        return True
    try:
        return bool(unicodedata.lookup(base.replace("_", " ")))
    except KeyError:
        return False


def _check(actions: list[Action], given: Mapping[str, str]) -> None:
    owners: dict[str, str] = {}
    for action in actions:
        for key in _keys(action, given):
            if owners.setdefault(key, action.id) != action.id:
                raise _taken(key, owners[key], action.id)


def _check_beside(action: Action, given: Mapping[str, str]) -> None:
    """A key that was given must not be one that is listened to everywhere, nor the other way round."""
    is_everywhere = action.context in EVERYWHERE
    for key in _keys(action, given):
        for other in ACTIONS:
            beside = is_everywhere or other.context in EVERYWHERE
            if other.id != action.id and beside and key in _keys(other, given):
                raise _taken(key, other.id, action.id)


def _taken(key: str, owner: str, other: str) -> ConfigError:
    return ConfigError(f"the key {key!r} is for {owner} and for {other} (tui.keys): give one another")
