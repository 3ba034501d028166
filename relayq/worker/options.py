"""What a person decides when starting a worker; everything None is left to the configuration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """`idle_exit_s` lets a worker leave after so long without a job, `once` as soon as there is none.

    `kill_on_stop` ends running jobs at the stop deadline instead of leaving them to the
    keeper. `trust` are public keys believed beside the configured ones. `beside` are started
    with the worker and end with it; one that fails is started again.
    """

    url: str
    name: str | None = None
    labels: tuple[str, ...] = ()
    slots: int | None = None
    queues: tuple[str, ...] | None = None
    trust: tuple[str, ...] = ()
    headless: bool = True
    idle_exit_s: float | None = None
    kill_on_stop: bool = False
    once: bool = False
    beside: tuple[Callable[[], Awaitable[None]], ...] = ()
