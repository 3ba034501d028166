"""Whose process a pid is, and how a process is left behind and ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.hub import process
from relayq.hub.process import Process, born, command_line, end, spawn_detached
from tests.support import eventually_sync

needs_ps = pytest.mark.skipif(not shutil.which("ps"), reason="ps is not installed")


@pytest.fixture
def left_behind(tmp_path: Path) -> Iterator[Process]:
    """A detached process that does nothing for a minute."""
    found = spawn_detached(["sleep", "61.5"], tmp_path / "log")
    eventually_sync(lambda: "sleep" in command_line(found.pid).split()[0])
    yield found
    end(found, "61.5", patience_s=5)


def test_a_detached_process_is_nobody_s_child(left_behind: Process) -> None:
    assert os.getsid(left_behind.pid) != os.getsid(0)
    with pytest.raises(ChildProcessError):
        os.waitpid(left_behind.pid, os.WNOHANG)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_keeps_no_directory_busy(left_behind: Process) -> None:
    assert Path(f"/proc/{left_behind.pid}/cwd").readlink() == Path("/")


def test_what_it_prints_is_appended_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "a log"
    log.write_text("before\n")
    spawn_detached(["sh", "-c", "echo out; echo err >&2"], log)
    eventually_sync(lambda: log.read_text() == "before\nout\nerr\n")


def test_arguments_reach_it_as_they_are(tmp_path: Path) -> None:
    words = ["two words", "$HOME", "`id`", '"', "'", "-n"]
    spawn_detached([sys.executable, "-c", "import sys; print(sys.argv[1:])", *words], tmp_path / "log")
    eventually_sync(lambda: (tmp_path / "log").read_text() == f"{words}\n")


def test_it_is_alive_only_with_its_own_birth_and_mark(left_behind: Process) -> None:
    assert left_behind.is_alive("61.5")
    assert not left_behind.is_alive("another mark")
    assert not Process(left_behind.pid, "0").is_alive("61.5")
    assert not Process(left_behind.pid, "").is_alive("61.5")


def test_a_stranger_is_not_signalled(left_behind: Process) -> None:
    end(Process(left_behind.pid, "0"), "61.5", patience_s=0.1)
    end(left_behind, "another mark", patience_s=0.1)
    assert left_behind.is_alive("61.5")


def test_it_is_killed_when_it_does_not_listen(tmp_path: Path) -> None:
    log = tmp_path / "log"
    deaf = spawn_detached(["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.1; done"], log)
    eventually_sync(lambda: log.read_text() == "deaf\n")
    end(deaf, "trap", patience_s=0.2)
    assert not deaf.is_alive("")


def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen(["sleep", "60"])
    was = born(child.pid)
    assert was
    os.kill(child.pid, signal.SIGKILL)
    eventually_sync(lambda: born(child.pid) == "")
    child.wait()


def test_nobody_was_never_born() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert born(child.pid) == ""
    assert command_line(child.pid) == ""


@needs_ps
def test_other_systems_ask_ps(left_behind: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process.sys, "platform", "darwin")
    found = Process(left_behind.pid, born(left_behind.pid))
    assert found.born.count(":") == 2
    assert found.is_alive("61.5")
    assert not found.is_alive("another mark")


def test_only_harmless_variables_stay_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("LC_ALL", "C")
    kept = process.kept_environment()
    assert kept["LC_ALL"] == "C"
    assert "hunter2" not in kept.values()
