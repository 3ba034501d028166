"""A worker of one test, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relayq.client.dispatch import Dispatcher
from tests.support import eventually_sync


@contextmanager
def running_worker(url: str, fleet: str, home: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """`relayq worker` under `home`, registered; ended at the end."""
    argv = [sys.executable, "-m", "relayq", "worker", "--headless", "--url", url, "--fleet", fleet, *options]
    with (home / "worker.log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        eventually_sync(lambda: live_workers(url, fleet), f"a worker is registered (log: {log.name})")
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def live_workers(url: str, fleet: str) -> int:
    """How many sessions the hub counts as alive."""
    asker = Dispatcher(url, fleet)
    try:
        [number] = asker.ask(("ZCARD", f"{{rq:{fleet}}}:wlive"))
        return int(number)
    finally:
        asker.close()
