"""Each role may do what it is for, and nothing else: a golden set on real servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from relayq.hub import acl
from relayq.hub.acl import OWNER, SUBMITTER, VIEWER, WORKER
from relayq.store import scripts
from relayq.store.blobs import Blobs
from relayq.store.hub import Hub
from relayq.store.jobs import Queues
from relayq.store.wire import Wire, WireReplyError
from tests.arch.tree import ROOT
from tests.security.hub_support import RoleHub

FLEET = "home"
OWN = f"{{rq:{FLEET}}}:"
OTHER = "{rq:elsewhere}:"

# What nobody but the owner, or nobody at all, may do. {m} is the submitter's mark.
NEVER = [
    "EVAL return 0", "EVAL_RO return 0", "EVALSHA x 0", "SCRIPT LOAD x", "FUNCTION FLUSH", "FUNCTION DUMP",
    "FUNCTION RESTORE x", "FUNCTION KILL", "CONFIG SET dir /tmp", "CONFIG REWRITE", "CONFIG RESETSTAT",
    "DEBUG SLEEP 0", "MODULE LIST", "SHUTDOWN NOSAVE", "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "SAVE", "BGSAVE",
    "REPLICAOF NO ONE", "SLAVEOF NO ONE", "PSYNC ? -1", "SYNC", "MONITOR", "MIGRATE h 1 k 0 1", "ACL LOAD",
    "ACL GENPASS", "KEYS *", "CLUSTER INFO", "LATENCY LATEST", "SLOWLOG GET", "FAILOVER", "COMMAND COUNT",
    "RESTORE {own}x 0 x", "DUMP {own}x", "SORT {own}x", "OBJECT HELP", "CLIENT NO-EVICT on", "WAIT 0 1",
    "PUBLISH x y", "SUBSCRIBE x", "GETDEL {own}x", "RENAME {own}x {own}y", "COPY {own}x {own}y", "SELECT 1",
]  # fmt: skip
OWNERS = [
    "FUNCTION LIST", "ACL USERS", "ACL LIST", "ACL SETUSER t off", "ACL DELUSER t", "CLIENT LIST",
    "CONFIG GET maxmemory", "TYPE {own}x", "DBSIZE", "CLIENT UNPAUSE",
]  # fmt: skip
WORKERS = [
    "HSET {own}x a b", "DEL {own}x", "FCALL rq1_tick 1 {own}cfg {{}}", "LPUSH {own}l x", "DEL {own}l",
    "PSUBSCRIBE __keyspace@0__:{own}in:*",
]  # fmt: skip
VIEWERS = [
    "PING", "TIME", "INFO server", "SCAN 0", "HGETALL {own}x", "XRANGE {own}log:x - +", "GET {own}roster",
    "FCALL_RO rq1_stats 1 {own}cfg {{}}", "FCALL_RO rq1_workers 1 {own}cfg {{}}", "ZRANGE {own}done 0 -1",
    'FCALL_RO rq1_list 1 {own}cfg {{"states":"PRNSFCKEU","limit":5}}',
    'FCALL_RO rq1_record 1 {own}cfg {{"id":"x"}}', 'FCALL_RO rq1_blockers 1 {own}cfg {{"id":"x"}}',
    'FCALL_RO rq1_page 1 {own}cfg {{"index":"done","from":0,"count":5}}',
    "FCALL_RO rq1_refusals 1 {own}cfg {{}}",
]  # fmt: skip
SUBMITTERS = [
    "RPUSH {own}in:ci x", "HGETALL {own}j:{m}0000000000", "GET {own}r:{m}0000000000",
    "GET {own}no:{m}0000000000", "GET {own}why:{m}0000000000",
    "GET {own}s:{m}0000000000", "HGETALL {own}o:{m}0000000000", "XRANGE {own}log:{m}0000000000 - +",
    "XREAD STREAMS {own}log:{m}0000000000:3 0", "GET {own}b:abc", "GET {own}roster",
    "HGETALL {own}bs",
]  # fmt: skip
NOT_SUBMITTERS = [
    "RPUSH {own}in:other x", "RPUSH {own}bad x", "GET {own}in:ci", "LRANGE {own}in:ci 0 -1", "DEL {own}in:ci",
    "LPOP {own}in:ci", "LTRIM {own}in:ci 0 0", "LPUSH {own}in:ci x", "XADD {own}ev * a b",
    "HGETALL {own}j:0000000000000000",
    "GET {own}r:0000000000000000", "XRANGE {own}log:0000000000000000 - +", "XRANGE {own}ev - +",
    "HGETALL {own}cfg",
    "SET {own}roster x", "RPUSH {own}roster x", "PING", "TIME", "INFO server", "SCAN 0", "GET {own}lanev",
    "HGETALL {own}bu", "HGETALL {own}bh", "HGETALL {own}br:2026-11", "HSET {own}bs runs x", "DEL {own}bs",
    "FCALL rq1_tick 1 {own}cfg {{}}", "FCALL_RO rq1_stats 1 {own}cfg {{}}",
]  # fmt: skip
ELSEWHERE = ["HGETALL {other}x", "HSET {other}x a b", "RPUSH {other}in:ci x", "XRANGE {other}ev - +"]
NOT_WORKERS = [
    "FUNCTION LOAD x", "SET plain x", "PSUBSCRIBE *",
]  # fmt: skip
NOT_VIEWERS = [
    "HSET {own}x a b", "DEL {own}x", "RPUSH {own}in:ci x", "FCALL rq1_tick 1 {own}cfg {{}}",
    'FCALL rq1_cancel 1 {own}cfg {{"id":"x"}}', "SET {own}roster x",
]  # fmt: skip

ALLOWED = {
    OWNER: OWNERS + WORKERS + VIEWERS,
    WORKER: WORKERS + VIEWERS,
    VIEWER: VIEWERS,
    SUBMITTER: SUBMITTERS,
}
FORBIDDEN = {
    OWNER: NEVER,
    WORKER: NEVER + OWNERS + NOT_WORKERS + ELSEWHERE,
    VIEWER: NEVER + OWNERS + NOT_WORKERS + NOT_VIEWERS + ELSEWHERE,
    SUBMITTER: NEVER + OWNERS + WORKERS + NOT_SUBMITTERS + NOT_WORKERS + ELSEWHERE,
}
LOGIN = {OWNER: "owner", WORKER: "w-mini", SUBMITTER: "s-ci", VIEWER: "v-anna"}


@pytest.fixture(scope="module", params=["redis", "valkey"])
def hub(request: pytest.FixtureRequest) -> Iterator[RoleHub]:
    """A hub with one user of each role, and the library in it."""
    hub = RoleHub(FLEET, request.param)
    for role, login in LOGIN.items():
        if role != OWNER:
            hub.add(role, login[2:])
    hub.start()
    owner = Wire(hub.url())
    owner.call("FUNCTION", "LOAD", scripts.source())
    owner.close()
    yield hub
    hub.close()


def answer(hub: RoleHub, role: str, line: str) -> str:
    """What the hub says to one command of this role's user: `ok`, or the first word of its refusal."""
    words = line.split(" ")
    mark = hub.users["s-ci"].mark
    words = [word.format(own=OWN, other=OTHER, m=mark) for word in words]
    wire = Wire(hub.url(LOGIN[role]))
    try:
        wire.call(*words)
    except WireReplyError as error:
        return "ok" if is_about_content(error) else error.code
    finally:
        wire.close()
    return "ok"


