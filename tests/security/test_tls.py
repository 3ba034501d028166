"""Only the hub that was joined is the hub: every other certificate, and none, is refused with a sentence."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from relayq.errors import ConfigError, HubDenied, HubUnreachable
from relayq.hub import certificates
from relayq.hub.acl import WORKER
from relayq.store.connect import Link, parse_url
from relayq.store.wire import Wire, WireError, WireReplyError
from tests.fault.proxy import Proxy
from tests.security.hub_support import RoleHub, free_port


@pytest.fixture(scope="module")
def hub() -> Iterator[RoleHub]:
    hub = RoleHub("home", tls=True)
    hub.add(WORKER, "mini")
    stranger = certificates.make_authority()
    (hub.directory / "stranger.pem").write_text(certificates.make_server(stranger).pem())
    (hub.directory / "strange-client.pem").write_text(certificates.make_client(stranger, "x").pem())
    (hub.directory / "other-ca.pem").write_text(certificates.certificate_pem(stranger.certificate))
    hub.start()
    yield hub
    hub.close()


def by_wire(url: str) -> str:
    """What the standard library's way says, or raises."""
    wire = Wire(url, timeout_s=5)
    try:
        return str(wire.call("PING"))
    finally:
        wire.close()


async def by_link(url: str) -> str:
    """What the asyncio way says, or raises."""
    link = Link(parse_url(url))
    try:
        return str(await link.call("PING"))
    finally:
        await link.close()


async def refusals(url: str) -> list[str]:
    """The sentences with which both ways refuse; they must refuse."""
    with pytest.raises(WireError) as first:
        by_wire(url)
    with pytest.raises((HubUnreachable, HubDenied)) as second:
        await by_link(url)
    return [str(first.value), str(second.value)]


