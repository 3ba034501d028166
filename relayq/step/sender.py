"""A submit-only user at its hub: everything it has is in the join string.

The hub is reached with TLS 1.3 and believed by the authority in the string alone; the
roster it shows must be signed by the owner that the string names. So a runner that keeps
nothing between two steps needs one secret. One thing it cannot know: whether the hub
shows it an old roster, for it has seen none before. A hub that lies so could have a job
sealed to a worker that was revoked since.

A job is pushed onto this user's inbox and is one when a worker has verified it. Its id
is made here, and pushing it twice makes it once: what fails on the way is tried again.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from relayq.errors import HubDenied, HubError, HubFull, HubUnreachable, Refused
from relayq.model.ids import new_id
from relayq.store.wire import (
    FIRE,
    JOB,
    MOST_WAITING,
    Wire,
    WireError,
    WireReplyError,
    fire_entry,
    full_disk,
    push_args,
)
from relayq.trust.keys import SigningKey
from relayq.trust.roster import Roster, open_roster
from relayq.trust.ticket import SUBMITTER, Ticket

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Union

    from relayq.model.job import JobSpec
    from relayq.step.slots import Slot
    from relayq.trust.bodies import Author, RunAuthor

    Command = Sequence[Union[bytes, str, int]]

TIMEOUT_S = 10.0
PAUSES_S = (1.0, 3.0)
_PEMS = ("ca.pem", "client.pem")
_TEMPS = ("RUNNER_TEMP", "TMPDIR", "TEMP")


class Sender:
    """One submit-only user for the length of a step. `close` removes what it wrote to disk."""

    def __init__(self, ticket: Ticket, timeout_s: float = TIMEOUT_S) -> None:
        if ticket.role != SUBMITTER:
            raise Refused(
                f"this join string is for {ticket.role} {ticket.name}: have the owner make one for a step "
                "with `relayq hub invite submit NAME`"
            )
        self.ticket, self.fleet = ticket, ticket.fleet
        self.key = SigningKey(ticket.seed)
        self._prefix = f"{{rq:{ticket.fleet}}}:"
        self.directory = _made_directory(os.environ)
        _write_pems(self.directory, ticket)
        self._roster: Roster | None = None
        self._month: Any = None
        self._wire = Wire(ticket.url(self.directory), timeout_s)

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection; nothing stays on the disk."""
        self._wire.close()
        for name in _PEMS:
            with suppress(OSError):
                os.unlink(f"{self.directory}/{name}")
        with suppress(OSError):
            os.rmdir(self.directory)

    def submit(self, spec: JobSpec, author: Author | RunAuthor) -> str:
        """Seal, sign and push one job; its id."""
        job = new_id(self.ticket.mark)
        envelope = author.job(spec, job, int(time.time()))
        self._push(JOB, envelope)
        return job

    def fire(self, slot: Slot) -> str:
        """Push the firing of a schedule's slot; the id of its job, which is there once however often."""
        entry = fire_entry(slot.schedule, slot.rule, slot.at_ms)
        self._push(FIRE, entry)
        return slot.job(self.fleet)

    def _push(self, kind: bytes, entry: bytes) -> None:
        [waiting] = self.ask(push_args(self.fleet, self.ticket.name, [(kind, entry)]))
        if waiting > MOST_WAITING:
            raise HubFull(
                f"the inbox of {self.ticket.name} is full ({waiting} entries), nothing was taken: "
                "wait until a worker has looked into it"
            )

    @property
    def roster(self) -> Roster:
        """Who is in the fleet, as its owner signed it."""
        if self._roster is None:
            data, self._month = self._replies([self._roster_question, self._month_question])
            self._roster = self._opened(data)
        return self._roster

    def fresh_roster(self) -> Roster:
        """The same, asked for again."""
        return self._opened(*self.ask(self._roster_question))

    @property
    def month(self) -> Any:
        """What the hub holds of the month's minutes: a flat list, or why this user may not read it."""
        if self._month is None:
            [self._month] = self._replies([self._month_question])
        return self._month

    def _opened(self, data: Any) -> Roster:
        if isinstance(data, WireReplyError):
            raise self._error(data)
        if not data:
            raise HubError(f"fleet {self.fleet!r} has no roster in this hub: its owner's first job makes it")
        return open_roster(data, self.ticket.owner, fleet=self.fleet)

    @property
    def _roster_question(self) -> Command:
        return ("GET", self._prefix + "roster")

    @property
    def _month_question(self) -> Command:
        return ("HGETALL", self._prefix + "bs")

    def key_of(self, kind: str, job: str) -> str:
        """The hub's key for something of a job of ours."""
        return f"{self._prefix}{kind}:{job}"

    def ask(self, *commands: Command) -> list[Any]:
        """Send commands at once and return their replies; a link that fails is tried three times."""
        replies = self._replies(commands)
        for reply in replies:
            if isinstance(reply, WireReplyError):
                raise self._error(reply)
        return replies

    def _replies(self, commands: Sequence[Command]) -> list[Any]:
        """The same with what the hub refuses in its place."""
        for pause_s in (*PAUSES_S, None):
            try:
                return self._wire.replies(commands)
            except WireError as error:
                if pause_s is None or "certificate" in str(error):
                    raise HubUnreachable(f"{error}; nothing says that the job was taken") from error
                time.sleep(pause_s)
            except WireReplyError as reply:
                raise self._error(reply) from reply
        raise AssertionError("the last pause is None")

    def _error(self, reply: WireReplyError) -> HubError:
        shown = self._wire.address.shown
        if reply.code in ("WRONGPASS", "NOAUTH", "NOPERM"):
            return HubDenied(f"hub {shown} does not let {self.ticket.name} in: was it revoked?")
        if reply.code == "OOM":
            return HubFull(f"hub {shown} has no memory for new jobs: the job was not taken")
        if reply.code == "MISCONF":
            return HubFull(f"{full_disk(shown, str(reply))}; the job was not taken")
        return HubError(f"hub {shown} answered: {reply}")


def _made_directory(environ: Mapping[str, str]) -> str:
    """A directory for this user alone. `import tempfile` and shutil would cost a tenth of the whole step."""
    inside = next((environ[name] for name in _TEMPS if environ.get(name)), "")
    if not inside:
        from tempfile import gettempdir

        inside = gettempdir()
    path = os.path.join(inside, f"relayq-{os.urandom(8).hex()}")
    os.mkdir(path, 0o700)
    return path


def _write_pems(directory: str, ticket: Ticket) -> None:
    """What Python's TLS reads from files alone; the directory is for this user alone."""
    import ssl

    authority = ssl.DER_cert_to_PEM_cert(ticket.authority)
    own = _pem("EC PRIVATE KEY", ticket.key) + ssl.DER_cert_to_PEM_cert(ticket.certificate)
    for name, text in zip(_PEMS, (authority, own)):
        with open(f"{directory}/{name}", "w", encoding="ascii") as file:
            file.write(text)


def _pem(kind: str, der: bytes) -> str:
    from base64 import encodebytes

    return f"-----BEGIN {kind}-----\n{encodebytes(der).decode()}-----END {kind}-----\n"
