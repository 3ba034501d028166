"""The suite notices when a check is gone: some here, all by `python -m tests.security.policy_mutants`."""

from __future__ import annotations

import os

import pytest

from tests.mutation import sample
from tests.security import policy_mutants

SEED = int(os.environ.get("RELAYQ_MUTANTS_SEED", "1"))


def test_every_mutant_can_be_made() -> None:
    for mutant in policy_mutants.MUTANTS:
        assert mutant.apply(mutant.path.read_text()) != mutant.path.read_text()
    names = [mutant.name for mutant in policy_mutants.MUTANTS]
    assert len(names) == len(set(names)) >= 30


@pytest.mark.parametrize("mutant", sample(policy_mutants.MUTANTS, 4, SEED), ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(mutant: policy_mutants.Mutant) -> None:
    assert not policy_mutants.survives(mutant), f"nobody notices: {mutant.name}"
