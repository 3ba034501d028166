"""A job of the hub as queries see it: what its spec says is read only when a query asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from relayq.client.glance import glance, title_of
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from relayq.store.records import JobRecord


class AskedJob:
    """One record with the attributes that `relayq.query` names."""

    def __init__(self, record: JobRecord) -> None:
        self.record = record
        self.id = record.id
        self.state: State = record.state
        self.reason = record.reason
        self.queue = record.lane.queue
        self.worker = record.worker
        self.priority = record.priority
        self.attempt = record.attempt
        self.exit_code = record.exit_code
        self.submitted_ms = record.submitted_ms
        self.ready_ms = record.due_ms or record.ready_ms
        self.started_ms = record.started_ms
        self.ended_ms = record.ended_ms

    @cached_property
    def _spec(self) -> JobSpec | None:
        return glance(self.record.envelope)

    @property
    def name(self) -> str:
        """Its name, or what stands for one."""
        return title_of(self._spec)

    @property
    def command(self) -> str:
        """The command as one line."""
        command = self._spec.command if self._spec else ""
        return command if isinstance(command, str) else " ".join(command)

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Its own labels."""
        return dict(self._spec.labels) if self._spec else {}

    @property
    def needs(self) -> str:
        """What it demands of a worker."""
        return ",".join(self.record.lane.needs.to_list())

    @property
    def after(self) -> tuple[str, ...]:
        """The jobs it depends on."""
        return tuple(need.job for need in self._spec.after) if self._spec else ()

    @property
    def by(self) -> str:
        """The key that signed it; jobs submitted in bulk name none."""
        words = self.record.envelope.partition(b"\n")[0].split()
        return words[2].decode() if len(words) > 2 and words[1] == b"ed25519" else ""
