"""Talk to the hub with the standard library alone: one socket, RESP2, one round trip.

`import redis` costs about 60 ms of a cold `relayq submit`, more than everything
else together, so submitting goes through this file. It also runs uninstalled,
straight out of a checked-out GitHub action: Python 3.9 syntax, and of RelayQ only `tls` beside it.

A Wire is not thread safe; whoever shares one holds a lock. It never repeats a
command by itself: every function it calls is idempotent, so the caller may.
"""

from __future__ import annotations

import json
import socket
from urllib.parse import parse_qs, unquote, urlsplit

from relayq.store.tls import REFUSES_US, secured, tcp, tls_reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, BinaryIO, Union

    Arguments = Sequence[Union[bytes, str, int]]
    Reply = Any

MAX_JOBS_PER_CALL = 500
MOST_WAITING = 4_000  # entries of an inbox; beyond it the newest are dropped (lua/inbox.lua)
SPEAKS_TLS = "it speaks TLS: use a rediss:// address, or join it with `relayq join`"
SPEAKS_ELSE = "what answers there is no Redis or Valkey"
JOB, CANCEL, STEER, FIRE = b"j", b"c", b"o", b"f"  # how an entry of an inbox begins
TLS_ALERT = b"\x15\x03"  # how a TLS server begins its no to plain text (RFC 8446, 5.1 and 6)

MAY = {
    "submit": "a submit-only user, who may submit and see its own jobs; ask the owner for what you need",
    "viewer": "a viewer, who may look and change nothing; ask the owner for what you need",
    "worker": "a worker, who runs jobs; ask the owner for what you need",
}


class WireError(Exception):
    """The link failed: `str()` says where, without the password."""


class WireBrokenError(WireError):
    """It broke after it was opened: what was sent may have been carried out, its reply is lost."""


class WireReplyError(Exception):
    """The hub answered with an error; `code` is its first word."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]


class Address:
    """A hub's URL in parts: redis://, rediss:// or unix://[user:password@]/path.

    Query parameters: `db` (unix sockets); for TLS `ca` (a PEM file that alone is trusted),
    `cert` (a PEM file with our certificate and its key) and `name` (what the server's
    certificate must say, whatever the address is); `role` and `mark` of a user that may
    not do everything (hub/acl.py). `shown` is the address without user and password.
    """

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise WireError(f"hub address {url.rpartition('@')[2]!r} is none: {error}") from error
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise WireError(
                f"hub address {url.rpartition('@')[2]!r} is not a redis://, rediss:// or unix:// address"
            )
        query = parse_qs(parts.query)
        self.scheme = parts.scheme
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.ca, self.cert, self.name, self.role, self.mark = (
            query.get(word, [""])[0] for word in ("ca", "cert", "name", "role", "mark")
        )
        if parts.scheme == "unix":
            self.path, self.host, self.port = unquote(parts.path), "", 0
            db = query.get("db", ["0"])[0]
            self.shown = f"unix://{self.path}"
        else:
            self.path, self.host = "", parts.hostname or "localhost"
            try:
                self.port = parts.port or 6379
            except ValueError as error:
                raise WireError(f"hub address has an impossible port: {error}") from error
            db = parts.path.strip("/") or "0"
            self.shown = f"{parts.scheme}://{self.host}:{self.port}"
        if not db.isdigit():
            raise WireError(f"hub address {self.shown} names database {db!r}: it is a number")
        self.db = int(db)

    def greeting(self) -> list[list[str | int]]:
        """The commands that open a connection: AUTH and SELECT where they are needed."""
        commands: list[list[str | int]] = []
        if self.password:
            commands.append(["AUTH", self.user, self.password] if self.user else ["AUTH", self.password])
        if self.db:
            commands.append(["SELECT", self.db])
        return commands


def encode(args: Arguments) -> bytes:
    """One command as RESP bytes; `args` are bytes, str or numbers."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(out)


