"""The socket to a hub and TLS over it, with the standard library alone, as `wire` has it (Python 3.9).

A server without TLS leaves a TLS client's hello without an answer: it waits for the end of
a line. So whoever is silent for SILENT_S is asked in plain text, and only what answers that
is refused; a slow hub is given all the time there is.
"""

from __future__ import annotations

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from typing import Any

    from relayq.store.wire import Address

SILENT_S = 1.0  # whoever speaks TLS has answered a hello by then, most likely
SPEAKS_NO_TLS = "it does not speak TLS: use redis://, or give it TLS with `relayq hub install`"
REFUSES_US = "it refuses this machine's certificate, or there is none: join it with `relayq join`"


def tcp(address: Address, timeout_s: float) -> socket.socket:
    """A connection to the host and port of an address."""
    # Bytes pass as they are; a str would load the codec of names in other letters (1 ms, 0.3 MB).
    host: Any = address.host.encode() if address.host.isascii() else address.host
    link = socket.create_connection((host, address.port), timeout_s)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def secured(link: socket.socket, address: Address, timeout_s: float) -> socket.socket:
    """TLS over a connection, which is closed where that fails."""
    try:
        name, context = address.name or address.host, tls_context(address)
        link = tls = context.wrap_socket(link, server_hostname=name, do_handshake_on_connect=False)
        tls.settimeout(min(SILENT_S, timeout_s))
        try:
            tls.do_handshake()
        except socket.timeout:
            if speaks_plain(address):
                raise OSError(SPEAKS_NO_TLS) from None
            tls.settimeout(timeout_s)
            tls.do_handshake()
        tls.settimeout(timeout_s)
    except OSError:
        link.close()
        raise
    return link


def speaks_plain(address: Address) -> bool:
    """Does a server without TLS answer there? Asked in one word that tells it nothing."""
    try:
        with tcp(address, SILENT_S) as link:
            link.sendall(b"PING\r\n")
            return link.recv(1) in (b"+", b"-")
    except OSError:
        return False


def tls_context(address: Address) -> ssl.SSLContext:
    """How we speak TLS with this hub.

    With `ca` that authority alone is believed: what any public one has signed is not the
    hub. A hub that has a `name` of its own was installed by RelayQ and speaks TLS 1.3.
    """
    import ssl

    if not address.ca:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if address.name else ssl.TLSVersion.TLSv1_2
    for load, path in ((context.load_verify_locations, address.ca), (context.load_cert_chain, address.cert)):
        try:
            if path:
                load(path)
        except OSError as error:
            raise OSError(f"{path} cannot be used ({error.strerror or error}); join the hub again") from error
    return context


def tls_reason(error: BaseException) -> str:
    """What went wrong with TLS, in words for a person; empty for anything else."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        detail = getattr(error, "verify_message", "") or "not one that this machine believes"
        return (
            f"its certificate is refused ({detail}): it is not the hub that was joined, or somebody "
            "stands in between; if the hub was installed anew, join it again"
        )
    if any(sign in text for sign in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", SPEAKS_NO_TLS)):
        return SPEAKS_NO_TLS
    if "ALERT" in text and ("CERTIFICATE" in text or "UNKNOWN_CA" in text):
        return REFUSES_US
    return ""
