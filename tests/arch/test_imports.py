"""What may be imported by whom, and what a cold start pays for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from relayq.config import load
from relayq.hub.embedded import start
from tests.arch.tree import ROOT, module_name, project, sources

HEAVY = {"redis", "asyncio", "httpx", "apscheduler", "textual"}
FOREIGN = (HEAVY | {"cryptography", "email", "http", "platformdirs", "rich", "yaml"}) - {"asyncio"}


# Runs `python -m ...`; the last line on stderr names what was imported when it ended.
REPORT = """
import atexit, runpy, sys
atexit.register(lambda: print("", *sys.modules, sep=" ", file=sys.__stderr__))
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""

# Imports each module in a fork of its own, so that none profits from the one before; what is
# others' is there already, since only our own modules can wait for each other.
ALONE = """
import os, sys
own, others = sys.argv[1].split(), sys.argv[2].split()
for name in others:
    __import__(name)
failed = []
for name in own:
    child = os.fork()
    if not child:
        __import__(name)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(" ".join(failed) or None)
"""

ALL = "import sys\nfor name in sys.argv[1].split(): __import__(name)\nprint(*sys.modules)"


def loaded_by(*argv: str) -> set[str]:
    """The top-level modules that `python -m ...` has imported when it ends."""
    command = [sys.executable, "-c", REPORT, *argv]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return {name.partition(".")[0] for name in ended.stderr.splitlines()[-1].split()}


def test_every_module_can_be_imported_first() -> None:
    own = " ".join(module_name(path) for path in sources() if path.stem != "__main__")
    loaded = subprocess.check_output([sys.executable, "-c", ALL, own], text=True).split()
    others = " ".join(name for name in loaded if name.partition(".")[0] in FOREIGN)
    ended = subprocess.run(
        [sys.executable, "-c", ALONE, own, others], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_the_front_page_costs_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules); import relayq; print(*(set(sys.modules) - before))"
    loaded = set(subprocess.check_output([sys.executable, "-S", "-c", code], cwd=ROOT, text=True).split())
    assert not {name.partition(".")[0] for name in loaded} & (
        HEAVY | {"cryptography", "platformdirs", "rich"}
    )
    assert not any(name.startswith("relayq.") for name in loaded)


def test_help_loads_nothing_heavy() -> None:
    assert not loaded_by("relayq", "--help") & HEAVY


def test_a_plain_submit_loads_nothing_heavy(home: Path) -> None:
    start(load())
    # The first submit gives the hub its functions and starts a worker; the second is the plain one.
    loaded_by("relayq", "submit", "--", "true")
    assert not loaded_by("relayq", "submit", "--", "true") & HEAVY
    assert not loaded_by("relayq", "submit", "--in", __file__, "--out", "*", "--", "true") & HEAVY


def loaded_by_the_worker() -> set[str]:
    """The top-level modules that all of `relayq.worker` brings, beside those of the hub's client."""
    code = (
        "import sys, pkgutil, importlib, redis.asyncio; before = {*sys.modules}; import relayq.worker as w\n"
    )
    code += "for m in pkgutil.iter_modules(w.__path__): importlib.import_module('relayq.worker.' + m.name)\n"
    code += "print(*(name for name in sys.modules if name not in before))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    return {name.partition(".")[0] for name in loaded}


def test_a_worker_draws_no_screens_and_calls_no_web() -> None:
    assert not loaded_by_the_worker() & {"textual", "httpx", "apscheduler"}


def test_an_idle_worker_carries_nothing_that_most_never_need() -> None:
    assert not loaded_by_the_worker() & {"statistics", "zoneinfo", "tomllib", "difflib"}


def test_the_screens_keep_no_time_and_call_no_web() -> None:
    names = [
        module_name(path) for path in sources() if "relayq_tui" in path.parts and path.stem != "__main__"
    ]
    code = f"import sys, importlib\nfor n in {names!r}: importlib.import_module(n)\nprint(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert not {name.partition(".")[0] for name in loaded} & {"httpx", "apscheduler"}


def test_the_redis_contract_knows_every_package() -> None:
    contracts = project()["tool"]["importlinter"]["contracts"]
    [redis] = [contract for contract in contracts if contract.get("forbidden_modules") == ["redis"]]
    children = {name.split(".")[1] for name in map(module_name, sources()) if name.startswith("relayq.")}
    others = {f"relayq.{child}" for child in children - {"__main__", "store", "hub"}}
    assert others | {"relayq_tui"} == set(redis["source_modules"])


def test_the_floors_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    assert ended.returncode == 0, ended.stdout
