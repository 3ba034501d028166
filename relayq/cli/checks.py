"""What `relayq doctor` checks: each check looks at one thing and knows the remedy.

`warn` is for what works but will hurt some day, `bad` for what does not work.
"""

from __future__ import annotations

import json
import shutil
import stat
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from relayq.errors import RelayQError
from relayq.model.duration import format_duration, format_size
from relayq.store.wire import Address, Wire, WireError, WireReplyError, denial

if TYPE_CHECKING:
    from pathlib import Path

    from relayq.client.aio import AsyncClient
    from relayq.config import Config
    from relayq.errors import ConfigError
    from relayq.store.records import WorkerRecord
    from relayq.store.schedules import Board

OK, WARN, BAD = "ok", "warn", "bad"
SKEW_MS_MAX = 2_000
CERTIFICATE_DAYS_MIN = 14
ALARM_MS = 86_400_000
RTT_MS_MAX = 250
PINGS = 7
DISK_BYTES_MIN = 1 << 30
SOCKET_PATH_MAX = 100


class Check(NamedTuple):
    """What was found, and what to do about it."""

    name: str
    verdict: str
    found: str
    remedy: str = ""


def check_all(config: Config) -> Iterator[Check]:
    """Every check, those of this machine first."""
    yield python_version()
    yield config_file(config)
    yield key_file("owner key", config.owner_key_path)
    if config.identity_path.exists():
        yield key_file("member key", config.identity_path)
    yield disk_space(config.state_dir)
    yield from isolation(config)
    yield from hub_checks(config)


def check_without_config(error: ConfigError) -> Iterator[Check]:
    """What can be said when the configuration cannot be read: where the hub is stands in it."""
    yield python_version()
    yield Check("config", BAD, str(error), "mend it; `relayq config path` says where it is")
    yield kill_level("subreaper" if sys.platform == "linux" else "process group")
    yield Check("hub", WARN, "not checked: which one it is stands in the configuration")


def python_version() -> Check:
    """RelayQ runs on 3.11 and newer, so what is worth saying is which one this is."""
    return Check("python", OK, ".".join(map(str, sys.version_info[:3])))


def config_file(config: Config) -> Check:
    """Which configuration file is in force."""
    path = config.config_dir / "config.toml"
    return Check("config", OK, str(path) if path.exists() else f"no {path}; defaults are in force")


def key_file(name: str, path: Path) -> Check:
    """A key that signs must be whole, and readable by its owner alone."""
    from relayq.trust.keys import SigningKey

    if not path.exists():
        return Check(name, OK, "not made yet; the first job makes it")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check(name, BAD, f"{path} has mode {mode:04o}", f"chmod 600 {path}")
    try:
        key = SigningKey.load(path)
    except (RelayQError, OSError) as error:
        return Check(name, BAD, str(error))
    return Check(name, OK, f"{key.kid} in {path}, mode {mode:04o}")


def disk_space(directory: Path) -> Check:
    """Output and the journal of attempts need room."""
    while not directory.exists():
        directory = directory.parent
    free = shutil.disk_usage(directory).free
    found = f"{format_size(free)} free at {directory}"
    if free < DISK_BYTES_MIN:
        return Check("disk", WARN, found, "free some space: output stops when the disk is full")
    return Check("disk", OK, found)


def isolation(config: Config) -> Iterator[Check]:
    """What jobs may do here, how they are kept from this machine, and how surely a cancel ends them."""
    from relayq.worker.judge import Judge

    try:
        judge = Judge.of(config)
    except RelayQError as error:
        yield Check(
            "policy", BAD, str(error), "a worker does not start with it; `relayq policy show` checks it"
        )
        return
    none = f"no {config.policy_path}; every job of a trusted key may run here"
    yield Check("policy", OK, judge.policy.path or none)
    found, is_less = judge.isolation, judge.isolation.shortfall()
    is_asked = config.worker.isolation != "auto"
    remedy = "docs/howto/policy.md says what bubblewrap and worker.user need" if is_less and is_asked else ""
    yield Check("isolation", WARN if remedy else OK, found.shown(), remedy)
    yield kill_level(found.kill_level())


def kill_level(level: str) -> Check:
    """How surely a cancelled job's whole process tree is ended here."""
    told = {
        "PID namespace": "whole sandbox: the kernel ends everything in its PID namespace",
        "subreaper": "whole process tree, best effort: subreaper, and /proc finds what left its group",
    }
    if level in told:
        return Check("kill level", OK, told[level])
    found = "process group and descendants: best effort"
    return Check("kill level", WARN, found, "a job that hides may outlive its cancel")


def hub_checks(config: Config) -> Iterator[Check]:
    """Everything about the hub; one bad line when it cannot be asked, or not any more."""
    from relayq.hub import choose_url

    remedy = "`relayq hub status` and `relayq config show` say more"
    try:
        url, is_embedded = choose_url(config)
    except RelayQError as error:
        yield Check("hub", BAD, str(error), remedy)
        return
    address = Address(url)
    try:
        yield from _asked(config, url, is_embedded=is_embedded)
    except WireReplyError as error:
        denied = denial(address, error.code, str(error).partition(" ")[2])
        yield Check("hub", BAD, denied or f"hub {address.shown} answered: {error}")
    except WireError as error:
        yield Check("hub", BAD, str(error), remedy)