def is_about_content(error: WireReplyError) -> bool:
    """The command was let through and failed for what it was about."""
    return error.code not in ("NOPERM", "NOAUTH")


@pytest.mark.parametrize("role", list(LOGIN))
def test_a_role_may_do_what_it_is_for(hub: RoleHub, role: str) -> None:
    refused = {line: said for line in ALLOWED[role] if (said := answer(hub, role, line)) != "ok"}
    assert refused == {}


@pytest.mark.parametrize("role", list(LOGIN))
def test_a_role_may_do_nothing_else(hub: RoleHub, role: str) -> None:
    allowed = [line for line in FORBIDDEN[role] if answer(hub, role, line) != "NOPERM"]
    assert allowed == []


def test_nobody_is_anybody_without_a_password(hub: RoleHub) -> None:
    wire = Wire(f"unix://{hub.socket}")
    with pytest.raises(WireReplyError, match="NOAUTH"):
        wire.call("PING")
    wire.close()


def test_nobody_can_be_the_default_user(hub: RoleHub) -> None:
    for words in (
        ["AUTH", "default", ""],
        ["AUTH", ""],
        ["AUTH", "default", "x"],
        ["HELLO", "2", "AUTH", "default", ""],
    ):
        wire = Wire(f"unix://{hub.socket}")
        with pytest.raises(WireReplyError, match="WRONGPASS"):
            wire.call(*words)
        wire.close()
    wire = Wire(hub.url("v-anna"))
    wire.call("RESET")
    with pytest.raises(WireReplyError, match="NOAUTH"):
        wire.call("GET", "x")
    wire.close()


