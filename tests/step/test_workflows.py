"""The ready-made workflows: cheap, narrow, pinned, and asking for nothing that the action does not have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from relayq.step.inputs import INPUTS
from tests.step.runner_support import ACTION, ROOT

READY = sorted((ROOT / "contrib" / "workflows").glob("*.yml"))
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGE = (ROOT / "docs" / "howto" / "github.md").read_text()


def read(path: Path) -> dict[str, Any]:
    """A workflow; YAML 1.1 reads its key `on` as true."""
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def steps_of(path: Path) -> list[dict[str, Any]]:
    """Every step of every job."""
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_each_use() -> None:
    names = {"manual", "cron", "photos", "webhook", "video", "data", "tests", "budget-guard", "watchdog"}
    assert {path.stem for path in READY} == names


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_a_ready_workflow_costs_a_minute_and_may_do_nothing(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    [job] = workflow["jobs"].values()
    assert (job["runs-on"], job["timeout-minutes"]) == ("ubuntu-slim", 2)
    assert set(job.get("permissions", {}).items()) <= {("id-token", "write"), ("contents", "read")}
    assert path.name in PAGE


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_a_ready_workflow_uses_inputs_that_there_are_and_one_secret(path: Path) -> None:
    known = set(yaml.safe_load((ACTION / "action.yml").read_text())["inputs"])
    ours = [step for step in steps_of(path) if "actions/submit@" in step.get("uses", "")]
    assert ours
    for step in ours:
        assert set(step["with"]) <= known
        assert step["with"]["join"] == "${{ secrets.RELAYQ_JOIN }}"


@pytest.mark.parametrize("path", [*READY, *OURS], ids=lambda path: path.stem)
def test_everything_is_pinned_and_no_expression_is_in_a_script(path: Path) -> None:
    for step in steps_of(path):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step.get("uses", "a/b@" + "0" * 40))
        assert "${{" not in step.get("run", "")


def test_the_action_passes_each_input_as_a_variable_of_its_own() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    [step] = action["runs"]["steps"]
    expected = {f"RELAYQ_INPUT_{name.upper()}": f"${{{{ inputs.{name} }}}}" for name in INPUTS}
    assert step["env"] == expected
    assert set(action["inputs"]) == set(INPUTS)
    assert "${{" not in step["run"]


def test_the_page_names_every_input_and_output() -> None:
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    assert [name for name in (*action["inputs"], *action["outputs"]) if f"`{name}`" not in PAGE] == []
