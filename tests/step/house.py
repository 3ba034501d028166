"""The house behind a repository: a hub with TLS and roles, its owner, a worker, and a string for the step."""

from __future__ import annotations

import json

from relayq.trust.ticket import Ticket, read_ticket
from tests.security.issuer import Issuer
from tests.security.site_support import InstalledHub, Person
from tests.support import eventually_sync


class Home:
    """A hub, its owner, a worker, and the join string that a repository keeps as its secret."""

    def __init__(self, issuer: Issuer, settings: str = "", secret: str = "") -> None:
        """`settings` are more of the owner's configuration, `secret` what stands in their file `token`."""
        self.site = InstalledHub().start()
        self.owner = self.site.owner()
        if secret:
            token = self.owner.home / "token"
            token.touch(mode=0o600)
            token.write_text(secret)
        (self.owner.config / "config.toml").write_text(f'[trust]\noidc_issuer = "{issuer.url}"\n{settings}')
        log = self.owner.home / "worker.log"
        self.worker = self.owner.start("worker", "--headless", log=log.name)
        self.join = self.invited("ci", "--queues", "default,video")
        eventually_sync(lambda: "worker ready" in log.read_text(), "the worker is registered")

    def invited(self, name: str, *options: str, role: str = "submit") -> str:
        """A join string."""
        return self.owner.relayq("hub", "invite", role, name, *options).strip()

    @property
    def ticket(self) -> Ticket:
        """What the string says."""
        return read_ticket(self.join)

    def ended(self, job: str) -> dict[str, object]:
        """The job once it has ended, as its owner sees it."""
        self.owner.ended("wait", job)
        record: dict[str, object] = json.loads(self.owner.relayq("show", job, "--json"))
        return record

    def output(self, job: str) -> str:
        """What it wrote."""
        self.owner.ended("wait", job)
        ended = self.owner.process("logs", job)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def json_url(owner: Person) -> str:
    """The owner's address of the hub."""
    written = (owner.config / "joined.toml").read_text()
    return str(json.loads(written.partition("url = ")[2].splitlines()[0]))
