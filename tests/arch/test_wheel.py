"""What people install."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.arch.tree import ROOT, in_package, sources, tracked


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The files inside the wheel, built from the checkout."""
    target = tmp_path_factory.mktemp("wheel")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
    ]
    subprocess.run([*pip, "-w", str(target), str(ROOT)], check=True, timeout=300)
    [wheel] = target.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_packages_and_nothing_else(names: set[str]) -> None:
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {"relayq", "relayq_tui"}


def test_the_wheel_holds_every_module(names: set[str]) -> None:
    assert {str(in_package(path)) for path in sources()} <= names


def test_the_wheel_holds_the_hub_s_functions_and_the_screens_styles(names: set[str]) -> None:
    others = {str(in_package(path)) for path in tracked("relayq/*.lua", "tui/relayq_tui/*.tcss")}
    assert {Path(name).suffix for name in others} == {".lua", ".tcss"}
    assert others <= names


def test_the_wheel_holds_the_licence_and_the_command(names: set[str]) -> None:
    assert any(name.endswith("/LICENSE") for name in names)
    assert any(name.endswith("entry_points.txt") for name in names)
