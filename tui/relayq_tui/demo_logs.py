"""What the demo's jobs print, line for line the same whenever it is asked."""

from __future__ import annotations

import random
from collections.abc import Iterator

from relayq.store.records import LogEntry
from relayq_tui.hubfeed import place
from relayq_tui.rows import JobRow

STEP = 1 << 44
GREEN, YELLOW, RED, BLUE, OFF = (f"\x1b[{code}m" for code in (32, 33, 31, 34, 0))


def order(name: str) -> tuple[int, int]:
    """An entry's id as something to compare; `end` is last."""
    return (1 << 62, 0) if name == "end" else place(name)


def entries(row: JobRow, now_ms: int, attempt: int | None = None) -> Iterator[LogEntry]:
    """The output of the job's attempts, or of one of them."""
    for number in range(1, row.attempt + 1):
        if attempt in (None, number):
            yield from _attempt(row, number, now_ms)


def _attempt(row: JobRow, number: int, now_ms: int) -> Iterator[LogEntry]:
    position = 0
    lines = list(_lines(row, number, now_ms))
    run_ms = row.run_ms(now_ms) or 0
    begun_ms = row.started_ms - (row.attempt - number) * (run_ms + 9_000)
    for count, (stream, line) in enumerate(lines, 1):
        data = (line + "\n").encode()
        at_ms = begun_ms + run_ms * count // len(lines)
        yield LogEntry(
            id=f"{number * STEP + position}-{at_ms}",
            attempt=number,
            position=position,
            stream=stream,
            data=data,
        )
        position += len(data)


def _lines(row: JobRow, number: int, now_ms: int) -> Iterator[tuple[int, str]]:
    run_s = (row.run_ms(now_ms) or 0) // 1000
    is_over = row.is_final or number < row.attempt
    if row.title.startswith("train-lora"):
        yield from _training(row, run_s)
    elif "ffmpeg" in row.command:
        yield from _encoding(run_s)
    elif row.name == "nightly-backup":
        yield from _backup(row)
    else:
        yield from _plain(row, run_s)
    if is_over and row.exit_code == 137:
        yield 2, f"{RED}allocator: oom, retrying with gc{OFF}"
        yield 2, f"{RED}relayq: oom, process group killed (SIGKILL), attempt {number}/{row.max_attempts}{OFF}"


def _training(row: JobRow, run_s: int) -> Iterator[tuple[int, str]]:
    dice = random.Random(row.id)
    yield 1, f"{BLUE}loading{OFF} base model, 3.1 G, bf16"
    for step in range(1, max(2, run_s)):
        loss = 0.9 / (1 + step / 60) + dice.random() * 0.004
        yield 1, f"step {step * 10:<5} loss {loss:.4f}  lr {GREEN}2.9e-4{OFF}"
        if step % 300 == 290:
            yield 2, f"{YELLOW}WARN{OFF}  memory {600 + step // 2} MiB of 1.0 GiB"


def _encoding(run_s: int) -> Iterator[tuple[int, str]]:
    yield 2, "Input #0, mov,mp4,m4a, from 'in.mp4': 1920x1080, 29.97 fps"
    for second in range(0, max(1, run_s), 2):
        at = f"00:{second // 60:02d}:{second % 60:02d}"
        yield 2, f"frame={second * 24:5d} fps= 24 q=31.0 size={second * 190:7d}kB time={at}"


def _backup(row: JobRow) -> Iterator[tuple[int, str]]:
    yield 1, "open repository"
    yield 1, "lock repository"
    yield 1, "using parent snapshot 4f0e12ab"
    if row.exit_code:
        yield 2, f"{RED}Fatal:{OFF} unable to save snapshot: write /mnt/usb/data/3f: no space left on device"
        return
    yield 1, "Files:  12 new, 31 changed, 48210 unmodified"
    yield 1, f"{GREEN}snapshot 91ac03ee saved{OFF}"


def _plain(row: JobRow, run_s: int) -> Iterator[tuple[int, str]]:
    yield 1, f"$ {row.command}"
    for part in range(1, min(200, max(2, run_s // 2))):
        yield 1, f"part {part} done"
    if row.exit_code:
        yield 2, f"{RED}error:{OFF} {row.message or 'it did not work'}"