@contextmanager
def impostor(hub: RoleHub, certificate: str) -> Iterator[int]:
    """A TLS server with this certificate; it takes any client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(hub.directory / certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=shake_hands, args=(listener, context), daemon=True)
        thread.start()
        yield listener.getsockname()[1]


def shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    """Take everybody until the listener is closed."""
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        try:
            context.wrap_socket(link, server_side=True).close()
        except OSError:
            link.close()


async def test_the_joined_hub_is_reached_both_ways(hub: RoleHub) -> None:
    assert by_wire(hub.tls_url("w-mini")) == "b'PONG'"
    assert await by_link(hub.tls_url("w-mini")) == "b'PONG'"


@pytest.mark.parametrize("certificate", ["stranger.pem", "client.pem"])
async def test_an_impostor_is_refused(hub: RoleHub, certificate: str) -> None:
    """One with another authority's certificate, one with a client's certificate of our own."""
    with impostor(hub, certificate) as port:
        for sentence in await refusals(hub.tls_url("w-mini", port=port)):
            assert "certificate is refused" in sentence
            assert "join it again" in sentence


async def test_a_certificate_under_another_name_is_refused(hub: RoleHub) -> None:
    for sentence in await refusals(hub.tls_url("w-mini", name="elsewhere.example")):
        assert "certificate is refused" in sentence


async def test_the_systems_authorities_are_not_believed_beside_ours(hub: RoleHub, tmp_path: object) -> None:
    for sentence in await refusals(hub.tls_url("w-mini", ca="other-ca.pem")):
        assert "certificate is refused" in sentence


async def test_without_our_authority_the_systems_decide(hub: RoleHub) -> None:
    for sentence in await refusals(hub.tls_url("w-mini", ca="")):
        assert "certificate is refused" in sentence


@pytest.mark.parametrize("cert", ["", "strange-client.pem"])
async def test_nobody_comes_in_without_a_certificate_of_the_authority(hub: RoleHub, cert: str) -> None:
    for sentence in await refusals(hub.tls_url("w-mini", cert=cert)):
        assert "refuses this machine's certificate" in sentence


async def test_plain_text_on_the_tls_port_is_told_so(hub: RoleHub) -> None:
    for sentence in await refusals(f"redis://127.0.0.1:{hub.port}"):
        assert "speaks TLS" in sentence


async def test_tls_to_a_plain_server_is_told_so(hub: RoleHub) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_plainly, args=(listener,), daemon=True)
        thread.start()
        for sentence in await refusals(hub.tls_url("w-mini", port=listener.getsockname()[1])):
            assert "does not speak TLS" in sentence


async def test_tls_to_a_plain_server_that_says_nothing_to_a_hello_fails_soon(hub: RoleHub) -> None:
    async with Proxy(hub.socket) as plain:
        url, began_s = plain.url.replace("redis", "rediss") + "/0", time.monotonic()
        with pytest.raises(WireError, match="does not speak TLS"):
            await asyncio.to_thread(by_wire, url)
        with pytest.raises(HubUnreachable, match="does not speak TLS"):
            await by_link(url)
        assert time.monotonic() - began_s < 4


async def test_a_hub_that_is_slow_to_shake_hands_is_waited_for(hub: RoleHub) -> None:
    async with Proxy(hub.port) as far:
        far.delay_s = 0.6
        url = hub.tls_url("w-mini", port=int(far.url.rpartition(":")[2]))
        assert await asyncio.to_thread(by_wire, url) == "b'PONG'"
        assert await by_link(url) == "b'PONG'"


def answer_plainly(listener: socket.socket) -> None:
    """What a server without TLS says to a TLS greeting."""
    while True:
        try:
            link, _ = listener.accept()
        except OSError:
            return
        with link:
            link.recv(1024)
            link.sendall(b"-ERR unknown command\r\n")


async def test_an_older_tls_is_not_spoken(hub: RoleHub) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(hub.directory / "ca.pem")
    context.load_cert_chain(hub.directory / "client.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(("127.0.0.1", hub.port)) as link,
        pytest.raises(ssl.SSLError, match="VERSION"),
    ):
        context.wrap_socket(link, server_hostname=certificates.SERVER_NAME)


async def test_a_wrong_password_is_tried_once_and_told(hub: RoleHub) -> None:
    url = hub.tls_url("w-mini").replace(hub.secrets["w-mini"], "wrong")
    before = denied(hub)
    with pytest.raises(HubDenied) as refused:
        await by_link(url)
    assert "refused the user or password" in str(refused.value)
    assert "wrong@" not in str(refused.value)
    assert denied(hub) == before + 1
    with pytest.raises(WireReplyError, match="WRONGPASS"):
        by_wire(url)


def denied(hub: RoleHub) -> int:
    """How many logins the hub has refused."""
    wire = Wire(hub.url())
    entries = [dict(zip(entry[::2], entry[1::2], strict=True)) for entry in wire.call("ACL", "LOG")]
    wire.close()
    return sum(int(entry[b"count"]) for entry in entries if entry[b"reason"] == b"auth")


async def test_seventy_idle_sockets_keep_nobody_out(hub: RoleHub) -> None:
    idle = [socket.create_connection(("127.0.0.1", hub.port)) for _ in range(70)]
    try:
        assert by_wire(hub.tls_url("w-mini")) == "b'PONG'"
    finally:
        for link in idle:
            link.close()


async def test_a_missing_certificate_file_is_named(hub: RoleHub) -> None:
    url = hub.tls_url("w-mini", ca="gone.pem")
    with pytest.raises(WireError, match=r"gone\.pem cannot be used"):
        by_wire(url)
    with pytest.raises(ConfigError, match=r"gone\.pem cannot be used"):
        Link(parse_url(url))


async def test_nobody_listening_is_told(hub: RoleHub) -> None:
    for sentence in await refusals(hub.tls_url("w-mini", port=free_port())):
        assert "Connection refused" in sentence


def test_certificates_belong_together() -> None:
    authority = certificates.make_authority()
    pair = certificates.make_client(authority, "mini")
    assert certificates.is_pair(pair)
    assert certificates.is_issued_by(pair.certificate, authority.certificate)
    other = certificates.make_authority()
    assert not certificates.is_issued_by(pair.certificate, other.certificate)
    assert not certificates.is_pair(certificates.Pair(pair.certificate, other.key))
    checks: list[Callable[[], object]] = [lambda: certificates.is_pair(certificates.Pair(b"x", b"y"))]
    assert [check() for check in checks] == [False]
