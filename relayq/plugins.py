"""Job types: what a plug-in offers, what it is given, and how it is found.

A job type is a class without arguments that any distribution registers as an
entry point of the group `relayq.job_types`; the name of the entry point is the
type's. It has three members: `name`, `check` and `run`. `check` runs where a job
is submitted and again where it runs, and raises SpecError; `run` is the attempt.

The types that come with RelayQ are registered by the same door, but are found
without opening it: reading the metadata of every installed distribution takes
30 ms, and nobody else's `shell` shall take the place of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from relayq.errors import ConfigError, NotFound

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from pathlib import Path

    from relayq.model.job import JobSpec

GROUP = "relayq.job_types"
BUILT_IN = {"shell": "relayq.jobtypes.shell:Shell"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: `exit_code` as a shell has it, `result` at most 16 KiB for whoever asks."""

    ok: bool
    exit_code: int = 0
    reason: str = ""
    result: bytes = b""


class Attempt(Protocol):
    """What a job type is given: the spec, a private work directory, and ways to speak."""

    @property
    def spec(self) -> JobSpec:
        """What is to be done."""

    @property
    def job(self) -> str:
        """The job's id; of an array, `<id>:<index>`."""

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""

    @property
    def workdir(self) -> Path:
        """A directory of its own: removed after success, kept a while after failure."""

    @property
    def cancelled(self) -> asyncio.Event:
        """Set when the attempt shall end: cancelled, timed out, or its lease is gone."""

    def write(self, data: bytes, stream: int = 1) -> None:
        """Append to the job's output (1 stdout, 2 stderr)."""

    def report(self, progress: float | None, message: str = "") -> None:
        """Tell how far it is, in percent, and what it is doing."""

    async def spawn(
        self, argv: list[str], *, env: Mapping[str, str], stdin: bytes = b"", cwd: str = ""
    ) -> Outcome:
        """Run a command to its end under the worker's keeper, its output going to the job's.

        `env` is added to the clean environment of a job. `cwd` is the work directory
        when empty. The command survives a restart of the worker.
        """


@runtime_checkable
class JobType(Protocol):
    """A kind of job."""

    name: str

    def check(self, spec: JobSpec) -> None:
        """Raise SpecError for a spec this type cannot run; called before anything is queued."""

    async def run(self, attempt: Attempt) -> Outcome:
        """Run one attempt to its end."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The job types that work here, and why the others do not."""

    types: dict[str, JobType] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def names() -> list[str]:
    """Return the names of all installed job types, without importing any."""
    return sorted(_installed())


def load(name: str) -> JobType:
    """Return one job type. Raise NotFound when it is not installed, ConfigError when it does not work."""
    if name in BUILT_IN:
        return _made(name, BUILT_IN[name])
    installed = _installed()
    if name not in installed:
        raise NotFound(f"job type {name!r} is not installed here: there are {', '.join(sorted(installed))}")
    return _made(name, installed[name])


def load_all() -> Loaded:
    """Return every installed job type; one that fails is reported and left out."""
    loaded = Loaded()
    for name, target in sorted(_installed().items()):
        try:
            loaded.types[name] = _made(name, target)
        except ConfigError as error:
            loaded.broken[name] = str(error)
    return loaded


def _installed() -> dict[str, str]:
    """Return `module:attribute` by name; a name claimed twice has both claims, and so cannot be loaded."""
    from importlib.metadata import entry_points

    claims: dict[str, set[str]] = {}
    for entry in entry_points(group=GROUP):
        claims.setdefault(entry.name, set()).add(entry.value)
    return {name: " and ".join(sorted(targets)) for name, targets in claims.items()} | BUILT_IN


def _made(name: str, target: str) -> JobType:
    """Import a job type and make one. Whatever a stranger's module raises becomes one sentence."""
    module, _, attribute = target.partition(":")
    try:
        made = cast("object", getattr(import_module(module), attribute)())
    except Exception as error:
        raise ConfigError(
            f"job type {name!r} ({target}) cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, JobType) or made.name != name:
        raise ConfigError(f"job type {name!r} ({target}) lacks name = {name!r}, check or run")
    return made
