"""Say how the hub is, as `relayq hub status --json` prints it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from relayq.errors import HubDenied, HubTooOld, HubUnreachable, UsageError
from relayq.hub.acl import OWNER, SUBMITTER
from relayq.hub.embedded import running
from relayq.hub.info import facts, newest_schema, parse_info
from relayq.hub.installation import installed
from relayq.hub.place import place_of, url_of
from relayq.store.hub import Hub
from relayq.store.jobs import Queues
from relayq.store.scripts import SCHEMA
from relayq.store.wire import Address, Wire, WireError, WireReplyError, denial

if TYPE_CHECKING:
    from relayq.config import Config


def status(config: Config) -> dict[str, object]:
    """The hub that the configuration names, or our own local one, whether it runs or not.

    url (without password), embedded, running; when it runs also socket and pid (of
    a local one), server (valkey or redis), version, role, uptime_s, memory_bytes,
    memory_limit_bytes (0: none), persistence, and what the queue says: schema (None: never
    used), workers (online), jobs (state -> number); installed: of a hub that is installed on this
    machine for others, its data, config, port and whether it listens, else None.
    HubUnreachable when a named hub does not answer.
    """
    place = place_of(config)
    url = config.url or running(config)
    if url is None:
        return {"url": url_of(place.socket), "embedded": True, "running": False, "installed": installed()}
    wire = Wire(url)
    if wire.address.role == SUBMITTER:
        raise UsageError("a submit-only user cannot look at the hub: `relayq doctor` says whether it answers")
    try:
        info = parse_info(wire.call("INFO"))
        schema = _schema(wire, config.fleet)
    except WireReplyError as error:
        if "unknown command" in str(error):
            raise HubTooOld(
                f"hub {wire.address.shown} is older than Redis 7.0: use a newer Redis or Valkey"
            ) from error
        denied = denial(wire.address, error.code, str(error).partition(" ")[2])
        raise HubDenied(denied or f"hub {wire.address.shown} answered: {error}") from error
    except WireError as error:
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
        "schema": schema,
        **asyncio.run(queue_facts(url, config.fleet, schema)),
        "installed": installed(),
    }


def _schema(wire: Wire, fleet: str) -> int | None:
    """The newest schema that the hub carries; who may not list libraries is told what the fleet uses."""
    if wire.address.role in ("", OWNER):
        return newest_schema(wire.call("FUNCTION", "LIST", "LIBRARYNAME", "relayq_*"))
    found = wire.call("HGET", f"{{rq:{fleet}}}:cfg", "schema")
    return None if found is None else int(found)


async def queue_facts(url: str, fleet: str, schema: int | None) -> dict[str, object]:
    """What the fleet's queue says: workers online, jobs by state. A look loads no library."""
    if schema != SCHEMA:
        return {"workers": 0, "jobs": {}}
    hub = Hub(url, fleet)
    try:
        stats = await Queues(hub).stats()
    finally:
        await hub.close()
    return {"workers": stats["workers_online"], "jobs": stats["jobs"]}
