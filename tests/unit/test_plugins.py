"""Facts about job types: how they are found, and what becomes of a broken one."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import types
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from relayq import plugins
from relayq.errors import ConfigError, NotFound, SpecError
from relayq.jobtypes.shell import Shell
from relayq.model.job import JobSpec
from relayq.plugins import BUILT_IN, GROUP, JobType, Outcome


class Ping:
    """A stranger's job type."""

    name = "ping"

    def check(self, spec: JobSpec) -> None:
        if spec.command:
            raise SpecError("ping takes no command (field 'command')")

    async def run(self, attempt: plugins.Attempt) -> Outcome:
        attempt.report(50.0, "half way")
        return Outcome(ok=True, result=b"pong")


class Misnamed(Ping):
    name = "pong"


class Exploding(Ping):
    def __init__(self) -> None:
        raise OSError("no GPU here")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What this test 'installs': name -> module:attribute."""
    module = types.ModuleType("strangers")
    vars(module).update(Ping=Ping, Misnamed=Misnamed, Exploding=Exploding, Nothing=object)
    monkeypatch.setitem(sys.modules, "strangers", module)
    entries: dict[str, str] = {}

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint(name.partition(" ")[0], value, group) for name, value in entries.items()]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return entries


def test_shell_is_registered_by_the_same_door_as_a_strangers_type() -> None:
    registered = {entry.name: entry.value for entry in importlib.metadata.entry_points(group=GROUP)}
    assert registered.items() >= BUILT_IN.items()


def test_every_type_has_a_name(installed: dict[str, str]) -> None:
    installed["ping"] = "strangers:Ping"
    assert plugins.names() == ["ping", "shell"]


def test_names_are_told_without_importing_any(installed: dict[str, str]) -> None:
    installed["broken"] = "no_such_module:X"
    assert plugins.names() == ["broken", "shell"]


def test_a_strangers_type_is_loaded(installed: dict[str, str]) -> None:
    installed["ping"] = "strangers:Ping"
    assert isinstance(plugins.load("ping"), JobType)


def test_a_type_that_is_not_installed_is_not_found(installed: dict[str, str]) -> None:
    with pytest.raises(NotFound, match="job type 'ffmpeg' is not installed here: there are shell"):
        plugins.load("ffmpeg")


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("no_such_module:X", "ModuleNotFoundError"),
        ("strangers:Missing", "AttributeError"),
        ("strangers:Exploding", "OSError: no GPU here"),
        ("strangers:Nothing", "lacks name = 'x', check or run"),
        ("strangers:Misnamed", "lacks name = 'x', check or run"),
        ("strangers", "AttributeError|ValueError"),
    ],
)
def test_a_type_that_does_not_work_is_one_sentence(installed: dict[str, str], target: str, why: str) -> None:
    installed["x"] = target
    with pytest.raises(ConfigError, match=f"job type 'x' .*({why})") as caught:
        plugins.load("x")
    assert "\n" not in str(caught.value)


def test_a_broken_type_does_not_take_the_others_along(installed: dict[str, str]) -> None:
    installed.update({"ping": "strangers:Ping", "broken": "no_such_module:X"})
    loaded = plugins.load_all()
    assert loaded.types.keys() == {"ping", "shell"}
    assert loaded.broken.keys() == {"broken"}


def test_nobody_elses_shell_takes_the_place_of_ours(installed: dict[str, str]) -> None:
    installed["shell"] = "strangers:Ping"
    assert isinstance(plugins.load("shell"), Shell)
    assert isinstance(plugins.load_all().types["shell"], Shell)


def test_a_name_that_two_distributions_claim_is_broken(installed: dict[str, str]) -> None:
    installed.update({"ping": "strangers:Ping", "ping again": "strangers:Misnamed"})
    assert "strangers:Misnamed and strangers:Ping" in plugins.load_all().broken["ping"]


def test_loading_shell_reads_no_metadata() -> None:
    code = "from relayq.plugins import load; load('shell'); import sys\n"
    code += "print('importlib.metadata' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "False"


class Spoken:
    """An attempt that remembers what was spawned."""

    def __init__(self, spec: JobSpec, workdir: Path) -> None:
        self.spec = spec
        self.workdir = workdir
        self.spawned: list[tuple[list[str], dict[str, Any]]] = []

    async def spawn(self, argv: list[str], **options: Any) -> Outcome:
        self.spawned.append((argv, options))
        return Outcome(ok=False, exit_code=7, reason="exit")


async def run(spec: JobSpec, workdir: Path) -> tuple[list[str], dict[str, Any], Outcome]:
    attempt = Spoken(spec, workdir)
    outcome = await Shell().run(attempt)  # type: ignore[arg-type]  # it speaks only as far as Shell listens
    (argv, options), *_ = attempt.spawned
    return argv, options, outcome


async def test_a_string_is_a_line_for_the_shell(tmp_path: Path) -> None:
    argv, _, outcome = await run(JobSpec(command="echo $HOME; exit 7"), tmp_path)
    assert argv == ["/bin/sh", "-c", "echo $HOME; exit 7"]
    assert outcome == Outcome(ok=False, exit_code=7, reason="exit")


async def test_several_words_are_a_program_and_its_arguments(tmp_path: Path) -> None:
    argv, _, _ = await run(JobSpec(command=("echo", "$HOME", "")), tmp_path)
    assert argv == ["echo", "$HOME", ""]


async def test_the_command_gets_what_the_spec_says(tmp_path: Path) -> None:
    spec = JobSpec(command="x", env=(("A", "1"),), secrets=(("B", "2"),), stdin="é\udcff", cwd="/srv")
    _, options, _ = await run(spec, tmp_path)
    assert options == {"env": {"A": "1", "B": "2"}, "stdin": b"\xc3\xa9\xff", "cwd": "/srv"}


@pytest.mark.parametrize("command", ["true", ("true",), ("true", "")])
def test_a_command_passes_the_check(command: str | tuple[str, ...]) -> None:
    Shell().check(JobSpec(command=command))


@pytest.mark.parametrize("command", ["", " \n", (), ("",), (" ", "x")])
def test_a_job_without_a_command_is_refused(command: str | tuple[str, ...]) -> None:
    with pytest.raises(SpecError, match=r"the command is empty: .* \(field 'command'\)"):
        Shell().check(JobSpec(command=command, type="ping"))


def test_args_belong_to_other_types() -> None:
    with pytest.raises(SpecError, match=r"takes no args: .* \(field 'args'\)"):
        Shell().check(JobSpec(command="x", args={"a": 1}))
