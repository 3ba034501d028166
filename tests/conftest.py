"""Fixtures of every test: a hub of our own, a fleet name, an empty home."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import PrivateServer, fresh_fleet, reap

# Hundreds of processes are started here: let them find compiled what one of them has compiled.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A rule holds or not, however slow the machine is just then.
settings.register_profile(
    "relayq", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("relayq")


def pytest_xdist_auto_num_workers() -> int:
    """How many processes share the tests: these mostly wait for others, so two more than there are cores."""
    return (os.cpu_count() or 1) + 2


@pytest.fixture(scope="session")
def hub_server() -> Iterator[PrivateServer]:
    """One private server for the whole run; tests that hurt a server start their own."""
    server = PrivateServer().start()
    yield server
    server.close()


@pytest.fixture
def hub_url(hub_server: PrivateServer) -> str:
    """The URL of the private server, without a single key."""
    hub_server.flush()
    return hub_server.url


@pytest.fixture
def own_server() -> Iterator[PrivateServer]:
    """A persistent server of this test alone, to be killed, frozen and started again."""
    server = PrivateServer(persistent=True).start()
    yield server
    server.close()


@pytest.fixture
def fleet() -> str:
    """A fleet name of this test alone."""
    return fresh_fleet()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty HOME without RelayQ's variables; what runs under it at the end is killed."""
    path = Path(tempfile.mkdtemp(prefix="rqh-"))
    for name in list(os.environ):
        if name.startswith(("RELAYQ_", "XDG_")):
            monkeypatch.delenv(name)
    runtime = path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    yield path
    reap(path)
    shutil.rmtree(path, ignore_errors=True)
