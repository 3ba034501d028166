"""Read the environment and the configuration files, once, into one frozen Config.

A value comes from the first of these that gives it: what was typed (overrides),
`RELAYQ_*`, the user's file `<config_dir>/config.toml`, what `relayq join` wrote down
beside it (`joined.toml`), `/etc/relayq/config.toml`, the default; `Config.sources` says
which. What can be set stands in settings.py.

Every command reads the configuration, so that must cost next to nothing: what
takes 5 to 15 ms to import (dataclasses, pathlib, tomllib, platformdirs) is
imported where a value asks for it.
"""

from __future__ import annotations

import os
from io import FileIO

from relayq.errors import ConfigError, TypedError
from relayq.places import default_dirs, short
from relayq.settings import SETTINGS, without_password

TYPE_CHECKING = False  # `typing` takes 6 ms to import
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    Layer = dict[str, tuple[object, str]]  # key -> value as written, source

JOINED_FILE = "joined.toml"
TYPED = "flag"
SYSTEM_FILE = "/etc/relayq/config.toml"
_RESERVED = (
    "RELAYQ_HUB_",
    "RELAYQ_WORKER_",
    "RELAYQ_TRUST_",
    "RELAYQ_PATHS_",
    "RELAYQ_TUI_",
    "RELAYQ_GITHUB_",
    "RELAYQ_BUDGET_",
)
_UNITS = {
    "max_memory": "max_memory_bytes",
    "stop_deadline": "stop_deadline_ms",
    "keep_workdir": "keep_workdir_ms",
    "keep_logs": "keep_logs_ms",
    "max_logs": "max_logs_bytes",
}


class Frozen:
    """A record whose annotations are its fields (`dataclasses` would take 10 ms to import)."""

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"


class TakeWhen(Frozen):
    """The conditions under which a worker takes jobs.

    `on_battery` False: only on mains power. `max_load` is a load average per CPU,
    `max_temperature` degrees Celsius; None is no limit. `hours` are (start, end)
    in minutes of the local day; none at all is always.
    """

    on_battery: bool
    max_load: float | None
    max_temperature: float | None
    hours: tuple[tuple[int, int], ...]

    def within_hours(self, minute: int) -> bool:
        """Say whether jobs are taken at `minute` of the local day (22:00-06:00 spans midnight)."""
        return not self.hours or any(
            (minute - start) % 1440 < (end - start) % 1440 for start, end in self.hours
        )


class WorkerConfig(Frozen):
    """What the owner decided about the worker on this machine; where None, the machine decides."""

    name: str
    labels: tuple[str, ...]
    slots: int | None
    queues: tuple[str, ...] | None
    max_memory_bytes: int | None
    nice: int
    isolation: str
    user: str | None
    stop_deadline_ms: int
    keep_workdir_ms: int
    keep_logs_ms: int
    max_logs_bytes: int
    counters: dict[str, int]
    gpus: int | None
    watts: float | None
    take_when: TakeWhen


class Config(Frozen):
    """Everything that was configured; `sources` tells where each value came from, by dotted key."""

    url: str | None
    fleet: str
    worker: WorkerConfig
    trust_keys: tuple[str, ...]
    trust_owner: str
    oidc_issuer: str
    values: dict[str, object]
    sources: dict[str, str]

    @property
    def config_dir(self) -> Path:
        """Where config.toml stands."""
        return self._path("config_dir")

    @property
    def state_dir(self) -> Path:
        """What a worker must find again after a restart."""
        return self._path("state_dir")

    @property
    def data_dir(self) -> Path:
        """The local hub's data and the owner's key: not among the dotfiles, which people publish."""
        return self._path("data_dir")

    @property
    def cache_dir(self) -> Path:
        """What may be lost."""
        return self._path("cache_dir")

    @property
    def runtime_dir(self) -> Path:
        """Where sockets are; at most 60 bytes long."""
        return self._path("runtime_dir")

    @property
    def owner_key_path(self) -> Path:
        """The owner's private key."""
        return self._path("owner_key")

    @property
    def policy_path(self) -> Path:
        """What the worker on this machine lets jobs do."""
        return self._path("policy")

    @property
    def identity_path(self) -> Path:
        """The private key of this machine in a fleet that it joined; not there on the owner's own."""
        return self._path("identity")

    def shown(self) -> Iterator[tuple[str, str, str]]:
        """Yield (dotted key, value, source) for people; a URL without its password."""
        for key, value in self.values.items():
            yield key, SETTINGS[key].show(value), self.sources[key]

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{key}={value!r}' for key, value, _ in self.shown() if value)})"

    def _path(self, name: str) -> Path:
        from pathlib import Path

        return Path(str(self.values[f"paths.{name}"]))


