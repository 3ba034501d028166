"""Talk to a server over one plain socket: the least a client can do.

The limits are measured with it, and the benchmark reads the server's own
figures with it, so that no peer's library stands between.
"""

from __future__ import annotations

import socket
from typing import Any

Word = bytes | str | int


class ServerError(Exception):
    """The server answered with an error."""


def encode(*words: Word) -> bytes:
    """Return one command in RESP2."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class Connection:
    """One connection; `call` asks and waits, `pipeline` asks all before it waits."""

    def __init__(self, port: int, timeout_s: float = 60.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")

    def call(self, *words: Word) -> Any:
        """Send one command and return its reply."""
        self._socket.sendall(encode(*words))
        return self._reply()

    def pipeline(self, commands: list[bytes]) -> list[Any]:
        """Send encoded commands at once and return their replies."""
        self._socket.sendall(b"".join(commands))
        return [self._reply() for _ in commands]

    def close(self) -> None:
        """Close the connection."""
        self._replies.close()
        self._socket.close()

    def _reply(self) -> Any:
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ServerError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        size = int(rest)
        if size < 0:
            return None
        if kind == b"*":
            return [self._reply() for _ in range(size)]
        return self._replies.read(size + 2)[:-2]
