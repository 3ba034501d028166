"""A fleet for one evening: a private hub and three local workers, all in one temporary directory.

Nothing of the user's own configuration, hub or keys is touched: every path and the
owner's key live in the directory, which goes when the fleet does.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from relayq import hub
from relayq.client.local import kept_environment
from relayq.config import load

LEAVE_S = 15.0


class Member(NamedTuple):
    """A worker of the demo: its name, labels and slots."""

    name: str
    labels: str
    slots: int


MEMBERS = (Member("macmini", "heavy", 2), Member("pi4", "", 1), Member("pi3", "light", 1))


class Fleet(NamedTuple):
    """A running fleet: the hub's URL, the directory the jobs share, the workers' logs."""

    url: str
    shared: Path
    logs: list[Path]


@contextmanager
def private_fleet() -> Iterator[Fleet]:
    """Start the hub and the workers; end both, whatever happens in between."""
    home = Path(tempfile.mkdtemp(prefix="relayq-demo-"))
    kept = dict(os.environ)
    try:
        _settle_in(home, kept)
        config = load()
        url = hub.start(config)
        workers: list[subprocess.Popen[bytes]] = []
        try:
            workers += [_start(member, home, url) for member in MEMBERS]
            yield Fleet(url, home / "shared", [home / f"{member.name}.log" for member in MEMBERS])
        finally:
            _end(workers)
            hub.stop(config)
    finally:
        os.environ.clear()
        os.environ.update(kept)
        shutil.rmtree(home, ignore_errors=True)


def _settle_in(home: Path, kept: Mapping[str, str]) -> None:
    """Point every setting of this process and its children into `home`."""
    for name in kept:
        if name.startswith("RELAYQ_"):
            del os.environ[name]
    for kind in ("config", "state", "data", "cache", "runtime"):
        os.environ[f"RELAYQ_{kind.upper()}_DIR"] = str(home / kind)
    os.environ["RELAYQ_FLEET"] = "demo"
    (home / "shared").mkdir()


def _start(member: Member, home: Path, url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "relayq", "worker", "--headless", "--url", url, "--kill"]
    command += ["--name", member.name, "--slots", str(member.slots)]
    if member.labels:
        command += ["--labels", member.labels]
    with (home / f"{member.name}.log").open("wb") as log:
        return subprocess.Popen(
            command,
            env=kept_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
