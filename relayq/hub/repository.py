"""Ask GitHub for the numbers of a repository: names can be given away, numbers cannot.

`GET /repos/OWNER/REPO` of GitHub's REST API answers with `id` and `owner.id`
(docs.github.com/rest/repos/repos). A private repository needs a token, which is taken
from GITHUB_TOKEN and goes to GitHub alone.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, NamedTuple

from relayq.errors import RelayQError

HOST = "api.github.com"
ANSWER_BYTES_MAX = 1 << 20
TIMEOUT_S = 15.0
_ADVICE = "or name them: --repository-id N --owner-id N"


class Numbers(NamedTuple):
    """The numbers of a repository and of its owner, as texts."""

    repository: str
    owner: str


def github() -> HTTPConnection:
    """A connection to GitHub, by the system's authorities."""
    return HTTPSConnection(HOST, timeout=TIMEOUT_S)


def ask_numbers(repository: str, connect: Callable[[], HTTPConnection] = github) -> Numbers:
    """What GitHub says of OWNER/REPO; RelayQError when it cannot be asked or does not know it."""
    headers = {"Accept": "application/vnd.github+json", "User-Agent": "relayq"}
    if token := os.environ.get("GITHUB_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    link = connect()
    try:
        link.request("GET", f"/repos/{repository}", headers=headers)
        answer = link.getresponse()
        text = answer.read(ANSWER_BYTES_MAX)
    except (OSError, HTTPException) as error:
        raise RelayQError(
            f"GitHub cannot be asked about {repository}: {_reason(error)}; try again, {_ADVICE}"
        ) from error
    finally:
        link.close()
    if answer.status == 404:
        raise RelayQError(
            f"GitHub shows no repository {repository}: for a private one set GITHUB_TOKEN, {_ADVICE}"
        )
    if answer.status != 200:
        raise RelayQError(f"GitHub answers {answer.status} about {repository}: try again later, {_ADVICE}")
    return _numbers(text, repository)


def _reason(error: OSError | HTTPException) -> str:
    """Words for a person, where the system has a number before its own."""
    if isinstance(error, socket.gaierror):
        return f"{HOST} is not found (is this machine online?)"
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _numbers(text: bytes, repository: str) -> Numbers:
    try:
        told: Any = json.loads(text)
        return Numbers(str(int(told["id"])), str(int(told["owner"]["id"])))
    except (ValueError, KeyError, TypeError):
        raise RelayQError(f"GitHub's answer about {repository} has no numbers in it; {_ADVICE}") from None
