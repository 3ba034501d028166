"""Ask GitHub, with its manners: what has not changed is not asked twice, what is refused not again.

One request at a time. A list is read page by page, by number: no address that stands
in an answer is ever followed, nor a redirect. Where GitHub says when it takes requests
again (`retry-after`, `x-ratelimit-reset`), it is waited for if that is soon, else
GitHubLimited says how long. Times are GitHub's own, by its Date header: this
machine's clock may be wrong.

Reads are tried again after 5xx answers, silence and answers that break off. A post is
not: it may have been taken, and GitHubUnavailable then says so (`is_unsure`).

Rate limits, conditional requests and the headers: docs.github.com, "Rate limits for
the REST API" and "Best practices for using the REST API", read 2026-11.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

import httpx

from relayq import __version__
from relayq.errors import (
    GitHubDenied,
    GitHubError,
    GitHubInvalid,
    GitHubLimited,
    GitHubMissing,
    GitHubUnavailable,
)
from relayq.github.etags import Etags
from relayq.github.token import Token
from relayq.model.duration import format_duration
from relayq.text import safe

PAGE = 100
MOST_PAGES = 100
MOST_BYTES = 32 << 20
TIMEOUT_S = 30.0
TRIES = 4
BACKOFF_S = 1.0
PATIENCE_S = 90.0
GAP_S = 1.0  # "wait at least one second between each" of many posts
SECONDARY_S = 60.0  # "wait for at least one minute" where a secondary limit names no time
VERSION = "2022-11-28"
OK, CREATED, ACCEPTED, NO_CONTENT, NOT_MODIFIED = 200, 201, 202, 204, 304

Pause = Callable[[float], Awaitable[None]]


class Answer(NamedTuple):
    """What came back: status and JSON (None where there is no body)."""

    status: int
    body: Any


class Manners(NamedTuple):
    """How requests are made: those left to others, what waits, how long at most, the time between posts."""

    reserve: int = 0
    pause: Pause = asyncio.sleep
    patience_s: float = PATIENCE_S
    gap_s: float = GAP_S


class GitHub:
    """A connection to GitHub's API: `async with GitHub(base, token) as github`.

    A limit that lasts longer than the patience of its `manners` is not waited for.
    """

    def __init__(
        self,
        base: str,
        token: Token | None,
        *,
        etags: Etags | None = None,
        manners: Manners | None = None,
    ) -> None:
        self._base, self._token, self._etags = base.rstrip("/"), token, etags
        self._reserve, self._pause, self._patience_s, self._gap_s = manners or Manners()
        self._posted_s = -GAP_S
        self._ahead_s = 0.0
        self.remaining: int | None = None
        self._reset_s = 0.0
        self.scopes: str | None = None
        self.requests = 0

    async def __aenter__(self) -> Self:
        headers = {
            "accept": "application/vnd.github+json",
            "x-github-api-version": VERSION,
            "user-agent": f"relayq/{__version__}",
        }
        if self._token:
            headers["authorization"] = f"Bearer {self._token.value}"
        self._client = httpx.AsyncClient(headers=headers, timeout=TIMEOUT_S, follow_redirects=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    def now_ms(self) -> int:
        """GitHub's clock, by its last answer."""
        return int((time.time() + self._ahead_s) * 1000)

    @property
    def token_place(self) -> str:
        """Where the token came from."""
        return self._token.place if self._token else "nowhere"

    async def get(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        """The JSON at `path`."""
        address = f"{path}?{urlencode(params)}" if params else path
        kept = self._etags.get(address) if self._etags else None
        for attempt in range(TRIES):
            try:
                answer, headers = await self._ask("GET", address, etag=kept.etag if kept else "")
            except GitHubUnavailable:
                if attempt == TRIES - 1:
                    raise
                await self._pause(BACKOFF_S * 2**attempt)
                continue
            if answer.status == NOT_MODIFIED and kept:
                return kept.body
            if self._etags and (etag := headers.get("etag")):
                self._etags.put(address, etag, answer.body)
            return answer.body
        raise AssertionError("every try returns or raises")

    async def pages(
        self, path: str, params: Mapping[str, object] | None = None, key: str = ""
    ) -> AsyncIterator[dict[str, Any]]:
        """Every item of a list, page by page; `key` names the list where the answer is an object."""
        for page in range(1, MOST_PAGES + 1):
            body = await self.get(path, {**(params or {}), "per_page": PAGE, "page": page})
            items = listed(body, key, path)
            for item in items:
                yield item
            if len(items) < PAGE:
                return

    async def post(self, path: str, body: Mapping[str, object]) -> Answer:
        """Post once. Waits for a rate limit that is soon over, for then nothing was taken."""
        if (wait_s := self._posted_s + self._gap_s - time.monotonic()) > 0:
            await self._pause(wait_s)
        self._posted_s = time.monotonic()
        answer, _ = await self._ask("POST", path, body=body)
        return answer

    # -- one request

    async def _ask(
        self, verb: str, address: str, *, etag: str = "", body: Mapping[str, object] | None = None
    ) -> tuple[Answer, httpx.Headers]:
        """One answer that is no refusal; waits out limits."""
        for _ in range(TRIES):
            response, content = await self._send(verb, address, etag, body)
            self._note(response)
            wait_s = self._limit_s(response, content)
            if wait_s is None:
                if response.status_code >= 300 and response.status_code != NOT_MODIFIED:
                    raise self._refusal(verb, address, response, content)
                return Answer(response.status_code, _json(content, verb, address)), response.headers
            if wait_s > self._patience_s:
                raise self._limited(wait_s)
            await self._pause(wait_s)
        raise self._limited(SECONDARY_S)

    async def _send(
        self, verb: str, address: str, etag: str, body: Mapping[str, object] | None
    ) -> tuple[httpx.Response, bytes]:
        left_s = self._reset_s - self.now_ms() / 1000
        if self.remaining is not None and self._reserve and self.remaining <= self._reserve and left_s > 0:
            raise GitHubLimited(
                f"only {self.remaining} requests to GitHub are left this hour, and those are left to others; "
                f"try again in {format_duration(int(left_s * 1000))}",
                left_s,
            )
        self.requests += 1
        request = self._client.build_request(
            verb, self._base + address, json=body, headers={"if-none-match": etag} if etag else None
        )
        is_post = verb != "GET"
        try:
            response = await self._client.send(request, stream=True)
            try:
                content = await _content(response, verb, address)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise GitHubUnavailable(f"GitHub does not answer at {self._base}: check the network") from None
        except httpx.TimeoutException:
            raise GitHubUnavailable(
                f"GitHub did not answer {verb} {address} within {TIMEOUT_S:g} s", is_unsure=is_post
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise GitHubUnavailable(
                f"GitHub's answer to {verb} {address} broke off", is_unsure=is_post
            ) from None
        if response.status_code >= 500:
            raise GitHubUnavailable(
                f"GitHub answered {verb} {address} with {response.status_code}: try again later",
                is_unsure=is_post,
            )
        return response, content

    def _note(self, response: httpx.Response) -> None:
        """What the headers tell of the clock, the limit and the token."""
        headers = response.headers
        try:
            moment = parsedate_to_datetime(headers.get("date", ""))
            self._ahead_s = moment.timestamp() - time.time()
        except (TypeError, ValueError):
            pass
        remaining = headers.get("x-ratelimit-remaining", "")
        self.remaining = int(remaining) if remaining.isdigit() else self.remaining
        reset = headers.get("x-ratelimit-reset", "")
        self._reset_s = float(reset) if reset.isdigit() else self._reset_s
        self.scopes = headers.get("x-oauth-scopes", self.scopes)

    def _limit_s(self, response: httpx.Response, content: bytes) -> float | None:
        """How long to wait before anything is taken again; None where no limit is the matter."""
        if response.status_code not in (403, 429):
            return None
        headers = response.headers
        after = headers.get("retry-after", "")
        if after.isdigit():
            return float(after)
        reset = headers.get("x-ratelimit-reset", "")
        if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
            return max(1.0, int(reset) - self.now_ms() / 1000)
        is_secondary = response.status_code == 429 or b"secondary rate limit" in content
        return SECONDARY_S if is_secondary else None

    def _limited(self, wait_s: float) -> GitHubLimited:
        return GitHubLimited(
            f"GitHub takes no more requests with the token from {self.token_place} for "
            f"{format_duration(int(wait_s * 1000))}: try again then",
            wait_s,
        )

    def _refusal(self, verb: str, address: str, response: httpx.Response, content: bytes) -> GitHubError:
        status, path = response.status_code, address.partition("?")[0]
        said = _message(content)
        match status:
            case 401 if self._token:
                return GitHubDenied(
                    f"GitHub refuses the token from {self.token_place}: it has expired or was revoked"
                )
            case 401:
                return GitHubDenied(f"GitHub wants a token for {path}: {HOW_TO_LOG_IN}")
            case 403:
                return GitHubDenied(
                    f"the token from {self.token_place} may not {verb} {path}: {self._lacks(response, said)}"
                )
            case 404:
                return GitHubMissing(
                    f"GitHub has nothing at {path}, or the token from {self.token_place} may not see it"
                )
            case 301 | 302 | 307 | 308:
                return GitHubMissing(f"{path} has moved: write the repository's new name")
        return GitHubInvalid(f"GitHub refuses {verb} {path} ({status}): {said or 'no reason given'}")

    def _lacks(self, response: httpx.Response, said: str) -> str:
        """What the token would need, as far as GitHub tells."""
        headers = response.headers
        if wanted := headers.get("x-accepted-oauth-scopes"):
            has = headers.get("x-oauth-scopes") or "none"
            return f"it needs one of the scopes {safe(wanted)[:80]} and has {safe(has)[:80]}"
        if wanted := headers.get("x-accepted-github-permissions"):
            return f"it needs the permission {safe(wanted)[:80]}"
        return said or "GitHub gives no reason"


HOW_TO_LOG_IN = "log in with `gh auth login`, or set GH_TOKEN"


def listed(body: Any, key: str, path: str) -> list[dict[str, Any]]:
    """The list in an answer: the answer itself, or what stands under `key`."""
    items = body.get(key) if key and isinstance(body, dict) else None if key else body
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise GitHubUnavailable(f"GitHub's answer to GET {path} is not the list it should be")
    return items


async def _content(response: httpx.Response, verb: str, address: str) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise GitHubUnavailable(
                f"GitHub's answer to {verb} {address} is larger than {MOST_BYTES >> 20} MiB"
            )
    return b"".join(parts)


def _json(content: bytes, verb: str, address: str) -> Any:
    if not content.strip():
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise GitHubUnavailable(
            f"GitHub's answer to {verb} {address} is no JSON", is_unsure=verb != "GET"
        ) from None


def _message(content: bytes) -> str:
    try:
        given = json.loads(content)
        return safe(str(given["message"]))[:200]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
