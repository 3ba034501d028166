"""The page about policies says what is so: its rules, its worked example, its commands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from relayq.cli.main import main
from relayq.settings import SETTINGS
from relayq.worker.policy import DENIED
from relayq.worker.policyfile import parse_policy, rules

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "howto" / "policy.md").read_text("utf-8")
EXAMPLE, CONFIG = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
JOBS = re.findall(r"^\| `(.+?)` \| (?:`(.*?)`)? ?\| (allowed|refused: `.+`) \|$", PAGE, re.MULTILINE)


@pytest.fixture
def classroom(tmp_path: Path, home: Path) -> Path:
    """The example as a file, with its root in a directory of this test."""
    root = tmp_path / "class"
    for name in ("scripts", "media/out"):
        (root / name).mkdir(parents=True)
    (root / "scripts" / "stats.py").touch()
    policy = tmp_path / "policy.toml"
    policy.write_text(EXAMPLE.replace("/srv", str(tmp_path)))
    policy.chmod(0o600)
    return policy


def test_the_page_has_every_rule_and_no_other() -> None:
    table = PAGE.partition("| rule |")[2].partition("\n\n")[0]
    named = [name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted(named) == sorted(rules())


def test_every_job_of_the_example_is_judged_as_the_page_says(
    classroom: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(JOBS) == PAGE.count("| allowed |") + PAGE.count("| refused: `") >= 15
    for command, options, verdict in JOBS:
        words = shlex.split(f"policy check --file {classroom} --as github {options} -- {command}")
        code = main([word.replace("/srv", str(classroom.parent)) for word in words])
        told = capsys.readouterr()
        if verdict == "allowed":
            assert (code, told.out) == (0, "allowed for github, isolation strict\n"), command
        else:
            rule = verdict.partition("`")[2].rstrip("`")
            assert (code, told.out) == (1, ""), command
            assert told.err.startswith(f"relayq: refused: policy rule {rule}: "), command


def test_the_teacher_is_free_but_for_the_time(classroom: Path) -> None:
    assert main(["policy", "check", "--file", str(classroom), "--", "rm -rf / | sh"]) == 0
    assert main(["policy", "check", "--file", str(classroom), "--timeout", "7h", "--", "true"]) == 1


def test_the_settings_on_the_page_are_there() -> None:
    assert "[worker]" in CONFIG
    for name in set(re.findall(r"\b(?:worker|paths)\.\w+", PAGE)) | {"worker.isolation"}:
        assert name in SETTINGS
    assert parse_policy(EXAMPLE).sections.keys() == {"", "github"}


def test_the_variables_on_the_page_are_denied() -> None:
    listed = PAGE.partition("Some variables make")[2].partition("their like")[0]
    assert set(re.findall(r"`([A-Z_0-9*]+)`", listed)) <= set(DENIED)
