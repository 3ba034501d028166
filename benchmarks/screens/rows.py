"""The rows of the table, their bars, and why a bar is missed where it is known."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line: a bar is a ceiling in the row's unit."""

    key: str
    title: str
    unit: str
    bar: float | None = None
    why: str = ""


ROWS = (
    Row(key="frame", title="first frame, with the rows of the cache", unit="ms", bar=350),
    Row(key="live", title="live rows at 50 ms of added round trip", unit="ms", bar=700),
    Row(
        key="growth",
        title="how much later live rows come with 100,000 jobs than with 100",
        unit="ms",
        bar=100,
    ),
    Row(key="key_p50", title="key to paint, 100,000 jobs and 1,000 events/s, p50", unit="ms", bar=10),
    Row(key="key_p99", title="the same, p99", unit="ms", bar=30),
    Row(key="idle_cpu", title="idle: CPU", unit="%", bar=0.2),
    Row(key="idle_bytes", title="idle: written to the terminal", unit="B/s", bar=0),
    Row(key="busy_cpu", title="1,000 events/s: CPU", unit="% of a core", bar=10),
    Row(key="busy_bytes", title="1,000 events/s: written to the terminal", unit="KB/s"),
    Row(key="paint", title="first paint at 120x40", unit="KB", bar=40),
    Row(key="paint_live", title="first paint and the live data over it", unit="KB"),
    Row(key="step_bytes", title="a step of the cursor", unit="KB", bar=1),
    Row(key="page_bytes", title="a page", unit="KB", bar=8),
    Row(
        key="rss",
        title="resident memory with 100,000 jobs",
        unit="MiB",
        bar=80,
        why="61 MiB without a job (33 of them Textual, 11 redis, 8 cryptography); then some 160 bytes a job: "
        "90 its name and command, 26 its id, 20 its times, 16 its places in the lists",
    ),
    Row(key="soak", title="what it has grown by after the soak at 100 events/s", unit="MiB", bar=5),
    Row(key="log", title="100,000 coloured log lines: CPU", unit="ms", bar=100),
    Row(key="filter", title="filter over 100,000 rows, the dearest of six queries: CPU", unit="ms", bar=50),
    Row(key="pixel", title="event to screen on the loopback, p95", unit="ms", bar=200),
    Row(key="banner", title="hub killed: banner after", unit="s", bar=1),
    Row(key="silent", title="hub silent: banner after", unit="s", bar=10),
    Row(key="back", title="hub back: live again after", unit="s", bar=2),
    Row(key="silent_back", title="hub speaks again: live again after", unit="s", bar=2),
)
