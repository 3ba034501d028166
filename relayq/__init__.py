"""RelayQ: a job queue for the machines you already own.

The public names are resolved when they are first used (PEP 562), so that
`import relayq` costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient as AsyncClient
    from relayq.client.sync import Client as Client
    from relayq.client.sync import job as job
    from relayq.client.sync import worker_status as worker_status
    from relayq.errors import HubUnreachable as HubUnreachable
    from relayq.errors import JobCancelled as JobCancelled
    from relayq.errors import JobExpired as JobExpired
    from relayq.errors import JobFailed as JobFailed
    from relayq.errors import JobSkipped as JobSkipped
    from relayq.errors import OutputTruncated as OutputTruncated
    from relayq.errors import RelayQError as RelayQError
    from relayq.errors import SpecError as SpecError
    from relayq.errors import WaitTimeout as WaitTimeout
    from relayq.model.job import JobSpec as JobSpec

__version__ = "0.1.0"

_HOMES = {
    "AsyncClient": "relayq.client.aio",
    "Client": "relayq.client.sync",
    "HubUnreachable": "relayq.errors",
    "JobCancelled": "relayq.errors",
    "JobExpired": "relayq.errors",
    "JobFailed": "relayq.errors",
    "JobSkipped": "relayq.errors",
    "JobSpec": "relayq.model.job",
    "OutputTruncated": "relayq.errors",
    "RelayQError": "relayq.errors",
    "SpecError": "relayq.errors",
    "WaitTimeout": "relayq.errors",
    "errors": "relayq.errors",
    "job": "relayq.client.sync",
    "worker_status": "relayq.client.sync",
}

__all__ = [
    "AsyncClient",
    "Client",
    "HubUnreachable",
    "JobCancelled",
    "JobExpired",
    "JobFailed",
    "JobSkipped",
    "JobSpec",
    "OutputTruncated",
    "RelayQError",
    "SpecError",
    "WaitTimeout",
    "errors",
    "job",
    "worker_status",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'relayq' has no attribute {name!r}")
    module = import_module(_HOMES[name])
    return module if name == "errors" else getattr(module, name)
