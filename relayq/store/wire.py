"""Talk to the hub with the standard library alone: one socket, RESP2, one round trip.

`import redis` costs about 60 ms of a cold `relayq submit`, more than everything
else together, so submitting goes through this file. It also runs uninstalled,
straight out of a checked-out GitHub action: Python 3.9 syntax, no import of RelayQ.

A Wire is not thread safe; whoever shares one holds a lock. It never repeats a
command by itself: every function it calls is idempotent, so the caller may.
"""

import json
import socket
from urllib.parse import parse_qs, unquote, urlsplit

MAX_JOBS_PER_CALL = 500


class WireError(Exception):
    """The link failed: `str()` says where, without the password."""


class WireReply(Exception):
    """The hub answered with an error; `code` is its first word."""

    def __init__(self, message):
        super().__init__(message)
        self.code = message.split(" ", 1)[0]


class Address:
    """A hub's URL in parts: redis://, rediss:// or unix://[user:password@]/path.

    Query parameters: `db` (unix sockets), `ca` (a PEM file that alone is trusted).
    `shown` is the address without user and password.
    """

    def __init__(self, url):
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "unix"):
            raise WireError(
                f"hub address {url.split('@')[-1]!r} is not a redis://, rediss:// or unix:// address"
            )
        query = parse_qs(parts.query)
        self.scheme = parts.scheme
        self.user = unquote(parts.username or "")
        self.password = unquote(parts.password or "")
        self.ca = query.get("ca", [""])[0]
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

    def greeting(self):
        """The commands that open a connection: AUTH and SELECT where they are needed."""
        commands = []
        if self.password:
            commands.append(["AUTH", self.user, self.password] if self.user else ["AUTH", self.password])
        if self.db:
            commands.append(["SELECT", self.db])
        return commands


def encode(args):
    """One command as RESP bytes; `args` are bytes, str or numbers."""
    out = [b"*%d\r\n" % len(args)]
    for arg in args:
        data = arg if isinstance(arg, bytes) else str(arg).encode()
        out.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(out)


class Wire:
    """One connection to the hub at `url`; `timeout_s` bounds connecting and each reply."""

    def __init__(self, url, timeout_s=10.0):
        self.address = Address(url)
        self._timeout_s = timeout_s
        self._socket = None
        self._file = None

    def call(self, *args):
        """Send one command and return its reply; WireReply for an error reply."""
        return self.pipeline([args])[0]

    def pipeline(self, commands):
        """Send all commands at once and return their replies; the first error reply is raised last."""
        greeting = [] if self._socket else self._open()
        batch = greeting + list(commands)
        try:
            self._socket.sendall(b"".join(map(encode, batch)))
            replies = [self._reply() for _ in batch]
        except OSError as error:
            self.close()
            raise WireError(self._failure("stopped answering", error)) from error
        for reply in replies:
            if isinstance(reply, WireReply):
                if len(replies) == len(batch) and reply in replies[: len(greeting)]:
                    self.close()
                raise reply
        return replies[len(greeting) :]

    def close(self):
        """Drop the connection; the next call opens a new one."""
        if self._socket is not None:
            self._file.close()
            self._socket.close()
            self._socket = self._file = None

    def _open(self):
        try:
            self._socket = self._connect()
        except OSError as error:
            raise WireError(self._failure("cannot be reached", error)) from error
        self._file = self._socket.makefile("rb")
        return self.address.greeting()

    def _connect(self):
        address = self.address
        if address.scheme == "unix":
            link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            link.settimeout(self._timeout_s)
            try:
                link.connect(address.path)
            except OSError:
                link.close()
                raise
            return link
        link = socket.create_connection((address.host, address.port), self._timeout_s)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.scheme == "rediss":
            import ssl

            context = ssl.create_default_context(cafile=address.ca or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            link = context.wrap_socket(link, server_hostname=address.host)
        return link

    def _failure(self, what, error):
        reason = error.strerror or str(error) or type(error).__name__
        return f"hub {self.address.shown} {what}: {reason}"

    def _line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection was closed")
        return line[:-2]

    def _reply(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return WireReply(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return self._bulk(int(rest))
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        raise ConnectionError("the server does not speak RESP")

    def _bulk(self, length):
        if length < 0:
            return None
        data = self._file.read(length + 2)
        if len(data) != length + 2:
            raise ConnectionError("the connection was closed")
        return data[:-2]


def submit_args(fleet, routings, lanes, envelopes, record=b"", watch=False):
    """The command that submits up to 500 jobs.

    `routings` are the dicts of `JobSpec.routing`, `lanes` maps lane id -> lane JSON,
    `envelopes` stand in the order of the routings, `record` is the batch record
    they refer to, `watch` announces that somebody will wait for them.
    """
    if len(routings) > MAX_JOBS_PER_CALL:
        raise ValueError(f"at most {MAX_JOBS_PER_CALL} jobs go in one call")
    request = {"jobs": routings, "lanes": lanes}
    if record:
        import hashlib

        request["batch"] = hashlib.sha256(record).hexdigest()
    if watch:
        request["watch"] = 1
    text = json.dumps(request, separators=(",", ":"))
    return ["FCALL", "rq1_submit", 1, f"{{rq:{fleet}}}:cfg", text, record, *envelopes]
