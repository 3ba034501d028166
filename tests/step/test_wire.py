"""`relayq submit --wire`: the same way into the hub for every other CI system, from an empty home."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from relayq.hub.acl import SUBMITTER
from tests.security.site_support import RELAYQ, InstalledHub, Person
from tests.support import eventually_sync


class Home:
    """A hub with a worker, and somebody with nothing but a string."""

    def __init__(self) -> None:
        self.site = InstalledHub().start()
        self.owner = self.site.owner()
        log = self.owner.home / "worker.log"
        self.owner.start("worker", "--headless", log=log.name)
        self.join = self.owner.relayq("hub", "invite", SUBMITTER, "gitlab").strip()
        self.stranger = Person(self.site.directory / "stranger")
        self.site.people.append(self.stranger)
        eventually_sync(lambda: "worker ready" in log.read_text(), "the worker is registered")

    def submit(self, *argv: str, join: str | None = None) -> subprocess.CompletedProcess[str]:
        """Type `relayq submit --wire ...` with the string in the environment."""
        env = self.stranger.environment | {"RELAYQ_JOIN": self.join if join is None else join}
        return subprocess.run(
            [*RELAYQ, "submit", "--wire", *argv],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def house() -> Iterator[Home]:
    house = Home()
    yield house
    house.site.close()


def test_a_job_goes_in_from_an_empty_home_and_leaves_nothing_there(house: Home) -> None:
    ran = house.submit("--name", "n", "--json", "--", "echo hi")
    assert (ran.returncode, ran.stderr) == (0, "")
    told = json.loads(ran.stdout)
    assert (told["word"], told["detail"]) == ("accepted", "")
    house.owner.ended("wait", told["id"])
    assert json.loads(house.owner.relayq("show", told["id"], "--json"))["state"] == "SUCCEEDED"
    assert [path for path in house.stranger.home.rglob("*") if path.is_file()] == []


def test_what_does_not_go_is_a_sentence_and_an_exit_code(house: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    cases = (
        (house.submit("--needs", "gpu=9", "--", "true"), 0, "no worker can run it now"),
        (house.submit("--", "true", join=""), 2, "RELAYQ_JOIN"),
        (house.submit("--", "true", join="rq1x"), 2, "not a whole join string"),
        (house.submit("--in", str(tmp_path / "file"), "--", "true"), 2, "cannot send files along"),
        (house.submit("-"), 2, "--wire hands over one job"),
        (house.submit("true"), 2, "put -- before the command"),
        (house.submit("--after", "7RDKX2", "--", "true"), 2, "not the id of a job"),
        (house.submit("--after", "0" * 16, "--", "true"), 1, "is refused: there is no job"),
    )
    for ran, code, why in cases:
        assert (ran.returncode, why in ran.stderr) == (code, True), ran.stderr
        assert "Traceback" not in ran.stderr
        assert house.join not in ran.stderr
