"""A worker joins with the string alone, a submit-only user sends a job, the link breaks in the middle.

The link is cut until the worker has noticed, which takes its call time-out of ten seconds;
RELAYQ_TEST_CUT_S makes it longer (120 was tried by hand: the lease of 60 s is over then,
and the worker's late report is the one that counts).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.trust.ticket import read_ticket
from tests.security.links import HUB, SENDER, WORKER, Links, links
from tests.security.site_support import RELAYQ, InstalledHub, Person
from tests.support import eventually_sync

CUT_S = float(os.environ.get("RELAYQ_TEST_CUT_S", "0"))


class Town:
    """A hub, its owner beside it, a worker and a sender on hosts of their own."""

    def __init__(self, net: Links) -> None:
        self.net = net
        self.site = InstalledHub(listen=net.listen(), prefix=net.prefix(HUB)).start()
        self.owner = self.site.owner(net.prefix(HUB), address=f"127.0.0.1:{self.site.port}")
        self.worker = self.joined(WORKER, "worker", "mini")
        self.sender = self.joined(SENDER, "submit", "ci")

    def joined(self, host: str, role: str, name: str) -> Person:
        """Somebody on this host, who has nothing but the string."""
        there = self.net.address(host, self.site.port)
        string = self.owner.relayq("hub", "invite", role, name, "--address", there)
        assert read_ticket(string).address == there
        one = self.site.person(name, self.net.prefix(host))
        one.relayq("join", "-", stdin=string)
        return one

    def close(self) -> None:
        """End everything."""
        self.site.close()
        self.net.close()


@pytest.fixture
def town() -> Iterator[Town]:
    town = Town(links())
    yield town
    town.close()


@pytest.mark.timeout(300)
def test_a_result_arrives_exactly_once_though_the_link_was_cut(town: Town) -> None:
    log = town.worker.home / "worker.log"
    town.worker.start("worker", "--headless", log=log.name)
    eventually_sync(lambda: "worker ready" in log.read_text(), "the worker is registered")
    # A job of another key runs shut in: its own directory is all that it and this test both see.
    wait = "echo x >> begun; echo first; while [ ! -e go ]; do sleep 0.05; done; echo last; exit 7"
    running = subprocess.Popen(
        [*town.sender.prefix, *RELAYQ, "run", "--", wait],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=town.sender.environment,
    )  # fmt: skip
    eventually_sync(lambda: list(town.worker.home.rglob("begun")), "the job runs")
    [begun] = town.worker.home.rglob("begun")
    town.net.cut()
    cut_at = time.monotonic()
    eventually_sync(lambda: "hub unreachable" in log.read_text(), "the worker notices", timeout_s=60)
    eventually_sync(lambda: time.monotonic() - cut_at >= CUT_S, "the link was cut long enough", timeout_s=180)
    (begun.parent / "go").touch()  # the job ends while nobody can be told
    town.net.mend()
    out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (7, "first\nlast\n"), err
    assert begun.read_text() == "x\n"
    assert "hub reachable again" in log.read_text()


def test_the_processes_of_a_joined_machine_carry_no_secret(town: Town) -> None:
    """Neither the string nor the password stands where every user of the machine can read it."""
    log = town.worker.home / "worker.log"
    process = town.worker.start("worker", "--headless", log=log.name)
    eventually_sync(lambda: "worker ready" in log.read_text(), "the worker is registered")
    written = (town.worker.config / "joined.toml").read_text()
    password = written.partition("w-mini:")[2].partition("@")[0]
    assert len(password) == 32
    assert password not in log.read_text()
    if sys.platform == "linux":
        lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        assert not [line for line in lines if password.encode() in line]
    process.terminate()
    assert process.wait(timeout=30) == 0
