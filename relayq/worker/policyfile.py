"""Read `policy.toml`: strictly, because a rule that is misspelt must not be a rule that is missing.

    shell = "owner"                       # rules for every job
    [github]                              # and for those of one kind of signer: owner, member, github
    commands = [["ffmpeg", "-i", "/srv/media/**", "..."]]
    [keys.laptop]                         # or for one named key
    queues = ["laptop"]

The file is read once, when the worker starts. One that others could write is refused,
and so is one that cannot be understood: such a worker does not start.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from relayq.errors import ConfigError, SpecError
from relayq.model.duration import parse_duration_ms, parse_size
from relayq.model.reading import shown
from relayq.model.signer import KINDS, MEMBER
from relayq.worker.patterns import Command
from relayq.worker.policy import LEVELS, TOP, Policy, Rules, is_denied

MAX_BYTES = 1 << 20
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_VARIABLE = re.compile(r"[A-Za-z0-9_*?]+")


def load_policy(path: Path) -> Policy:
    """The policy in a file, or an empty one without it; ConfigError for one that cannot be used."""
    try:
        _check_owner(path)
        text = path.read_bytes()
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise ConfigError(f"policy {path} cannot be read: {error.strerror}") from None
    try:
        return parse_policy(text.decode(), str(path))
    except UnicodeDecodeError:
        raise ConfigError(f"policy {path} is not UTF-8 text") from None


def parse_policy(text: str, path: str = "policy.toml") -> Policy:
    """Read the text of a policy; ConfigError names the file, the section and the key."""
    import tomllib  # most workers have no policy

    if len(text) > MAX_BYTES:
        raise ConfigError(f"policy {path} is {len(text)} characters long: at most {MAX_BYTES}")
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"policy {path} is not valid TOML: {error}") from None
    keys = document.pop("keys", {})
    tables = {kind: document.pop(kind) for kind in KINDS if kind in document}
    if not isinstance(keys, dict):
        raise ConfigError(f"policy {path}: 'keys' holds one section a key, such as [keys.laptop]")
    tables |= {f"keys.{name}": table for name, table in keys.items()}
    tables = ({TOP: document} if document else {}) | tables
    policy = Policy(path=path, sections={name: _section(table, name, path) for name, table in tables.items()})
    _check_rooted(policy)
    return policy


def _check_rooted(policy: Policy) -> None:
    """A relative path lies under a root: without one, nothing would ever fit it."""
    for name, given in policy.sections.items():
        above = [TOP, MEMBER] if name.startswith("keys.") else [TOP]
        places = [policy.sections[each].places for each in (name, *above) if each in policy.sections]
        loose = [word for command in given.commands or () for word in command.relative_paths()]
        if loose and not any(places):
            raise ConfigError(
                f"policy {policy.path}: commands {_where(name)}: {shown(str(loose[0]))} lies under a root, "
                "and there are no roots: name them, or write an absolute path"
            )


def _where(section: str) -> str:
    return f"in [{section}]" if section else "at the top"


def _check_owner(path: Path) -> None:
    facts = path.stat()
    if facts.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"policy {path} belongs to another user: type  chown {os.geteuid()} {path}")
    if stat.S_IMODE(facts.st_mode) & 0o022:
        raise ConfigError(f"policy {path} can be written by other users: type  chmod go-w {path}")


def _section(table: object, name: str, path: str) -> Rules:
    if not isinstance(table, dict):
        raise ConfigError(f"policy {path}: '{name}' is a section, written [{name}]")
    where = _where(name)
    fields: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _READERS:
            raise ConfigError(f"policy {path}: there is no rule {shown(key)} {where}{_meant(key, name)}")
        attribute, read = _READERS[key]
        try:
            fields[attribute] = read(value)
        except (ValueError, SpecError) as error:
            raise ConfigError(f"policy {path}: {key} {where}: {error}") from None
    if fields.get("shell") == "owner" and name:
        raise ConfigError(f"policy {path}: shell {where}: true or false; 'owner' stands at the top only")
    return Rules(**fields)


def _meant(key: str, section: str) -> str:
    from difflib import get_close_matches

    known = [*_READERS, *(() if section else (*KINDS, "keys"))]
    near = get_close_matches(key, known, n=1)
    return f": did you mean '{near[0]}'?" if near else f"; the rules are {', '.join(_READERS)}"


def _words(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) and word.strip() for word in value):
        raise ValueError(f"{shown(value)} is not a list of words")
    return tuple(value)


def _commands(value: object) -> tuple[Command, ...]:
    if not isinstance(value, list) or not all(isinstance(each, list) for each in value):
        raise ValueError('a list of commands, each a list of words: [["ffmpeg", "..."]]')
    return tuple(Command.parse(_texts(each)) for each in value)


def _texts(value: list[object]) -> list[str]:
    words = [word for word in value if isinstance(word, str)]
    if len(words) < len(value):
        raise ValueError(f"{shown(value)} is not a list of texts")
    return words


def _paths(value: object) -> tuple[str, ...]:
    for path in _words(value):
        if not path.startswith(("/", "~/")) and path != "~":
            raise ValueError(f"{shown(path)} is not an absolute path")
    return tuple(os.path.realpath(Path(path).expanduser()) for path in _words(value))


def _env(value: object) -> tuple[str, ...]:
    for name in _words(value):
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{shown(name)} is not the name of a variable")
        if is_denied(name):
            raise ValueError(f"{name} can never be allowed: it changes what programs run or load")
    return _words(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")
    return value


def _shell(value: object) -> bool | str:
    return "owner" if value == "owner" else _truth(value)


def _duration_ms(value: object) -> int:
    duration_ms = parse_duration_ms(value)
    if not duration_ms:
        raise ValueError("a duration above 0; without the rule there is no limit")
    return duration_ms


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 10:
        raise ValueError(f"{shown(value)} is not a whole number from 1 to 10")
    return value


def _level(value: object) -> str:
    if value not in LEVELS[1:]:
        raise ValueError(f"{shown(value)} is not one of {', '.join(LEVELS[1:])}")
    return str(value)


def _user(value: object) -> str:
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise ValueError(f"{shown(value)} is not the name of a user")
    return value


def rules() -> tuple[str, ...]:
    """The names of all rules."""
    return tuple(_READERS)


def spelt(policy: Policy) -> Iterator[tuple[str, str, object]]:
    """Every rule as (section, name in the file, value), in the order of the file."""
    for section, rules in policy.sections.items():
        for name, (attribute, _) in _READERS.items():
            if (value := getattr(rules, attribute)) is not None:
                yield section, name, value


_READERS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "types": ("types", _words),
    "queues": ("queues", _words),
    "shell": ("shell", _shell),
    "commands": ("commands", _commands),
    "roots": ("roots", _paths),
    "writable": ("writable", _paths),
    "readable": ("readable", _paths),
    "devices": ("devices", _paths),
    "env": ("env", _env),
    "max_runtime": ("max_runtime_ms", _duration_ms),
    "max_output": ("max_output_bytes", parse_size),
    "max_attempts": ("max_attempts", _count),
    "isolation": ("level", _level),
    "network": ("network", _truth),
    "user": ("user", _user),
}
