"""The Function library: put together from lua/*.lua, loaded by the owner, called by name.

Functions outlive a restart of the server, so the library is loaded once a hub and
schema. The library's name carries the schema: two may stand side by side during
an upgrade. `revision` in the hub tells whose code stands there, so that an older
package never replaces a newer one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from relayq.errors import HubDenied, HubError, HubSchema, HubTooOld

SCHEMA = 1
REVISION = 3
LIBRARY = f"relayq_{SCHEMA}"
PREFIX = f"rq{SCHEMA}_"
SERVER_FLOOR = (7, 0)

# The prelude opens the library and its entry closes it; between them the order is free,
# because transitions find each other in one table when they run.
FIRST, LAST = "prelude.lua", "entry.lua"


# Roles whose users may not load the library (hub/acl.py).
LOADS_NOTHING = ("worker", "viewer", "submit")
NEEDS_OWNER = (
    "the hub lacks this RelayQ's function library, and only its owner may load it: "
    "type `relayq hub upgrade` where the owner's key is"
)


class Caller(Protocol):
    """Whatever can send commands to the hub."""

    async def call(self, *args: Any, timeout_s: float = ...) -> Any:
        """Send a command and return its reply."""

    async def calls(self, *commands: Sequence[Any], timeout_s: float = ...) -> list[Any]:
        """Send some in one round trip and return their replies."""


@cache
def parts() -> dict[str, str]:
    """Every Lua file of the library by name, in the order of loading."""
    folder = Path(__file__).with_name("lua")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".lua"))
    names = [FIRST, *(name for name in names if name not in (FIRST, LAST)), LAST]
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def source(files_by_name: dict[str, str] | None = None) -> str:
    """The library as the server wants it. Each file but the prelude keeps its locals to itself."""
    chunks = [f"#!lua name={LIBRARY}\n"]
    for name, text in (files_by_name or parts()).items():
        chunks.append(text if name == FIRST else f"do\n{text}\nend\n")
    return "".join(chunks)


def code_mark() -> str:
    """What the hub remembers of the loaded code: revision and digest."""
    return f"{REVISION} {hashlib.sha256(source().encode()).hexdigest()[:16]}"


def check_server(info: str) -> None:
    """HubTooOld unless INFO speaks of Redis 7.0 or newer (Valkey tells the version it is compatible with)."""
    facts = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    version = facts.get("redis_version", "0")
    if tuple(int(part) for part in version.split(".")[:2]) < SERVER_FLOOR:
        raise HubTooOld(f"the hub runs Redis {version}: RelayQ needs Redis 7.0 or newer, or Valkey")


async def ensure(link: Caller, anchor: str, role: str = "") -> None:
    """Make sure that the hub speaks our schema and has our library, loading it when we may.

    A submit-only user calls no functions, so it has nothing to ask. Workers and viewers
    never load: HubSchema says who has to.
    """
    if role == "submit":
        return
    info, (schema, mark) = await link.calls(("INFO", "server"), ("HMGET", anchor, "schema", "code"))
    check_server(info.decode() if isinstance(info, bytes) else str(info))
    if schema is not None and int(schema) != SCHEMA:
        raise HubSchema(other_schema(int(schema)))
    if role in LOADS_NOTHING and (mark is None or revision_of(mark) < REVISION):
        raise HubSchema(NEEDS_OWNER)
    if role not in LOADS_NOTHING and (mark is None or _is_older(mark.decode())):
        await load(link, anchor)


def other_schema(schema: int) -> str:
    """The sentence for a hub of another schema than ours."""
    ours = f"this RelayQ schema {SCHEMA}"
    return f"the hub speaks schema {schema} and {ours}: install the same RelayQ on both sides"


async def load(link: Caller, anchor: str) -> None:
    """Load the library as the hub's owner; idempotent."""
    try:
        await link.call("FUNCTION", "LOAD", "REPLACE", source())
    except HubDenied as error:
        raise HubSchema(NEEDS_OWNER) from error
    await link.call("HSETNX", anchor, "epoch", secrets.token_hex(8))
    await link.call("HSET", anchor, "schema", SCHEMA, "code", code_mark())


def is_missing(error: HubError) -> bool:
    """Does the server say that it has no such function?"""
    return "Function not found" in str(error)


def revision_of(mark: bytes) -> int:
    """The revision that a hub's mark names."""
    return int(mark.split(b" ", 1)[0])


def _is_older(mark: str) -> bool:
    """Our own code replaces an older revision, and a different code of the same one."""
    revision = int(mark.split(" ", 1)[0])
    return revision < REVISION or (revision == REVISION and mark != code_mark())
