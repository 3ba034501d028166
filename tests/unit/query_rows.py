"""Rows to ask queries of, and a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field

from relayq.model.lifecycle import State

NOW_MS = 1_800_000_000_000
S, M, H, D = 1_000, 60_000, 3_600_000, 86_400_000


@dataclass(slots=True, kw_only=True)
class Row:
    """A job with the attributes that queries read."""

    id: str = "0123456789" + "7RDKM4"
    name: str = "train-lora"
    command: str = "python train.py --epochs 9"
    state: State = State.FAILED
    reason: str = "exit"
    queue: str = "gpu"
    worker: str = "mac-mini"
    priority: int = 8
    attempt: int = 3
    exit_code: int | None = 137
    submitted_ms: int = NOW_MS - 31 * M
    ready_ms: int = NOW_MS - 31 * M
    started_ms: int = NOW_MS - 16 * M
    ended_ms: int = NOW_MS - 1 * M
    labels: dict[str, str] = field(default_factory=lambda: {"nightly": "", "team": "ml"})
    needs: str = "gpu,arm64,cpus=2"
    after: tuple[str, ...] = ("ABCDEFGHJK" + "7RDKN0",)
    by: str = "Actions"
    cost: float | None = None
