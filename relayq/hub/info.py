"""What a server says of itself (INFO, FUNCTION LIST), in our words."""

from __future__ import annotations

from typing import Any


def newest_schema(libraries: list[list[Any]]) -> int | None:
    """The newest schema version whose function library the hub carries, or None."""
    named = (dict(zip(library[::2], library[1::2], strict=True)) for library in libraries)
    return max((int(facts[b"library_name"].rpartition(b"_")[2]) for facts in named), default=None)


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