def _asked(config: Config, url: str, *, is_embedded: bool) -> Iterator[Check]:
    """What the hub itself says; raises WireError and WireReplyError."""
    from relayq.hub.info import parse_info

    wire = Wire(url, timeout_s=5.0)
    if wire.address.cert:
        yield certificate(wire.address.cert)
    if wire.address.role == "submit":
        yield submit_only(wire, config.fleet)
        return
    facts = parse_info(wire.call("INFO"))
    yield Check("hub", OK, f"{wire.address.shown}{' (local)' if is_embedded else ''}")
    for check_facts in (server_version, persistence, eviction, memory):
        yield check_facts(facts)
    yield clock_skew(wire)
    yield round_trip(wire)
    yield socket_path(url)
    yield schema(wire, config.fleet)
    yield inboxes(wire, config.fleet)
    has_library = wire.call("HGET", f"{{rq:{config.fleet}}}:cfg", "schema") is not None
    wire.close()
    if has_library:
        yield from fleet_checks(config, url, is_embedded=is_embedded)


def certificate(path: str) -> Check:
    """Ours, with which a joined hub lets this machine in."""
    from datetime import UTC, datetime
    from pathlib import Path

    from relayq.hub.certificates import end_of

    try:
        end = end_of(Path(path).read_text())
    except (OSError, ValueError):
        return Check("certificate", BAD, f"{path} cannot be read", "join the hub again")
    left, remedy = end - datetime.now(UTC), "ask the owner for another join string"
    if left.total_seconds() <= 0:
        return Check("certificate", BAD, f"it expired on {end:%Y-%m-%d at %H:%M} UTC", remedy)
    found = f"good for {left.days} days"
    if left.days < CERTIFICATE_DAYS_MIN:
        return Check("certificate", WARN, found, remedy)
    return Check("certificate", OK, found)


def submit_only(wire: Wire, fleet: str) -> Check:
    """A submit-only user sees of the hub that it answers, and the roster."""
    has_roster = wire.call("GET", f"{{rq:{fleet}}}:roster")
    found = f"{wire.address.shown} answers; this machine may submit and read its own jobs"
    if not has_roster:
        return Check("hub", WARN, f"{found}, but there is no roster", "let the owner type `relayq rotate`")
    return Check("hub", OK, found)


def inboxes(wire: Wire, fleet: str) -> Check:
    """What submit-only users sent and workers turned away: somebody tries, or a key is missing."""
    from relayq.store.scripts import PREFIX

    try:
        count, *kept = wire.call("FCALL_RO", f"{PREFIX}refusals", 1, f"{{rq:{fleet}}}:cfg", "{}")
    except WireReplyError:
        return Check("inboxes", OK, "none yet")
    if not kept:
        return Check("inboxes", OK, "nothing was refused")
    last = json.loads(kept[0])
    age_ms = int(time.time() * 1000) - int(last["at"])
    found = (
        f"{int(count)} refused from submit-only users, "
        f"last from {last['from']} {format_duration(max(0, age_ms))} ago: {last['why']}"
    )
    remedy = f"if that was not you, `relayq revoke {last['from']}`"
    return Check("inboxes", BAD if age_ms < ALARM_MS else WARN, found, remedy)


def fleet_checks(config: Config, url: str, *, is_embedded: bool) -> Iterator[Check]:
    """What the fleet has: orders that nobody signed, workers, and whoever fires its schedules."""
    from relayq.cli.session import with_client
    from relayq.client.audit import alarms

    async def look(client: AsyncClient) -> tuple[list[str], list[WorkerRecord], Board]:
        return await alarms(client), await client.workers.list(), await client.schedules.board()

    try:
        found, known, board = with_client(Namespace(url=url, fleet=config.fleet), look)
    except RelayQError as error:
        yield Check("fleet", WARN, f"not checked: {error}")
        return
    yield orders(found)
    yield workers(known, is_embedded=is_embedded)
    yield schedules(board)


def workers(known: list[WorkerRecord], *, is_embedded: bool) -> Check:
    """Somebody must run the jobs; the local hub gets its worker with the next one."""
    if online := [one.name for one in known if one.online]:
        return Check("workers", OK, f"{len(online)} of {len(known)} online")
    if is_embedded:
        return Check("workers", OK, "none runs; the next job starts one")
    found = f"none of {len(known)} is online" if known else "the fleet has none"
    remedy = "jobs wait: start one with `relayq worker`, or for good with `relayq service install`"
    return Check("workers", WARN, found, remedy)


