"""Connections to the hub: one Link is one socket, one command at a time, every wait bounded.

redis-py retries by itself and may run a script twice behind our back; here
it gets no retry, no time-out and no handshake of its own. A command that is in
flight is never cancelled: when its time is over the connection is dropped, and the
caller, whose functions are all idempotent, decides whether to ask again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redis.asyncio.connection import Connection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    ClusterDownError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from relayq.errors import ConfigError, HubDenied, HubError, HubFull, HubUnreachable
from relayq.store.tls import SILENT_S, SPEAKS_NO_TLS, speaks_plain, tls_context, tls_reason
from relayq.store.wire import (
    SPEAKS_ELSE,
    SPEAKS_TLS,
    Address,
    WireError,
    denial,
    full_disk,
    misplaced,
    unheard_reason,
)

if TYPE_CHECKING:
    import ssl

CONNECT_TIMEOUT_S = 10.0
CALL_TIMEOUT_S = 10.0
HALF_OPEN_MS = 30_000


def parse_url(url: str) -> Address:
    """Read a hub's URL; ConfigError when it is none."""
    try:
        return Address(url)
    except WireError as error:
        raise ConfigError(str(error)) from error


class Link:
    """One connection, opened on first use and again after it broke.

    `took_s` is how long the hub took with the latest answer, without the wait for those before it.
    One that `repeats` asks once more, over a new socket, where the old one turns out to be broken.
    """

    repeats = False

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            self._connection = _connection(address)
        except OSError as error:
            raise ConfigError(f"hub {address.shown} cannot be spoken to: {error}") from error
        self._lock = asyncio.Lock()
        self._has_heard = False
        self.took_s = 0.0

    @property
    def is_open(self) -> bool:
        """Is there a socket right now? It may be half open: only a reply proves more."""
        return bool(self._connection.is_connected)

    async def call(self, *args: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Send one command and return its reply.

        HubUnreachable when the link broke or `timeout_s` passed (the command may have
        been carried out), HubDenied, HubFull, or HubError with the server's own words.
        """
        [reply] = await self.calls(args, timeout_s=timeout_s)
        return reply

    async def calls(self, *commands: Sequence[Any], timeout_s: float = CALL_TIMEOUT_S) -> list[Any]:
        """Send some commands in one round trip and return their replies.

        Errors as with `call`; all are carried out, and the first that was refused is what is raised.
        """
        async with self._lock:
            was_open = self.is_open
            try:
                return await self._exchange(commands, timeout_s)
            except HubUnreachable as error:
                if not (self.repeats and was_open) or isinstance(error.__cause__, TimeoutError):
                    raise
            return await self._exchange(commands, timeout_s)

    async def _exchange(self, commands: Sequence[Sequence[Any]], timeout_s: float) -> list[Any]:
        try:
            if not self._connection.is_connected:
                await self._open()
            began_s = time.monotonic()
            async with asyncio.timeout(timeout_s):
                packed = self._connection.pack_commands(commands)
                await self._connection.send_packed_command(packed, check_health=False)
                replies = [await self._reply() for _ in commands]
        except AuthenticationError as error:  # after this one redis-py has hung up
            await self._drop()
            raise self._refusal(error) from error
        except (RedisError, OSError, TimeoutError) as error:
            failure = self._failure("stopped answering", error)
            await self._drop()
            raise HubUnreachable(failure) from error
        self._has_heard, self.took_s = True, time.monotonic() - began_s
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise self._refusal(reply) from reply
        return replies

    async def _reply(self) -> Any:
        """The next reply; a refusal is one too, for others may stand behind it."""
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error

    async def hear(self, timeout_s: float) -> Any:
        """What the hub says by itself after a subscription; HubUnreachable when nothing came in time."""
        async with self._lock:
            try:
                async with asyncio.timeout(timeout_s):
                    return await self._connection.read_response()
            except (RedisError, OSError, TimeoutError) as error:
                await self._drop()
                raise HubUnreachable(self._failure("stopped answering", error)) from error

    async def close(self) -> None:
        """Close the socket; the next call opens a new one."""
        await self._drop()

    async def _open(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._connection.connect()  # type: ignore[no-untyped-call]  # redis-py has no types here
        except (AuthenticationError, ResponseError) as error:
            await self._drop()
            raise self._refusal(error) from error
        except (RedisError, OSError, TimeoutError) as error:
            failure = self._failure("cannot be reached", error)
            await self._drop()
            if isinstance(
                error.__cause__, (AuthenticationError, ResponseError)
            ):  # redis-py 8 wraps it in a ConnectionError
                raise self._refusal(error.__cause__) from error
            raise HubUnreachable(failure) from error
        _notice_half_open(self._connection)

    async def _drop(self) -> None:
        self._has_heard = False
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._connection.disconnect(nowait=True)

    def _failure(self, what: str, error: BaseException) -> str:
        reason = "" if self._has_heard else _unheard(self.address, error)
        return f"hub {self.address.shown} {what}: {reason or _reason(error)}"

    def _refusal(self, error: RedisError) -> HubError:
        return refusal(self.address, error)


def _unheard(address: Address, error: BaseException) -> str:
    """Why it hung up before its first word, where something says so (`unheard_reason`)."""
    chain = list(_causes(error))
    if any("\\x15\\x03" in str(one) for one in chain):  # redis-py met a TLS alert where a reply should be
        return SPEAKS_TLS
    if any(isinstance(one, InvalidResponse) for one in chain):
        return SPEAKS_ELSE
    if any("closed by server" in str(one) for one in chain):
        chain = [*chain, ConnectionResetError()]
    return next((words for one in chain if (words := unheard_reason(address, one))), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what is beneath it, the innermost first."""
    beneath = error.__cause__ or error.__context__
    if beneath is not None:
        yield from _causes(beneath)
    yield error


def _reason(error: BaseException) -> str:
    """The operating system's word for it, where there is one beneath what redis-py and asyncio say."""
    cause: BaseException | None = error
    while cause is not None:
        if words := tls_reason(cause):
            return words
        if isinstance(cause, socket.gaierror) and cause.strerror:
            return cause.strerror
        if isinstance(cause, OSError) and cause.errno and cause.errno > 0:
            return os.strerror(cause.errno)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, RedisConnectionError):  # what else it says is where in its code that was
        return "the connection was lost"
    return str(error) or "no reply in time"


