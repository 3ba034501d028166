"""The reference pages leave nothing out: fields, variables, verbs."""

from __future__ import annotations

from pathlib import Path

import relayq
from relayq.client.sync import ArrayHandle, Client, JobHandle
from relayq.model.job import FIELDS, JobSpec
from relayq.store.records import Claim
from relayq.worker.environment import PASSED, of_attempt

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def missing(page: str, words: set[str]) -> set[str]:
    """The words that the page does not have in code letters, alone or with arguments."""
    text = (PAGES / page).read_text("utf-8")
    return {word for word in words if f"`{word}`" not in text and f"`{word}(" not in text}


def test_every_field_of_a_job_is_explained() -> None:
    assert missing("spec.md", {*FIELDS}) == set()


def test_every_variable_of_a_command_is_explained() -> None:
    spec = JobSpec.from_dict({"command": "true", "array": ["a", "b"]})
    claim = Claim(job=f"{'0' * 16}:1", lane="", attempt=1, crashes=0, envelope=b"", offered_ms=0)
    given = of_attempt(spec, claim, session="pi#1", place="/x")
    assert missing("spec.md", {*given}) == set()
    text = (PAGES / "spec.md").read_text("utf-8")
    assert [name for name in PASSED if name not in text and not name.startswith("LC_")] == []


def test_every_verb_of_the_python_client_is_explained() -> None:
    verbs = {
        name for kind in (Client, JobHandle, ArrayHandle) for name in dir(kind) if not name.startswith("_")
    }
    assert missing("python.md", verbs - {"far"}) == set()


def test_every_public_name_is_explained() -> None:
    text = (PAGES / "python.md").read_text("utf-8")
    assert [name for name in relayq.__all__ if name not in text] == []


def test_what_there_is_can_be_looked_up_by_a_completing_shell() -> None:
    assert {"job", "Client", "JobFailed"} <= {*dir(relayq)}
    assert {"run", "map", "submit"} <= {*dir(relayq.job)}