def schedules(board: Board) -> Check:
    """Somebody must fire what is not paused; GitHub Actions may, which the hub does not see."""
    active = sum(not one.paused_ms for one in board.schedules)
    if active and not board.schedulers:
        found = f"no scheduler runs, so nothing fires ({active} not paused)"
        return Check("schedules", WARN, found, "start `relayq scheduler`, or a worker with --scheduler")
    return Check("schedules", OK, f"{active} not paused" if active else "none to fire")


def orders(found: list[str]) -> Check:
    """What was steered by somebody who has a password and no key that counts."""
    if not found:
        return Check("orders", OK, "whatever is held, paused or moved was signed by somebody who may")
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    remedy = "give the order yourself if it is meant; else see whose password that was (`relayq keys`)"
    return Check("orders", BAD, f"{found[0]}{more}", remedy)


def server_version(facts: dict[str, str]) -> Check:
    """The floor is the command set of Redis 7.0."""
    name = "Valkey" if "valkey_version" in facts else "Redis"
    version = facts.get("valkey_version") or facts.get("redis_version", "?")
    if int(facts.get("redis_version", "0").split(".")[0]) < 7:
        return Check("server", BAD, f"{name} {version}", "use Redis 7.0 or newer, or Valkey")
    return Check("server", OK, f"{name} {version}")


def persistence(facts: dict[str, str]) -> Check:
    """Acknowledged jobs should survive a restart of the hub."""
    if facts.get("aof_enabled") == "1":
        if facts.get("aof_last_write_status", "ok") != "ok":
            return Check(
                "persistence", BAD, "the append-only file cannot be written", "see the hub's log and its disk"
            )
        return Check("persistence", OK, "append-only file: at most the last second is lost in a power cut")
    remedy = "set `appendonly yes` and `appendfsync everysec` in the hub's configuration"
    return Check("persistence", WARN, "no append-only file: a restart loses the latest jobs", remedy)


def eviction(facts: dict[str, str]) -> Check:
    """A queue must never forget a key by itself."""
    policy = facts.get("maxmemory_policy", "?")
    if policy != "noeviction":
        return Check(
            "eviction", BAD, f"maxmemory-policy is {policy}: jobs may vanish", "set it to noeviction"
        )
    return Check("eviction", OK, "noeviction")


def memory(facts: dict[str, str]) -> Check:
    """With a limit a flood of jobs is refused; without one the machine swaps."""
    used, most = int(facts.get("used_memory", 0)), int(facts.get("maxmemory", 0))
    if not most:
        return Check(
            "memory", WARN, f"{format_size(used)} used, no limit", "set maxmemory in the hub's configuration"
        )
    found = f"{format_size(used)} of {format_size(most)} used"
    if used > most * 0.8:
        return Check("memory", WARN, found, "new jobs are refused above 85 %: raise maxmemory")
    return Check("memory", OK, found)


def clock_skew(wire: Wire) -> Check:
    """RelayQ goes by the hub's clock; a wrong one here makes signatures look old or young."""
    before_s = time.time()
    seconds, micros = wire.call("TIME")
    middle_ms = (before_s + time.time()) * 500
    skew_ms = round(middle_ms - (int(seconds) * 1000 + int(micros) / 1000))
    if abs(skew_ms) > SKEW_MS_MAX:
        found = f"{format_duration(abs(skew_ms))} {'ahead of' if skew_ms > 0 else 'behind'} the hub"
        return Check("clock", WARN, found, "let both keep time by NTP")
    return Check("clock", OK, f"{abs(skew_ms)} ms apart")


def round_trip(wire: Wire) -> Check:
    """The median of a few questions; a PING is refused where the disk is full."""
    times_ms = []
    for _ in range(PINGS):
        began_s = time.perf_counter()
        wire.call("TIME")
        times_ms.append((time.perf_counter() - began_s) * 1000)
    middle = statistics.median(times_ms)
    if middle > RTT_MS_MAX:
        return Check(
            "round trip",
            WARN,
            f"{middle:.0f} ms",
            "everything waits this long once: is a nearer hub possible?",
        )
    return Check("round trip", OK, f"{middle:.1f} ms")


def socket_path(url: str) -> Check:
    """A unix socket's path must be short."""
    path = Address(url).path
    if not path:
        return Check("socket", OK, "the hub is on the network")
    if len(path.encode()) >= SOCKET_PATH_MAX:
        return Check("socket", BAD, f"{path} is too long", "set RELAYQ_RUNTIME_DIR to a shorter directory")
    return Check("socket", OK, path)


def schema(wire: Wire, fleet: str) -> Check:
    """Which function library the hub carries."""
    from relayq.store.scripts import LIBRARY, SCHEMA

    found = wire.call("HGET", f"{{rq:{fleet}}}:cfg", "schema")
    if found is None:
        return Check("schema", OK, f"fleet '{fleet}' is new here; the first job loads {LIBRARY}")
    if int(found) != SCHEMA:
        return Check(
            "schema",
            BAD,
            f"{int(found)}, this RelayQ speaks {SCHEMA}",
            "install the same RelayQ on both sides",
        )
    return Check("schema", OK, f"{SCHEMA} ({LIBRARY})")