def load(overrides: Mapping[str, object] | None = None) -> Config:
    """Read everything. `overrides` are what was typed, by dotted key; None there means not given.

    Raise ConfigError for a file that cannot be read, an unknown key or a bad value.
    """
    above = _environment() | _typed(overrides or {})
    values: dict[str, object] = {key: setting.default for key, setting in SETTINGS.items()}
    values |= {f"paths.{kind}_dir": path for kind, path in default_dirs().items()}
    user_file = _user_file(above, values)
    joined = f"{user_file.rpartition('/')[0]}/{JOINED_FILE}"
    found = _file(SYSTEM_FILE) | _file(joined) | _file(user_file) | above
    values = {key: _value(key, found, values) for key in SETTINGS}
    values["paths.runtime_dir"] = short(
        str(values["paths.runtime_dir"] or f"{values['paths.state_dir']}/run")
    )
    values["paths.policy"] = values["paths.policy"] or f"{values['paths.config_dir']}/policy.toml"
    values["paths.owner_key"] = values["paths.owner_key"] or f"{values['paths.data_dir']}/owner.key"
    values["paths.identity"] = values["paths.identity"] or f"{values['paths.data_dir']}/identity.key"
    return _config(values, {key: found[key][1] if key in found else "default" for key in SETTINGS})


def user_file() -> str:
    """The path of the user's configuration file, whatever stands in it."""
    return _user_file(_environment(), {f"paths.{kind}_dir": path for kind, path in default_dirs().items()})


def _user_file(above: Layer, defaults: Mapping[str, object]) -> str:
    return f"{_value('paths.config_dir', above, defaults)}/config.toml"


def env_name(key: str) -> str:
    """Return the variable that sets a key: RELAYQ_URL, RELAYQ_STATE_DIR, RELAYQ_WORKER_SLOTS."""
    section, _, name = key.partition(".")
    words = [name] if section in ("hub", "paths") else [section, name]
    return "_".join(["RELAYQ", *words]).replace(".", "_").upper()


def variables() -> frozenset[str]:
    """Return the variables that set something. Others may be secret: RELAYQ_JOIN is."""
    return frozenset(map(env_name, SETTINGS))


def _config(values: dict[str, object], sources: dict[str, str]) -> Config:
    """Give the values their places."""

    def section(prefix: str) -> dict[str, object]:
        return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}

    worker = {_UNITS.get(name, name): value for name, value in section("worker.").items() if "." not in name}
    return Config(
        **section("hub."),
        worker=WorkerConfig(**worker, take_when=TakeWhen(**section("worker.take_when."))),
        trust_keys=values["trust.keys"],
        trust_owner=values["trust.owner"] or "",
        oidc_issuer=values["trust.oidc_issuer"],
        values=values,
        sources=sources,
    )


def _value(key: str, found: Layer, defaults: Mapping[str, object]) -> object:
    if key not in found:
        return defaults[key]
    written, source = found[key]
    try:
        return SETTINGS[key].read(written)
    except ValueError as error:
        kind = TypedError if source == TYPED else ConfigError
        raise kind(f"{key} = {without_password(written)[:80]!r} ({source}) is not {error}") from None


def _typed(overrides: Mapping[str, object]) -> Layer:
    given = {key: value for key, value in _flat(overrides).items() if value is not None}
    return _known(given, TYPED)


def _environment() -> Layer:
    """Return what RELAYQ_* sets; a variable in one of our sections that sets nothing is a mistake."""
    names = {env_name(key): key for key in SETTINGS}
    for name in os.environ:
        if name.startswith(_RESERVED) and name not in names:
            raise ConfigError(f"the variable {name} sets nothing{_did_you_mean(name, names)}")
    return {key: (os.environ[name], name) for name, key in names.items() if os.environ.get(name)}


def _file(path: str) -> Layer:
    try:
        with FileIO(path) as file:
            text = file.readall()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigError(f"config file {path} cannot be read: {error.strerror}") from None
    found = _known(_flat(_toml(text, path)), path)
    if "paths.config_dir" in found:
        raise ConfigError(f"config file {path} sets paths.config_dir: set RELAYQ_CONFIG_DIR instead")
    return found


def _toml(text: bytes, path: str) -> dict[str, object]:
    import tomllib

    try:
        return tomllib.loads(text.decode())
    except ValueError as error:
        raise ConfigError(f"config file {path} is not valid TOML: {error}") from None


def _flat(tree: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested tables as dotted keys; a table that is itself a setting stays whole."""
    flat: dict[str, object] = {}
    for name, value in tree.items():
        key = prefix + name
        flat |= _flat(value, f"{key}.") if isinstance(value, dict) and key not in SETTINGS else {key: value}
    return flat


def _known(layer: Mapping[str, object], source: str) -> Layer:
    for key in layer:
        if key not in SETTINGS:
            raise ConfigError(f"there is no setting {key!r} ({source}){_did_you_mean(key, SETTINGS)}")
    return {key: (value, source) for key, value in layer.items()}


def _did_you_mean(word: str, known: Mapping[str, object]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1)
    return f": did you mean {close[0]}?" if close else ": see `relayq config show`"
