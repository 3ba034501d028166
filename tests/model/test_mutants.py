"""The suite notices mistakes: a sample of mutants here, all of them by `python -m tests.model.mutants`."""

from __future__ import annotations

import os

import pytest

from relayq.store import scripts
from tests.model import mutants
from tests.mutation import sample

SEED = int(os.environ.get("RELAYQ_MUTANTS_SEED", "1"))


def test_every_mutant_can_be_made() -> None:
    whole = scripts.parts()
    for mutant in mutants.MUTANTS:
        assert mutant.apply(whole) != whole
    names = [mutant.name for mutant in mutants.MUTANTS]
    assert len(names) == len(set(names)) >= 15


@pytest.mark.parametrize("mutant", sample(mutants.MUTANTS, 4, SEED), ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(mutant: mutants.Mutant) -> None:
    assert not mutants.survives(mutant), f"nobody notices: {mutant.name}"
