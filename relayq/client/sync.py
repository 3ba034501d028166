"""The sync client: the same verbs from plain code, in scripts and inside a running loop.

Submitting goes straight over the submitter's own connection, signature included,
without a hop to another thread. Everything that waits runs on the portal's event
loop, which starts when it is first needed.

`job` is the lazy default client: it is made when it is first used, one per process.

Neither a thread nor a connection survives a fork: in a child, clients and their handles
begin anew, and what was the parent's is left alone.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

from relayq.client.dispatch import require_taken
from relayq.client.specs import map_spec, on_label, spec_of, with_files
from relayq.client.submitter import Submitter, tell_on_stderr
from relayq.config import load
from relayq.model.job import JobSpec

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from relayq.client.aio import AsyncClient
    from relayq.client.asyncjob import AsyncJob, Patience
    from relayq.client.portal import Portal
    from relayq.client.result import Result
    from relayq.model.lifecycle import State
    from relayq.store.records import JobRecord, LogEntry

T = TypeVar("T")


class Client:
    """A client of one fleet, for plain code. Thread safe; use it as a context manager or `close()` it.

    One that is forgotten, its handles with it, drops its connections by itself.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        fleet: str | None = None,
        tell: Callable[[str], None] = tell_on_stderr,
    ) -> None:
        self._submitter = Submitter(load({"hub.url": url, "hub.fleet": fleet}), tell)
        self._lock = threading.Lock()
        self._far: tuple[Portal, AsyncClient] | None = None
        self._forgotten: weakref.finalize[..., Client] | None = None
        self._of_parents: list[object] = []
        _CLIENTS.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, command: str | Sequence[str], **options: Any) -> JobHandle:
        """Submit `command` (a shell line, or argv); the options are those of a JSON spec.

        `inputs` may name files, which go along and stand in the job's work directory.
        """
        return self.submit(spec_of(command, with_files(options, self._submitter.put_files)))

    def run_on(self, label: str, command: str | Sequence[str], **options: Any) -> JobHandle:
        """Submit `command` for workers that have `label`."""
        return self.run(command, **on_label(label, options))

    def run_on_mac(self, command: str | Sequence[str], **options: Any) -> JobHandle:
        """Submit `command` for a Mac."""
        return self.run_on("mac", command, **options)

    def run_on_rpi(self, command: str | Sequence[str], **options: Any) -> JobHandle:
        """Submit `command` for a Raspberry Pi."""
        return self.run_on("rpi", command, **options)

    def map(self, template: str | Sequence[str], items: Iterable[object], **options: Any) -> ArrayHandle:
        """Submit an array job that runs `template` for each of `items`, put in place of `{}`."""
        items = list(items)
        receipt = self._submitter.submit(
            map_spec(template, items, with_files(options, self._submitter.put_files)), watch=True
        )
        return ArrayHandle(self, receipt.id, len(items))

    def submit(self, spec: JobSpec) -> JobHandle:
        """Submit a spec."""
        receipt = self._submitter.submit(spec, watch=True)
        return JobHandle(self, receipt.id, is_watched=receipt.word == "new", is_new=receipt.is_new)

    def submit_many(self, specs: Iterable[JobSpec]) -> list[JobHandle]:
        """Submit any number of specs, 500 to a round trip and a signature."""
        receipts = require_taken(self._submitter.submit_many(list(specs)))
        return [JobHandle(self, receipt.id, is_new=receipt.is_new) for receipt in receipts]

    def job(self, job: str) -> JobHandle:
        """The job with this id, or with this unique end of an id (four characters or more)."""
        portal, client = self.far()
        return JobHandle(self, portal.call(client.job(job)).id)

    def worker_status(self) -> dict[str, Any]:
        """Workers online and in all, jobs running and waiting, and each worker's facts."""
        portal, client = self.far()
        return portal.call(client.worker_status())

    def far(self) -> tuple[Portal, AsyncClient]:
        """The event loop of this client and the asyncio client on it, made when first needed."""
        with self._lock:
            if self._far is None:
                self._far = self._open_far()
            return self._far

    def close(self) -> None:
        """Close every connection; in threads that wait for a job, their wait ends with RelayQError."""
        self._submitter.close()
        with self._lock:
            if self._far is not None:
                portal, client = self._far
                portal.close(client.close)
                self._far = None

    def _open_far(self) -> tuple[Portal, AsyncClient]:
        from relayq.client.aio import AsyncClient
        from relayq.client.portal import Portal

        portal, client = Portal(), AsyncClient.over(self._submitter)
        try:
            portal.call(client.__aenter__())
        except BaseException:
            portal.close()
            raise
        self._forgotten = weakref.finalize(self, portal.leave, client.close)
        self._forgotten.atexit = False
        return portal, client

    def _begin_anew(self) -> None:
        """In a child: the parent's loop is kept and left alone, for closing it would disturb the parent."""
        if self._forgotten is not None:
            self._forgotten.detach()
        self._of_parents.append(self._far)
        self._lock, self._far = threading.Lock(), None
        self._submitter.begin_anew()