def refusal(address: Address, error: Exception) -> HubError:
    """The server's error reply as one of our own errors."""
    text, shown = str(error), address.shown
    code, _, detail = text.partition(" ")
    if code in ("AUTH", "DB"):  # redis-py keeps the server's first word to itself
        code, detail = "ERR", text
    elif isinstance(error, AuthenticationError):
        code = "WRONGPASS"
    elif isinstance(error, NoPermissionError):
        code, detail = "NOPERM", text
    elif isinstance(error, MovedError):
        text = f"MOVED {text}"
    elif isinstance(error, ClusterDownError):
        text = f"CLUSTERDOWN {text}"
    if denied := denial(address, code, detail):
        return HubDenied(denied)
    if isinstance(error, OutOfMemoryError) or text.startswith("OOM"):
        return HubFull(f"hub {shown} has no memory left for new jobs: wait, or raise its maxmemory")
    if text.startswith("MISCONF"):
        return HubFull(full_disk(shown, text))
    return HubError(misplaced(shown, text) or f"hub {shown} answered: {text}")


def _connection(address: Address) -> Connection | UnixDomainSocketConnection:
    common: dict[str, Any] = {
        "db": address.db,
        "username": address.user or None,
        "password": address.password or None,
        "socket_timeout": None,
        "socket_connect_timeout": CONNECT_TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }
    if address.scheme == "unix":
        return UnixDomainSocketConnection(path=address.path, **common)
    common |= {"host": address.host, "port": address.port, "socket_keepalive": True}
    if address.scheme == "rediss":
        return _TlsConnection(address, tls_context(address), **common)
    return Connection(**common)


class _TlsConnection(Connection):
    """TLS as `relayq.store.tls` has it: redis-py's own option for a CA only adds it to the system's."""

    def __init__(self, address: Address, context: ssl.SSLContext, **common: Any) -> None:
        super().__init__(**common)
        self._address = address
        self._tls = {"ssl": context, "server_hostname": address.name or address.host}
        self._handshake_s = SILENT_S

    def _connection_arguments(self) -> dict[str, Any]:
        arguments = {**super()._connection_arguments(), **self._tls}
        return {**arguments, "ssl_handshake_timeout": self._handshake_s}

    async def _connect(self) -> None:
        self._handshake_s = SILENT_S
        with contextlib.suppress(ConnectionAbortedError):  # a handshake that takes too long
            await super()._connect()  # type: ignore[no-untyped-call]  # redis-py has no types here
            return
        if await asyncio.to_thread(speaks_plain, self._address):
            raise OSError(SPEAKS_NO_TLS)
        self._handshake_s = CONNECT_TIMEOUT_S
        await super()._connect()  # type: ignore[no-untyped-call]  # as above


def _notice_half_open(connection: Connection | UnixDomainSocketConnection) -> None:
    """A peer that vanished is noticed within 30 s, also while we only wait."""
    writer = connection._writer
    link = writer.get_extra_info("socket") if writer else None
    if link is not None and link.family != socket.AF_UNIX and sys.platform == "linux":
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, HALF_OPEN_MS)
