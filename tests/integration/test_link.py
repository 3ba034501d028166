"""One link to the hub: several commands in one trip, and what happens when one of them is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from relayq.client.dispatch import error_of
from relayq.errors import HubError, HubUnreachable
from relayq.store.connect import Link, parse_url
from relayq.store.hub import connect
from relayq.store.wire import Wire, WireReplyError
from tests.support import PrivateServer


@pytest.fixture
async def link(hub_url: str) -> AsyncIterator[Link]:
    """A link to a server."""
    opened = Link(parse_url(hub_url))
    yield opened
    await opened.close()


async def test_the_replies_of_one_trip_come_in_their_order(link: Link) -> None:
    assert await link.calls(("ECHO", "a"), ("ECHO", b"b"), ("ECHO", 3)) == [b"a", b"b", b"3"]
    assert link.took_s > 0


async def test_a_refusal_is_raised_when_all_have_been_carried_out(link: Link, fleet: str) -> None:
    key = f"{{rq:{fleet}}}:test"
    with pytest.raises(HubError, match="WRONGTYPE"):
        await link.calls(("SET", key, "text"), ("LPUSH", key, "x"), ("APPEND", key, "!"))
    assert await link.call("GET", key) == b"text!"


async def test_no_reply_in_time_drops_the_link_and_the_next_call_opens_it(link: Link) -> None:
    with pytest.raises(HubUnreachable):
        await link.calls(("PING",), ("BLPOP", "{rq:nobody}:nothing", 5), timeout_s=0.1)
    assert not link.is_open
    assert await link.call("ECHO", "again") == b"again"


@pytest.mark.parametrize(
    ("options", "what"),
    [(("--replicaof", "127.0.0.1 1"), "is a replica"), (("--cluster-enabled", "yes"), "of a cluster")],
)
async def test_a_server_that_can_be_no_hub_is_named_as_what_it_is(
    options: tuple[str, ...], what: str, fleet: str
) -> None:
    server = PrivateServer(options=options)
    try:
        server.start()
        with pytest.raises(HubError, match=what):
            await connect(server.url, fleet)
        wire = Wire(server.url)
        with pytest.raises(WireReplyError) as refused:
            wire.call("SET", f"{{rq:{fleet}}}:cfg", "x")
        wire.close()
        assert what in str(error_of(refused.value, wire.address))
    finally:
        server.close()
