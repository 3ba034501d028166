"""Who signs the job: the run itself, with a token that GitHub makes for it, or the key in the join string.

A run that may ask for identity tokens (`permissions: id-token: write`) and for whose repository
the roster has a rule needs no signing secret: the token's audience is the digest of what
is signed, so it is good for this job alone. Everybody else signs with the submit key.
The runner says where to ask and with what (actions/toolkit, oidc-utils, read 2026-11-23).
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from relayq.errors import Refused, RelayQError, UsageError
from relayq.trust.bodies import Author, RunAuthor
from relayq.trust.boxes import BoxKey
from relayq.trust.ticket import SUBMITTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from relayq.trust.keys import SigningKey
    from relayq.trust.roster import Roster

WAYS = ("auto", "oidc", "key")
URL, BEARER, REPOSITORY = (
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "GITHUB_REPOSITORY_ID",
)
TIMEOUT_S = 10.0
PAUSES_S = (1.0, 3.0)
ANSWER_BYTES_MAX = 64 << 10
HTTP_OK = 200


def author_of(key: SigningKey, roster: Roster, environ: Mapping[str, str], way: str) -> Author | RunAuthor:
    """Whoever seals and signs for this step; UsageError and Refused where nobody can."""
    if way not in WAYS:
        raise UsageError(f"{way[:40]!r} is none of {', '.join(WAYS)} (input 'sign')")
    repository = environ.get(REPOSITORY, "")
    may_ask = bool(environ.get(URL) and environ.get(BEARER) and repository)
    if way == "oidc" and not may_ask:
        raise UsageError("the run may not ask for a token: its job needs `permissions: id-token: write`")
    has_rule = any(rule.repository_id == repository for rule in roster.github)
    if way == "oidc" or (way == "auto" and may_ask and has_rule):
        reply = BoxKey.of(key).public
        return RunAuthor(roster, repository, reply, lambda audience: token(environ, audience))
    if not roster.member(SUBMITTER, key.public):
        raise Refused(
            f"the key of this join string is not in fleet {roster.fleet!r} (any more): ask for another one"
        )
    return Author(key, roster)


def token(environ: Mapping[str, str], audience: str) -> str:
    """An identity token of this run for this audience; tried three times."""
    from urllib.parse import quote

    url = f"{environ[URL]}&audience={quote(audience, safe='')}"
    for pause_s in (*PAUSES_S, None):
        status, why = 0, ""
        try:
            status, body = _fetched(url, environ[BEARER])
            if status == HTTP_OK and (value := _value(body)):
                return value
            why = "its answer holds no token" if status == HTTP_OK else f"it answers {status}"
        except (OSError, ValueError) as error:
            why = str(error)[:200]
        if pause_s is None or 300 <= status < 500:
            raise RelayQError(f"GitHub gave no identity token to this run: {why}")
        time.sleep(pause_s)
    raise AssertionError("the last pause is None")


def _value(body: bytes) -> str:
    """The token in an answer, or empty."""
    try:
        value = json.loads(body)["value"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return value if isinstance(value, str) else ""


def _fetched(url: str, bearer: str) -> tuple[int, bytes]:
    """Status and body; a redirection is not followed, or it would take the bearer elsewhere."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    if (parts.scheme != "https" and not is_local) or not parts.hostname:
        raise ValueError("it is not to be asked over https")
    kind = HTTPConnection if is_local else HTTPSConnection
    link = kind(parts.hostname, parts.port, timeout=TIMEOUT_S)
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/json"}
    try:
        link.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        reply = link.getresponse()
        return reply.status, reply.read(ANSWER_BYTES_MAX)
    except HTTPException as error:
        raise OSError(f"it does not speak HTTP: {type(error).__name__}") from error
    finally:
        link.close()
