"""What the README and the first evening tell people to type does what they say, typed as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVENING = ROOT / "docs" / "howto" / "first-evening.md"
README = ROOT / "README.md"
# Done by whoever runs the tests, or a screen that stays until somebody leaves it.
NOT_HERE = ("python3 -m venv", ". .venv/bin/activate", "relayq tui")


def part(page: Path, title: str) -> str:
    """What stands under one heading."""
    [found] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## )", page.read_text("utf-8"), re.S | re.M)
    return found


def lines(text: str, kind: str) -> list[str]:
    """The lines of all blocks of this kind."""
    return [line for block in re.findall(rf"```{kind}\n(.*?)```", text, re.S) for line in block.splitlines()]


def typed(script: str, where: Path) -> subprocess.CompletedProcess[str]:
    """Type it into a shell that finds `relayq` and stops at the first line that fails."""
    programs = Path(sys.executable).parent
    return subprocess.run(
        ["bash", "-e"],
        input=script,
        cwd=where,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("page", "title", "shown"),
    [
        (README, "The first evening", ["hello from", "frame 99", "has no label 'room=attic'"]),
        (EVENING, "One machine", ["apple\npear\n", "step 3", "$HOME", "\nframe 7\n", "has no label"]),
    ],
    ids=["README", "first-evening"],
)
def test_every_line_can_be_typed(
    page: Path, title: str, shown: list[str], home: Path, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    script = [line for line in lines(part(page, title), "sh") if not line.startswith(NOT_HERE)]
    ended = typed("\n".join([*script, "relayq jobs -n 50 --json"]), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert [words for words in shown if words not in ended.stdout] == []
    assert '"FAILED"' not in ended.stdout


@pytest.mark.parametrize("block", [0, 1])
def test_the_python_page_can_be_typed(home: Path, tmp_path: Path, block: int) -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    script = re.findall(r"```python\n(.*?)```", page, re.S)[block]
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ("3 exit made\n\nboth are done\n\n", "['0\\n', '1\\n', '2\\n']\n")[block]


def test_every_json_field_is_explained(home: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text("utf-8")
    page += (ROOT / "docs" / "reference" / "spec.md").read_text("utf-8")
    job = typed("relayq submit --array 2 -- 'echo $RELAYQ_ARRAY_INDEX; exit $RELAYQ_ARRAY_INDEX'", tmp_path)
    job_id = job.stdout.strip()
    typed(f"relayq wait {job_id}; relayq schedule add nightly --every 1d -- true", tmp_path)
    for line in (
        "submit --json -- true", f"show --json {job_id}", "jobs --json", f"wait --json {job_id}",
        f"explain --json {job_id}", f"logs --json {job_id}", f"cancel --json {job_id}", "queues --json",
        "workers --json", "doctor --json", "keys --json", "schedule list --json", "trust orders --json",
    ):  # fmt: skip
        printed = typed(f"relayq {line}", tmp_path).stdout
        names = {name for one in printed.splitlines() for name in json.loads(one)}
        assert (line, {name for name in names if f"`{name}`" not in page}) == (line, set())


def test_the_python_lines_can_be_typed(home: Path, tmp_path: Path) -> None:
    script = lines(part(README, "The first evening"), "python")
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join([*script, "print(len(sizes))"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert os.uname().sysname in ended.stdout
    assert ended.stdout.endswith("\n2\n")
