"""A repository is known by its numbers, which GitHub tells: asked here of a server on loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from relayq.errors import RelayQError
from relayq.hub.repository import Numbers, ask_numbers

ANSWERS = {
    "/repos/anna/films": (200, json.dumps({"id": 123, "owner": {"id": 45, "login": "anna"}})),
    "/repos/anna/broken": (200, "{}"),
    "/repos/anna/odd": (200, "no JSON"),
    "/repos/anna/busy": (503, "later"),
}


ASKED: list[tuple[str, str]] = []


class Handler(BaseHTTPRequestHandler):
    """Answers like the API, and keeps what it was asked."""

    def do_GET(self) -> None:
        """One question."""
        ASKED.append((self.path, self.headers.get("Authorization", "")))
        status, text = ANSWERS.get(self.path, (404, "{}"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, repository: str) -> Numbers:
    """Ask the server on loopback."""
    return ask_numbers(repository, lambda: HTTPConnection("127.0.0.1", port, timeout=5))


def test_the_numbers_of_repository_and_owner_are_told(port: int) -> None:
    assert ask(port, "anna/films") == Numbers("123", "45")


def test_a_token_goes_along_where_there_is_one(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "abc")
    ask(port, "anna/films")
    assert ASKED[-1] == ("/repos/anna/films", "Bearer abc")
    monkeypatch.delenv("GITHUB_TOKEN")
    ask(port, "anna/films")
    assert ASKED[-1] == ("/repos/anna/films", "")


@pytest.mark.parametrize(
    ("repository", "said"),
    [
        ("anna/none", "shows no repository"),
        ("anna/busy", "answers 503"),
        ("anna/broken", "no numbers in it"),
        ("anna/odd", "no numbers in it"),
    ],
)
def test_what_goes_wrong_is_told_with_another_way(port: int, repository: str, said: str) -> None:
    with pytest.raises(RelayQError, match=said) as error:
        ask(port, repository)
    assert "--repository-id N --owner-id N" in str(error.value)


def test_nobody_there_is_told() -> None:
    with pytest.raises(RelayQError, match="cannot be asked"):
        ask(1, "anna/films")


def test_a_name_that_is_not_found_is_told_in_words() -> None:
    with pytest.raises(RelayQError, match=r"api\.github\.com is not found \(is this machine online\?\)"):
        ask_numbers("me/site", lambda: HTTPConnection("nowhere.invalid", 80, timeout=5))
