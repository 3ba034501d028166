"""Say how the hub is, as `relayq hub status --json` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayq.errors import HubUnreachable
from relayq.hub.embedded import running
from relayq.hub.place import place_of, url_of
from relayq.store.wire import Address, Wire, WireError, WireReply

if TYPE_CHECKING:
    from relayq.config import Config


def status(config: Config) -> dict[str, object]:
    """The hub that the configuration names, or our own local one, whether it runs or not.

    url (without password), embedded, running; when it runs also socket and pid (of
    a local one), server (valkey or redis), version, role, uptime_s, memory_bytes,
    memory_limit_bytes (0: none), persistence, and what the fleet's queue says: schema, workers
    (online), jobs (state -> number). HubUnreachable when a named hub does not answer.
    """
    place = place_of(config)
    url = config.url or running(config)
    if url is None:
        return {"url": url_of(place.socket), "embedded": True, "running": False}
    wire = Wire(url)
    try:
        info = parse_info(wire.call("INFO"))
    except (WireError, WireReply) as error:
        raise HubUnreachable(f"{error}; check the address and whether the server runs") from error
    finally:
        wire.close()
    address = Address(url)
    return {
        "url": address.shown,
        "embedded": config.url is None,
        "running": True,
        "socket": address.path or None,
        "pid": int(info["process_id"]) if address.path else None,
        **facts(info),
    }


def facts(info: dict[str, str]) -> dict[str, object]:
    """What the server says of itself (INFO), in our words."""
    return {
        "server": "valkey" if "valkey_version" in info else "redis",
        "version": info.get("valkey_version") or info["redis_version"],
        "role": info["role"],
        "uptime_s": int(info["uptime_in_seconds"]),
        "memory_bytes": int(info["used_memory"]),
        "memory_limit_bytes": int(info["maxmemory"]),
        "persistence": persistence(info),
    }


def persistence(info: dict[str, str]) -> dict[str, object]:
    """Whether the server writes what it knows to disk, and whether that works."""
    is_logged = info["aof_enabled"] == "1"
    verdict = info["aof_last_write_status"] if is_logged else info["rdb_last_bgsave_status"]
    return {"append_only": is_logged, "last_write_ok": verdict == "ok", "loading": info["loading"] == "1"}


def parse_info(reply: bytes) -> dict[str, str]:
    """The server's INFO text as names and values."""
    lines = (line.partition(":") for line in reply.decode().splitlines() if not line.startswith("#"))
    return {name: value for name, _, value in lines if name}
