"""A pytest plug-in: every library that this run loads has one mutant in it."""

from __future__ import annotations

import os

from relayq.store import scripts
from tests.model import mutants

whole = scripts.parts()
broken = mutants.named(os.environ[mutants.VARIABLE]).apply(whole)
scripts.parts = lambda: broken  # type: ignore[assignment]  # what `source` and `code_mark` look up