@pytest.mark.parametrize("engine", ["redis", "valkey"])
async def test_a_hub_that_was_killed_has_everything_again(engine: str, fleet: str) -> None:
    hub = RoleHub(fleet, engine, "--appendonly", "yes", "--appendfsync", "no", "--aof-use-rdb-preamble", "no")
    hub.add(WORKER, "mini")
    hub.start()
    try:
        async with Hub(hub.url(), fleet) as owner:
            await owner.run("put_blob", {"digest": "abc"}, b"content")
            await owner.run("pause", {"queue": "x", "paused": True})
        async with Hub(hub.url("w-mini"), fleet) as worker:
            await worker.run("weight", {"queue": "y", "weight": 2})
        hub.restart()
        async with Hub(hub.url("w-mini"), fleet) as worker:
            assert (await Queues(worker).stats())["paused"] == ["x"]
            assert (await Queues(worker).stats())["weights"] == {"y": 2.0}
            assert await Blobs(worker).has("abc")
    finally:
        hub.close()


def test_a_submitter_has_five_commands() -> None:
    assert acl.commands(SUBMITTER, (9, 1)) == ["get", "hgetall", "rpush", "xrange", "xread"]


def test_no_role_has_a_whole_category_or_a_way_to_load_lua() -> None:
    for role in (WORKER, SUBMITTER, VIEWER):
        found = acl.commands(role, (9, 1))
        assert not [name for name in found if name.startswith(("@", "eval", "script", "function", "acl"))]


def test_every_command_of_the_library_is_a_workers_and_no_other_is() -> None:
    text = scripts.source()
    used = {word.lower() for word in re.findall(r"call\('([A-Z_]+)'", text)} | {"sadd", "srem"}
    used = used - {"memory"} | {"memory|usage"}
    beside = {"fcall", "fcall_ro", "ping", "scan", "psubscribe", "punsubscribe", "xread", "hscan", "mget"}
    assert set(acl.commands(WORKER, (7, 0))) == used | beside


def test_every_command_that_workers_and_clients_send_is_allowed_to_workers() -> None:
    sent: set[str] = set()
    for folder in ("relayq/store", "relayq/worker", "relayq/client", "tui"):
        for path in (ROOT / folder).rglob("*.py"):
            sent |= set(re.findall(r'(?:call|ask)\(\(?\s*"([A-Z]{3,})"', path.read_text()))
    owners = {"FUNCTION"}
    assert len(sent) > 15
    assert {word.lower() for word in sent - owners} <= set(acl.commands(WORKER, (7, 0)))


def test_the_file_names_what_the_server_knows() -> None:
    assert "client|setinfo" not in acl.acl_file("x", FLEET, (7, 0))
    assert "client|setinfo" in acl.acl_file("x", FLEET, (7, 2))


def test_the_file_has_no_password_in_it(hub: RoleHub) -> None:
    text = (hub.directory / "users.acl").read_text()
    assert not [secret for secret in hub.secrets.values() if secret in text]