class Wire:
    """One connection to the hub at `url`; `timeout_s` bounds connecting and each reply."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self.address = Address(url)
        self._timeout_s = timeout_s
        self._link: tuple[socket.socket, BinaryIO] | None = None
        self._has_heard = False

    def call(self, *args: bytes | str | int) -> Reply:
        """Send one command and return its reply; WireReplyError for an error reply."""
        return self.pipeline([args])[0]

    def pipeline(self, commands: Sequence[Arguments]) -> list[Reply]:
        """Send all commands at once and return their replies; the first error reply is raised last."""
        replies = self.replies(commands)
        for reply in replies:
            if isinstance(reply, WireReplyError):
                raise reply
        return replies

    def replies(self, commands: Sequence[Arguments]) -> list[Reply]:
        """The same with error replies in their places; raised is only that the hub lets nobody in."""
        greeting = [] if self._link else self.address.greeting()
        link, stream = self._link or self._open()
        try:
            link.sendall(b"".join([encode(command) for command in [*greeting, *commands]]))
            welcome = [read_reply(stream) for _ in greeting]
            replies = [read_reply(stream) for _ in commands]
        except OSError as error:
            reason = "" if self._has_heard else unheard_reason(self.address, error)
            self.close()
            kind = WireError if isinstance(error, socket.timeout) or reason else WireBrokenError
            raise kind(self._failure("stopped answering", error, reason)) from error
        self._has_heard = True
        for reply in welcome:
            if isinstance(reply, WireReplyError):
                self.close()
                raise reply
        return replies

    def close(self) -> None:
        """Drop the connection; the next call opens a new one."""
        if self._link:
            for end in reversed(self._link):
                end.close()
            self._link = None
        self._has_heard = False

    def _open(self) -> tuple[socket.socket, BinaryIO]:
        try:
            link = self._connect()
        except OSError as error:
            raise WireError(self._failure("cannot be reached", error)) from error
        self._link = (link, link.makefile("rb"))
        return self._link

    def _connect(self) -> socket.socket:
        if self.address.scheme != "unix":
            link = tcp(self.address, self._timeout_s)
            return secured(link, self.address, self._timeout_s) if self.address.scheme == "rediss" else link
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        link.settimeout(self._timeout_s)
        try:
            link.connect(self.address.path)
        except OSError:
            link.close()
            raise
        return link

    def _failure(self, what: str, error: OSError, reason: str = "") -> str:
        reason = reason or tls_reason(error) or error.strerror or str(error) or type(error).__name__
        return f"hub {self.address.shown} {what}: {reason}"


def full_disk(shown: str, text: str) -> str:
    """The sentence for a hub's MISCONF, which is `text`: it cannot write, so it takes nothing new."""
    reason = text.rpartition("file: ")[2] if "AOF file: " in text else "its snapshots fail"
    return (
        f"hub {shown} cannot write to its disk ({reason}) and takes nothing new until it can: "
        "make room there; its log says more"
    )


def misplaced(shown: str, text: str) -> str:
    """The sentence for a server that can be no hub: a replica, or one of a cluster; empty for any other."""
    if "read only replica" in text:
        return f"hub {shown} is a replica, which takes no orders: name the server that it copies"
    if text.startswith(("MOVED ", "CLUSTERDOWN ")):
        return f"hub {shown} is one server of a cluster: RelayQ needs a server that stands alone"
    return ""


def denial(address: Address, code: str, detail: str = "") -> str:
    """What it means for a person that the hub's list of users says no; empty for any other reply.

    `code` is the first word of the reply, `detail` the rest. Whoever was let in by a join string
    knows no other password: when it counts no more, the user was removed.
    """
    if code in ("WRONGPASS", "NOAUTH"):
        said = f"hub {address.shown} refused the user or password"
        if address.role == "owner":
            return f"{said}: most likely it was installed anew; join it with the string that this printed"
        if address.role:
            return (
                f"{said} of this machine: most likely its owner has revoked it; ask for another join string"
            )
        return f"{said}: check the address (`relayq config show`)"
    if code == "ERR" and detail.startswith("AUTH "):
        return f"hub {address.shown} asks nobody for a password: leave it out of the address"
    if code == "ERR" and "DB index" in detail:
        return f"hub {address.shown} has no database {address.db}: name another one in the address"
    if code != "NOPERM":
        return ""
    said = f"hub {address.shown} does not allow this to your user"
    may = MAY.get(address.role)
    return f"{said}: this machine has joined as {may}" if may else f"{said}: {detail}"


