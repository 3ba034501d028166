"""A pytest plug-in: one mutant's module is changed while it is imported, or in a copy of the keeper.

The keeper is a program of its own, which knows only the files beside it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from tests.mutation import named
from tests.security import policy_mutants

KEEPER = ("keeper", "care", "kept", "spawn", "tree")


def change_import(mutant: policy_mutants.Mutant) -> None:
    """Have everybody import the module without its check."""
    name = f"relayq.worker.{mutant.module}"
    assert name not in sys.modules, f"{name} was imported before it could be changed"
    spec = importlib.util.spec_from_file_location(name, mutant.path)
    assert spec
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    exec(compile(mutant.apply(mutant.path.read_text()), str(mutant.path), "exec"), module.__dict__)
    setattr(importlib.import_module("relayq.worker"), mutant.module, module)


def change_keeper(mutant: policy_mutants.Mutant) -> None:
    """Have clients start a keeper without the check."""
    from relayq.worker import keeping

    copy = Path(tempfile.mkdtemp(prefix="relayq-mutant-"))
    for name in KEEPER:
        shutil.copy(mutant.path.with_name(f"{name}.py"), copy)
    (copy / mutant.path.name).write_text(mutant.apply(mutant.path.read_text()))
    keeping.KEEPER = copy / "keeper.py"


mutant = named(policy_mutants.MUTANTS, os.environ[policy_mutants.VARIABLE])
if mutant.module in KEEPER:
    change_keeper(mutant)
else:
    change_import(mutant)