class Handle:
    """What a job and an array job have in common: everything but `get`.

    `is_new` is False where a unique key kept the job out: this is the one that was in the way.
    """

    def __init__(self, client: Client, job: str, *, is_watched: bool = False, is_new: bool = True) -> None:
        self.id, self.is_new = job, is_new
        self._client = client
        self._is_watched = is_watched

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def result(self, timeout: Patience = None) -> Result:
        """How the job ended, once it has; WaitTimeout after `timeout` (the job goes on)."""
        return self._call(lambda job: job.result(timeout))

    def wait(self, timeout: Patience = None) -> State:
        """Wait until the job has ended and return its state; WaitTimeout after `timeout`."""
        return self._call(lambda job: job.wait(timeout))

    def ready(self) -> bool:
        """Whether the job has ended."""
        return self._call(lambda job: job.ready())

    def failed(self) -> bool:
        """Whether the job has ended otherwise than well."""
        return self._call(lambda job: job.failed())

    def cancel(self, why: str = "") -> bool:
        """Ask for the end of the job; False when it had ended already or is not there."""
        return self._call(lambda job: job.cancel(why))

    def logs(self, *, follow: bool = False) -> Iterator[LogEntry]:
        """The output, entry by entry; with `follow`, until the job has ended."""
        portal, client = self._client.far()
        yield from portal.iterate(client.handle(self.id, is_watched=self._is_watched).logs(follow=follow))

    def fetch(
        self, directory: str | PathLike[str], names: Sequence[str] | None = None, *, force: bool = False
    ) -> list[Path]:
        """Write the files that the job left (all, or those named) below `directory`; their paths.

        What is there already stays, and is NameTaken, unless `force`.
        """
        return self._call(lambda job: job.fetch(directory, names, force=force))

    @property
    def outputs(self) -> dict[str, int]:
        """The files that the job left: name -> bytes."""
        return self._call(lambda job: job.outputs())

    @property
    def info(self) -> JobRecord:
        """The job as the hub has it now."""
        return self._call(lambda job: job.info())

    @property
    def traceback(self) -> str:
        """The end of the output of a job that did not succeed; empty for one that did. Waits for the end."""
        result = self.result()
        return "" if result.succeeded else result.log_tail

    def _call(self, verb: Callable[[AsyncJob], Coroutine[Any, Any, T]]) -> T:
        portal, client = self._client.far()
        return portal.call(verb(client.handle(self.id, is_watched=self._is_watched)))


class JobHandle(Handle):
    """A job that was submitted or found. Each method asks the hub."""

    def get(self, timeout: Patience = None) -> str:
        """The job's stdout once it has succeeded.

        Raises JobFailed, JobCancelled, JobSkipped or JobExpired for a job that did
        not, OutputTruncated when the hub kept less than all, WaitTimeout after
        `timeout`, seconds or `"15m"` (the job goes on).
        """
        return self._call(lambda job: job.get(timeout))


class ArrayHandle(Handle):
    """An array job that was submitted; `handle[index]` is one of its elements."""

    def __init__(self, client: Client, job: str, size: int) -> None:
        super().__init__(client, job, is_watched=True)
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> JobHandle:
        from relayq.client.asyncjob import element_id

        return JobHandle(self._client, element_id(self.id, self._size, index))

    def get(self, timeout: Patience = None) -> list[str]:
        """The stdout of every element, in order, once all have succeeded; raises as JobHandle.get does."""
        portal, client = self._client.far()
        return portal.call(client.array(self.id, self._size).get(timeout))


class _DefaultClient:
    """Stands for the default client of this process, which is made when it is first used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: Client | None = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._client is None:
                self._client = Client()
        return getattr(self._client, name)

    def __dir__(self) -> list[str]:
        """What a client can do, for whoever asks before it is made."""
        return dir(Client)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()


def _begin_anew() -> None:
    """In a child, before anything else runs there."""
    _DEFAULT._begin_anew()
    for client in list(_CLIENTS):
        client._begin_anew()


_CLIENTS: weakref.WeakSet[Client] = weakref.WeakSet()
_DEFAULT = _DefaultClient()
os.register_at_fork(after_in_child=_begin_anew)

job = cast(Client, _DEFAULT)


def worker_status() -> dict[str, Any]:
    """Of the default client: workers online and in all, jobs running and waiting, and each worker's facts."""
    return job.worker_status()
