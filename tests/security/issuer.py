"""An issuer of identity tokens on loopback: real RSA keys, real HTTP, keys that rotate, and outages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from relayq.trust.keys import encode


def rsa_key(name: str, bits: int = 2048) -> RSAPrivateKey:
    """A key of this name, made once: that takes a tenth of a second."""
    return _made(name, bits)


@cache
def _made(name: str, bits: int) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


def public_of(name: str, bits: int = 2048) -> dict[str, str]:
    """The key as a key set has it."""
    numbers = rsa_key(name, bits).public_key().public_numbers()
    modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
    return {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": name, "n": encode(modulus), "e": "AQAB"}


def token_of(header: dict[str, Any], claims: dict[str, Any], key: RSAPrivateKey) -> str:
    """A token signed with RS256, whatever its header says."""
    text = f"{_part(header)}.{_part(claims)}"
    return f"{text}.{encode(key.sign(text.encode(), PKCS1v15(), SHA256()))}"


def _part(fields: dict[str, Any]) -> str:
    return encode(json.dumps(fields).encode())


class Issuer:
    """The issuer: `keys` are what it publishes, `asked` counts how often it was asked."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys = [public_of("one")]
        self.asked = 0

    def token(
        self,
        audience: object,
        iat_s: int,
        *,
        key: str = "one",
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A token as a push to the main branch of repository 12 gets it, with changes."""
        claims = {
            "iss": self.url,
            "aud": audience,
            "iat": iat_s,
            "exp": iat_s + 300,
            "repository": "me/site",
            "repository_id": "12",
            "repository_owner_id": "34",
            "ref": "refs/heads/main",
            "event_name": "push",
            "runner_environment": "github-hosted",
            "job_workflow_ref": "me/site/.github/workflows/ci.yml@refs/heads/main",
            "sub": "repo:me/site:ref:refs/heads/main",
        }
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return token_of({"typ": "JWT", "alg": "RS256", "kid": key, **(header or {})}, claims, rsa_key(key))


@contextmanager
def running() -> Iterator[Issuer]:
    """The issuer, listening on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = json.dumps({"keys": issuer.keys}).encode()
            self.send_response(200 if self.path == "/.well-known/jwks" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