def unheard_reason(address: Address, error: BaseException) -> str:
    """Why a hub may hang up before its first word; empty where that says nothing.

    A server that wants TLS, or another certificate, says so and closes at once; its word
    is lost when ours was already on its way (TLS 1.3 lets a client speak first).
    """
    is_closed = isinstance(error, ConnectionError) or type(error).__name__ == "SSLEOFError"
    if str(error) == SPEAKS_ELSE:
        return SPEAKS_ELSE
    if not is_closed or address.scheme == "unix" or isinstance(error, ConnectionRefusedError):
        return tls_reason(error)
    if address.scheme == "rediss":
        return f"it hung up before its first word: most likely {REFUSES_US}"
    return f"it hung up before its first word: most likely {SPEAKS_TLS}"


def read_reply(stream: BinaryIO) -> Reply:
    """Read one RESP2 reply; an error reply comes back as a WireReplyError, not raised."""
    line = stream.readline()
    if line.startswith(TLS_ALERT):
        raise ConnectionError(SPEAKS_TLS)
    if not line.endswith(b"\r\n"):
        raise ConnectionError("the connection was closed" if line[:1] in b"+-:$*" else SPEAKS_ELSE)
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest
    if kind == b"-":
        return WireReplyError(rest.decode("utf-8", "replace"))
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return _bulk(stream, int(rest))
    if kind == b"*":
        return None if rest == b"-1" else [read_reply(stream) for _ in range(int(rest))]
    raise ConnectionError(SPEAKS_ELSE)


def _bulk(stream: BinaryIO, length: int) -> bytes | None:
    if length < 0:
        return None
    data = stream.read(length + 2)
    if len(data) != length + 2:
        raise ConnectionError("the connection was closed")
    return data[:-2]


def submit_args(
    fleet: str,
    jobs: list[tuple[dict[str, object], bytes]],
    lanes: dict[str, str],
    *,
    record: bytes = b"",
    watch: bool = False,
) -> list[bytes | str | int]:
    """The command that submits up to 500 jobs.

    `jobs` are pairs of routing (`relayq.model.job.routing`) and envelope, `lanes` maps
    lane id -> lane JSON, `record` is the batch record that the envelopes name, `watch`
    announces that somebody will wait for the jobs.
    """
    if len(jobs) > MAX_JOBS_PER_CALL:
        raise ValueError(f"at most {MAX_JOBS_PER_CALL} jobs go in one call")
    request: dict[str, object] = {"jobs": [routing for routing, _ in jobs], "lanes": lanes}
    if record:
        request["batch"] = jobs[0][1].split(b" ", 3)[2].decode()  # 1 batch <name> <place>
    if watch:
        request["watch"] = 1
    text = json.dumps(request, separators=(",", ":"))
    return ["FCALL", "rq1_submit", 1, f"{{rq:{fleet}}}:cfg", text, record, *[e for _, e in jobs]]


def fire_args(
    fleet: str, schedule: str, rule: str, slot_ms: int, job: str, who: str = "github"
) -> list[bytes | str | int]:
    """The command that fires one slot of a schedule from elsewhere, unless that has been done.

    `rule` is what the caller went by, zone and all; `job` is `relayq.model.cron.slot_id`. The
    reply is `ok` and (slot, word, job), or `unknown`, `paused` or `changed` (another rule).
    """
    request = {"name": schedule, "rule": rule, "who": who, "runs": [[slot_ms, job]]}
    text = json.dumps(request, separators=(",", ":"))
    return ["FCALL", "rq1_fire", 1, f"{{rq:{fleet}}}:cfg", text]


def fire_entry(schedule: str, rule: str, slot_ms: int, who: str = "github") -> bytes:
    """What a submit-only user sends in order to fire one slot, with the kind FIRE; it needs no signature."""
    fields = {"schedule": schedule, "rule": rule, "slot": slot_ms, "who": who}
    return json.dumps(fields, separators=(",", ":")).encode()


def push_args(fleet: str, name: str, entries: Sequence[tuple[bytes, bytes]]) -> list[bytes | str | int]:
    """The command with which a submit-only user sends (kind, envelope) to a worker's admission.

    With FIRE goes a `fire_entry` in place of an envelope.
    """
    return ["RPUSH", f"{{rq:{fleet}}}:in:{name}", *[kind + envelope for kind, envelope in entries]]
