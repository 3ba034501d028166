"""What a run of GitHub Actions asks for its identity: real HTTP, real tokens of the loopback issuer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.security.issuer import Issuer

BEARER = "bearer-7c1e"


class Tokens:
    """The service: `audiences` asked for, `claims` that differ, `answers` in place of tokens."""

    def __init__(self, issuer: Issuer) -> None:
        self.issuer = issuer
        self.audiences: list[str] = []
        self.claims: dict[str, Any] = {}
        self.answers: list[tuple[int, str]] = []
        self.variables: dict[str, str] = {}

    def answer(self, path: str, bearer: str) -> tuple[int, str]:
        """Status and body."""
        if bearer != f"Bearer {BEARER}":
            return 401, "{}"
        if self.answers:
            return self.answers.pop(0)
        [audience] = parse_qs(urlsplit(path).query)["audience"]
        self.audiences.append(audience)
        return 200, json.dumps({"value": self.issuer.token(audience, int(time.time()), **self.claims)})


@contextmanager
def tokens(issuer: Issuer) -> Iterator[Tokens]:
    """The service on a port of its own."""
    service = Tokens(issuer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = service.answer(self.path, self.headers.get("Authorization", ""))
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.variables = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{server.server_port}/token?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
