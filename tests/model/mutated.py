"""A pytest plug-in: every library that this run loads has one mutant in it."""

from __future__ import annotations

import os

from relayq.store import scripts
from tests.model import mutants
from tests.mutation import named

whole = scripts.parts()
broken = named(mutants.MUTANTS, os.environ[mutants.VARIABLE]).apply(whole)
scripts.parts = lambda: broken  # type: ignore[assignment]  # what `source` and `code_mark` look up
