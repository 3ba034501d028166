"""Carry a hub's data into a file and back: plain commands, so any engine and version can read it.

While it is read nobody may write (`CLIENT PAUSE WRITE`), or a job could stand in a lane and
not have a record; readers are not held up, and whoever writes tries again a moment later.

    relayq-backup 1 <keys>\\n     then, for each key, the commands that make it, as RESP arrays

The whole is compressed by gzip, whose check sum tells a file that was cut off. Users and
certificates are not in it: they belong to the machine, and members are invited anew.
"""

from __future__ import annotations

import gzip
import os
import secrets
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from relayq.errors import HubDenied, HubError, HubUnreachable, RelayQError, UsageError
from relayq.places import put_durably
from relayq.store.wire import Wire, WireError, WireReplyError, encode, read_reply

PAUSE_MS = 30_000
KEYS_A_BITE = 200
WORDS_A_COMMAND = 500
COMMANDS_A_BITE = 500
BYTES_A_BITE = 8 << 20
_MAGIC = b"relayq-backup 1 "
# What a hub that was installed anew has already, and has newer: it stays.
_STAYS = (b"}:roster", b"}:inn")

Command = list[bytes | str | int]


def backup(url: str, file: Path, tell: Callable[[str], None]) -> int:
    """Write every key of every fleet to `file` (0600); how many there are."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    wire = Wire(url, timeout_s=60)
    try:
        with _our_errors(wire, "backed up"), os.fdopen(_create(fresh), "wb") as raw:
            wire.call("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
            try:
                keys = _keys(wire)
                with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed:
                    packed.write(_MAGIC + b"%d\n" % len(keys))
                    for at in range(0, len(keys), KEYS_A_BITE):
                        wire.call("CLIENT", "PAUSE", PAUSE_MS, "WRITE")
                        for command in _commands(wire, keys[at : at + KEYS_A_BITE]):
                            packed.write(encode(command))
                        tell(f"{min(at + KEYS_A_BITE, len(keys))} of {len(keys)} keys are backed up")
            finally:
                wire.call("CLIENT", "UNPAUSE")
            raw.flush()
            os.fsync(raw.fileno())
        put_durably(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)
        wire.close()
    return len(keys)


def restore(url: str, file: Path, tell: Callable[[str], None]) -> int:
    """Put what is in `file` into a hub without jobs; how many keys. The whole file is checked first."""
    count = _checked(file)
    wire = Wire(url, timeout_s=60)
    try:
        with _our_errors(wire, "restored"):
            if _has_jobs(wire):
                raise RelayQError(
                    f"hub {wire.address.shown} has jobs already: restore into a new hub, which has none"
                )
            kept = [key for key in _keys(wire) if key.endswith(_STAYS)]
            done = 0
            for bite in _bites(file, kept):
                wire.pipeline(bite)
                done += sum(command[0] == b"DEL" for command in bite)
                tell(f"{done} of {count} keys are restored")
    finally:
        wire.close()
    return count


def _create(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise RelayQError(f"{path.parent} cannot be written to: {error.strerror}") from error


def _keys(wire: Wire) -> list[bytes]:
    found: set[bytes] = set()
    cursor = b"0"
    while True:
        cursor, page = wire.call("SCAN", cursor, "MATCH", "{rq:*", "COUNT", 1000)
        found.update(page)
        if cursor == b"0":
            return sorted(found)


def _has_jobs(wire: Wire) -> bool:
    cursor = b"0"
    while True:
        cursor, page = wire.call("SCAN", cursor, "MATCH", "{rq:*}:j:*", "COUNT", 1000)
        if page or cursor == b"0":
            return bool(page)


# -- out

_READS: dict[bytes, tuple[str, tuple[str, ...]]] = {
    b"string": ("GET", ()),
    b"hash": ("HGETALL", ()),
    b"list": ("LRANGE", ("0", "-1")),
    b"set": ("SMEMBERS", ()),
    b"zset": ("ZRANGE", ("0", "-1", "WITHSCORES")),
    b"stream": ("XRANGE", ("-", "+")),
}


def _commands(wire: Wire, keys: Sequence[bytes]) -> Iterator[Command]:
    """What makes these keys again."""
    kinds = wire.pipeline([["TYPE", key] for key in keys])
    lives = wire.pipeline([["PEXPIRETIME", key] for key in keys])
    there = [
        (key, kind, until) for key, kind, until in zip(keys, kinds, lives, strict=True) if kind in _READS
    ]
    for key, kind, until in there:
        verb, rest = _READS[kind]
        yield [b"DEL", key]
        yield from _made(wire, key, kind, wire.call(verb, key, *rest))
        if until > 0:
            yield [b"PEXPIREAT", key, until]


def _made(wire: Wire, key: bytes, kind: bytes, value: Any) -> Iterator[Command]:
    match kind:
        case b"string":
            yield [b"SET", key, value]
        case b"hash":
            yield from _in_parts(b"HSET", key, value, 2)
        case b"list":
            yield from _in_parts(b"RPUSH", key, value, 1)
        case b"set":
            yield from _in_parts(b"SADD", key, value, 1)
        case b"zset":
            turned = [word for at in range(0, len(value), 2) for word in (value[at + 1], value[at])]
            yield from _in_parts(b"ZADD", key, turned, 2)
        case b"stream":
            for name, fields in value:
                yield [b"XADD", key, name, *fields]
            yield from _stream_end(wire, key, is_empty=not value)


def _stream_end(wire: Wire, key: bytes, *, is_empty: bool) -> Iterator[Command]:
    """The id after which the next entry comes, which the newest entry does not tell when it was deleted."""
    flat = wire.call("XINFO", "STREAM", key)
    last = dict(zip(flat[::2], flat[1::2], strict=True))[b"last-generated-id"]
    if is_empty:
        yield [b"XADD", key, b"0-1", b"x", b""]
        yield [b"XDEL", key, b"0-1"]
    if last not in (b"0-0", b"0-1"):
        yield [b"XSETID", key, last]


def _in_parts(verb: bytes, key: bytes, words: Sequence[bytes], width: int) -> Iterator[Command]:
    step = WORDS_A_COMMAND - WORDS_A_COMMAND % width
    for at in range(0, len(words), step):
        yield [verb, key, *words[at : at + step]]


# -- in

_WRITES = frozenset(
    (b"DEL", b"SET", b"HSET", b"RPUSH", b"SADD", b"ZADD", b"XADD", b"XDEL", b"XSETID", b"PEXPIREAT")
)


def _checked(file: Path) -> int:
    """How many keys the file says it has; RelayQError unless they are all there and nothing else is."""
    said, found = 0, 0
    with _opened(file) as packed:
        said = _head(packed, file)
        for command in _read(packed, file):
            found += command[0] == b"DEL"
    if said != found:
        raise _damaged(file)
    return said


def _bites(file: Path, kept: Sequence[bytes]) -> Iterator[list[list[bytes]]]:
    bite: list[list[bytes]] = []
    size = 0
    with _opened(file) as packed:
        _head(packed, file)
        for command in _read(packed, file):
            if command[1] in kept:
                continue
            bite.append(command)
            size += sum(map(len, command))
            if len(bite) >= COMMANDS_A_BITE or size >= BYTES_A_BITE:
                yield bite
                bite, size = [], 0
    if bite:
        yield bite


def _opened(file: Path) -> gzip.GzipFile:
    try:
        return gzip.GzipFile(file, "rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error


def _head(packed: gzip.GzipFile, file: Path) -> int:
    try:
        line = packed.readline(64)
    except (OSError, EOFError, zlib.error):
        raise _damaged(file) from None
    if not line.startswith(_MAGIC) or not line[len(_MAGIC) : -1].isdigit():
        raise _damaged(file)
    return int(line[len(_MAGIC) :])


def _read(packed: gzip.GzipFile, file: Path) -> Iterator[list[bytes]]:
    while True:
        try:
            if not packed.peek(1):
                return
            command = read_reply(cast("BinaryIO", packed))
        except (OSError, EOFError, ValueError, zlib.error):
            raise _damaged(file) from None
        is_known = isinstance(command, list) and len(command) > 1 and command[0] in _WRITES
        if not is_known or not all(isinstance(word, bytes) for word in command):
            raise _damaged(file)
        if not command[1].startswith(b"{rq:"):
            raise _damaged(file)
        yield command


def _damaged(file: Path) -> RelayQError:
    return RelayQError(f"{file} is not a whole backup of a hub: nothing was restored")


@contextmanager
def _our_errors(wire: Wire, done: str) -> Iterator[None]:
    """What the link says, as RelayQ's own errors."""
    try:
        yield
    except WireError as error:
        raise HubUnreachable(f"{error}; the hub was not {done}") from error
    except WireReplyError as error:
        shown = wire.address.shown
        if error.code == "NOPERM":
            raise HubDenied(f"hub {shown} is {done} by its owner alone") from error
        raise HubError(f"hub {shown} was not {done}, it answered: {error}") from error
