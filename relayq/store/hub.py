"""A hub as the rest of RelayQ sees it: a fleet's keys, one link, functions by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from relayq.errors import HubError, HubSchema, Refused
from relayq.store import scripts
from relayq.store.connect import CALL_TIMEOUT_S, Link, parse_url
from relayq.store.keys import Keys
from relayq.store.reader import Reader
from relayq.trust.roster import version_of


class Hub:
    """One connection to a fleet. `async with Hub(url, fleet) as hub:` opens and closes it.

    What is read over it passes `reader`, if there is one, and comes sealed otherwise. Orders
    that a worker must obey are signed by `pen`: it gets what is ordered, of whom, and of which
    moment (Unix seconds) the order must not be earlier, whatever our clock says.
    """

    def __init__(self, url: str, fleet: str, reader: Reader | None = None) -> None:
        self.url = url
        self.fleet = fleet
        self.reader = reader
        self.pen: Callable[[str, str, int], bytes] | None = None
        self.keys = Keys(fleet)
        self.address = parse_url(url)
        self.link = Link(self.address)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, check server and schema, and load the library where it is missing or older."""
        await scripts.ensure(self.link, self.keys.anchor, self.address.role)

    async def close(self) -> None:
        """Close the connection."""
        await self.link.close()

    @property
    def is_narrow(self) -> bool:
        """Is ours a submit-only user, which reads the records of its own jobs and calls no functions?"""
        return self.address.role == "submit"

    @property
    def is_read_only(self) -> bool:
        """Is ours a user that may only look?"""
        return self.address.role == "viewer"

    def twin(self) -> Hub:
        """A second connection to the same fleet, for blocking reads."""
        return Hub(self.url, self.fleet, self.reader)

    async def run(
        self, function: str, request: dict[str, object], *blobs: bytes, timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """Call a function that writes: one JSON request, then raw bytes."""
        return await self._call("FCALL", function, request, blobs, timeout_s)

    async def view(
        self, function: str, request: dict[str, object] | None = None, *, timeout_s: float = CALL_TIMEOUT_S
    ) -> Any:
        """Call a function that only reads."""
        return await self._call("FCALL_RO", function, request or {}, (), timeout_s)

    async def views(self, *functions: str) -> list[Any]:
        """Call some functions that only read, and want to be told nothing, in one round trip."""
        return await self._send([_command("FCALL_RO", name, self.keys.anchor, {}) for name in functions])

    async def _call(
        self, verb: str, function: str, request: dict[str, object], blobs: tuple[bytes, ...], timeout_s: float
    ) -> Any:
        command = _command(verb, function, self.keys.anchor, request)
        return await self.send(*command, *blobs, timeout_s=timeout_s)

    def signed(self, order: str, subject: str) -> bytes:
        """The order as the pen signs it; nothing without a pen, and no worker obeys that."""
        return self.pen(order, subject, 0) if self.pen else b""

    async def signed_ends(self, order: str, jobs: Sequence[str]) -> list[bytes]:
        """Orders to end jobs, none earlier than the retry that let its job run again.

        A worker obeys no earlier one, and the owner's clock may have been ahead of ours then.
        """
        if not self.pen or not jobs:
            return [b""] * len(jobs)
        wholes = [job.partition(":")[0] for job in jobs]
        retries = await self.link.call("MGET", *(self.keys.of("ro", whole) for whole in wholes))
        floors_s = [self._given_s(retry, whole) for retry, whole in zip(retries, wholes, strict=True)]
        return [self.pen(order, job, floor_s) for job, floor_s in zip(jobs, floors_s, strict=True)]

    def _given_s(self, retry: bytes | None, job: str) -> int:
        """When the owner gave this retry; 0 without one, or where nobody is here to tell."""
        if not retry or self.reader is None:
            return 0
        try:
            return self.reader.given(retry, "retry", job).at_s
        except Refused:
            return 0

    @property
    def roster_known(self) -> int:
        """The version of the roster by which things are read now; 0 without one."""
        return self.reader.version if self.reader else 0

    async def has_news_for_reader(self, known: int) -> bool:
        """Is there a roster newer than `known`, by which something was read? The reader knows it after this.

        Several may ask at once: what one of them has just learned is news for the others too.
        """
        reader, key = self.reader, self.keys.prefix + "roster"
        if reader is None:
            return False
        if self.is_narrow or version_of(await self.link.call("GETRANGE", key, 0, 31)) > reader.version:
            data = await self.link.call("GET", key) or b""
            if version_of(data) > reader.version:
                reader.learn(data)
        return reader.version > known

    async def send(self, *command: Any, timeout_s: float = CALL_TIMEOUT_S) -> Any:
        """Send a function call as it stands; a hub that lost its library gets it back first."""
        [reply] = await self._send([command], timeout_s)
        return reply

    async def _send(self, commands: Sequence[Sequence[Any]], timeout_s: float = CALL_TIMEOUT_S) -> list[Any]:
        try:
            return await self.link.calls(*commands, timeout_s=timeout_s)
        except HubError as error:
            if not scripts.is_missing(error):
                raise
            if self.address.role in scripts.LOADS_NOTHING:
                raise HubSchema(scripts.NEEDS_OWNER) from error
            await scripts.load(self.link, self.keys.anchor)
            return await self.link.calls(*commands, timeout_s=timeout_s)


def _command(verb: str, function: str, anchor: str, request: dict[str, object]) -> list[Any]:
    return [verb, scripts.PREFIX + function, 1, anchor, json.dumps(request, separators=(",", ":"))]


async def connect(url: str, fleet: str) -> Hub:
    """Open a hub; close it with `await hub.close()`."""
    hub = Hub(url, fleet)
    try:
        await hub.open()
    except BaseException:
        await hub.close()
        raise
    return hub


async def load_library(url: str, fleet: str) -> None:
    """Load this RelayQ's library, in place of one of the same schema. The owner's business.

    HubSchema when the one that is there is newer.
    """
    hub = Hub(url, fleet)
    try:
        mark = await hub.link.call("HGET", hub.keys.anchor, "code")
        if mark and scripts.revision_of(mark) > scripts.REVISION:
            raise HubSchema("the hub's function library is newer than this RelayQ: upgrade RelayQ here first")
        await scripts.load(hub.link, hub.keys.anchor)
    finally:
        await hub.close()
