"""Words that must not stand in the repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from benchmarks.roster import ROSTER
from tests.arch.tree import ROOT, shown, sources, tracked

THIS_FILE = Path(__file__)


def lines_matching(pattern: str, paths: list[Path]) -> list[str]:
    """`file:line: text` of every line with the pattern, outside this file."""
    return [
        f"{shown(path)}:{number}: {line.strip()}"
        for path in paths
        if path != THIS_FILE
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(pattern, line, re.IGNORECASE)
    ]


def test_nothing_silences_the_linter() -> None:
    assert lines_matching(r"#\s*(noqa|ruff: noqa|flake8)", tracked("*.py")) == []


def test_an_ignored_type_has_a_code_and_a_reason() -> None:
    assert lines_matching(r"type: ignore(?!\[[\w-]+(, ?[\w-]+)*\]  # \S)", sources()) == []


def test_no_path_of_a_builder_s_machine() -> None:
    texts = [path for path in tracked() if path.suffix in {".py", ".lua", ".md", ".toml", ".yml", ".sh", ""}]
    assert lines_matching(r"(?<![\w.~$}])/(home|Users|root|work)/\w+", texts) == []


def test_no_test_waits_for_a_duration() -> None:
    tests = [path for path in tracked("tests/*.py") if path != ROOT / "tests" / "support.py"]
    assert lines_matching(r"\b(time|asyncio|anyio)\.sleep\(", tests) == []


def test_no_lock_file_names_a_registry() -> None:
    assert tracked("uv.lock", "*/uv.lock") == []


def test_no_extra_names_who_cannot_be_installed_beside_it() -> None:
    # uv resolves every extra together with the project, and some peers of the benchmarks want an older redis.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        re.split(r"[^\w-]", word)[0] for words in project["optional-dependencies"].values() for word in words
    }
    assert named & {entry.distribution for entry in ROSTER} == set()


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = [
        f"{shown(page)} -> {target}"
        for page in tracked("*.md")
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_readme_and_ci_run_the_same_tests() -> None:
    commands = ["python3 -m venv .venv", ".venv/bin/pip install -q -e '.[dev]'", ".venv/bin/pytest"]
    assert " && ".join(commands) in (ROOT / "README.md").read_text()
    checks = (ROOT / ".ci" / "run").read_text()
    assert all(command.replace("python3 ", "") in checks for command in commands)
