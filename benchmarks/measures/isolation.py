"""What isolation costs: a bare spawn of `true` at each level, and a drain of such jobs inside sandboxes.

Peers have nothing like it. Where bubblewrap does not work, only the level `none` is measured.
"""

import os
import shutil
import subprocess
from pathlib import Path
from time import perf_counter

from benchmarks.figures import median
from benchmarks.measures import drain
from benchmarks.roster import RELAYQ
from relayq.worker.bubblewrap import try_bubblewrap
from relayq.worker.sandbox import OWNER, STRICT, Hidden, Sandbox

KEYS = ("spawn_none", "spawn_owner", "spawn_strict", "drain_owner", "drain_strict")
TOGETHER = ""
SETTINGS = {
    OWNER: {"config.toml": '[worker]\nisolation = "bwrap"\n'},
    STRICT: {"policy.toml": '[owner]\nisolation = "strict"\n'},
}


def measure(bench, entry):
    if entry.name != RELAYQ:
        return {}
    true, count = str(shutil.which("true")), bench.few(300, 100)
    found = {"spawn_none": _spawn_ms([true], count)}
    bwrap, _ = try_bubblewrap()
    for profile in (OWNER, STRICT) if bwrap else ():
        state = bench.directory / f"state-{profile}"
        box = Sandbox(
            profile=profile,
            place=f"{state}/attempt",
            hidden=Hidden((str(state),), ()),
            is_root=os.geteuid() == 0,
        )
        box.prepare()
        found[f"spawn_{profile}"] = _spawn_ms(box.argv(bwrap, [true], "", {}), count)
        found[f"drain_{profile}"] = _drain(bench, entry, profile)
    return found


def _spawn_ms(argv, count):
    return 1000 * median([_seconds(argv) for _ in range(count)])


def _seconds(argv):
    begin = perf_counter()
    subprocess.run(argv, env={"PATH": os.defpath}, check=True)
    return perf_counter() - begin


def _drain(bench, entry, profile):
    count = bench.few(600, 200)
    with bench.stage(entry) as stage:
        config = Path(stage.directory, "config")
        config.mkdir(mode=0o700, parents=True)
        for name, text in SETTINGS[profile].items():
            (config / name).write_text(text)
            (config / name).chmod(0o600)
        return drain.drained(bench, stage, "shell", count, 4)
