"""The built wheel works where the checkout is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with nothing but the installed wheel; its dependencies come from our environment."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "--target", str(target), str(ROOT)], check=True, timeout=300
    )
    return target


@pytest.fixture
def relayq(installed: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The installed command."""
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.chdir(home)
    return [sys.executable, str(installed / "bin" / "relayq")]


def test_the_installed_package_is_the_one_that_runs(relayq: list[str], installed: Path) -> None:
    where = subprocess.check_output(
        [sys.executable, "-c", "import relayq; print(relayq.__file__)"], text=True
    )
    assert Path(where.strip()).is_relative_to(installed)


def test_a_first_job_runs(relayq: list[str]) -> None:
    ended = subprocess.run(
        [*relayq, "run", "--", "echo hello from $RELAYQ_QUEUE"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "hello from default\n"), ended.stderr


def test_it_leaves_with_the_exit_code_of_the_job(relayq: list[str]) -> None:
    ended = subprocess.run([*relayq, "run", "--", "exit 7"], stderr=subprocess.DEVNULL, check=False)
    assert ended.returncode == 7


def test_what_it_started_can_be_stopped(relayq: list[str]) -> None:
    subprocess.run([*relayq, "up"], check=True, env=os.environ)
    subprocess.run([*relayq, "down"], check=True, env=os.environ)
