"""A pytest plug-in: the module of one mutant is changed while it is imported."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys

from tests.security import policy_mutants

mutant = policy_mutants.named(os.environ[policy_mutants.VARIABLE])
name = f"relayq.worker.{mutant.module}"
spec = importlib.util.spec_from_file_location(name, mutant.path)
assert spec
assert name not in sys.modules, f"{name} was imported before it could be changed"
module = importlib.util.module_from_spec(spec)
sys.modules[name] = module
exec(compile(mutant.apply(mutant.path.read_text()), str(mutant.path), "exec"), module.__dict__)
# What `from relayq.worker import NAME` finds.
parent = importlib.import_module("relayq.worker")
setattr(parent, mutant.module, module)
