"""What there is to see of one worker: who it is, how its machine fares, what it does and did.

Drawn beside or under the list of workers and on a worker's own screen. Each part is a
list of lines, each line a list of styled pieces, so that a screen can stack the parts
or set them side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.style import Style

from relayq.model.duration import format_duration, format_size
from relayq.model.lifecycle import State
from relayq.text import safe
from relayq_tui.audit import Deed
from relayq_tui.chronicle import last_day
from relayq_tui.glyphs import Glyphs, age, clock, meter
from relayq_tui.rows import JobRow, Sample, WorkerRow
from relayq_tui.store import DAY_MS
from relayq_tui.theme import Palette
from relayq_tui.vitals import FULL_MEMORY, Vitals, slots, vitals
from relayq_tui.widgets.line import Line, fit

if TYPE_CHECKING:
    from relayq_tui.app import RelayQApp

LABEL = 6
VALUE = 23
CURVE_MAX = 60
VERSION_FITS = 66
COLD, HOT = 30.0, 90.0
SLOTS_DRAWN = 8
Pieces = list[tuple[str, Style]]


def stance(worker: WorkerRow, glyphs: Glyphs, palette: Palette) -> tuple[str, str, Style]:
    """How a worker stands, as (glyph, word, style)."""
    if not worker.online:
        return glyphs.none, "offline", palette.warn if worker.running else palette.dim
    if worker.silent_ms:
        return glyphs.half, "silent", palette.warn
    if worker.command in ("stop", "kill"):
        return glyphs.half, "leaving", palette.warn
    if worker.command == "quiet":
        return glyphs.held, "paused", palette.warn
    if worker.facts.get("takes_nothing"):
        return glyphs.held, "closed", palette.warn
    if worker.running:
        return glyphs.live, "busy", palette.run
    return glyphs.live, "ready", palette.good


def slot_marks(worker: WorkerRow, glyphs: Glyphs) -> str:
    """`▣□□□ 1/4`; of many slots only the numbers."""
    taken, room = slots(worker)
    count = f"{taken}/{room}"
    if not 0 < room <= SLOTS_DRAWN:
        return count
    return f"{glyphs.slot * taken}{glyphs.slot_free * (room - taken)} {count}"


def bars(values: Sequence[float], width: int, glyphs: Glyphs, *, low: float = 0.0, high: float = 1.0) -> str:
    """The last `width` values between `low` and `high` as bars, the latest at the right edge."""
    steps = len(glyphs.bars) - 1
    shown = values[-width:]
    levels = (round((value - low) / (high - low) * steps) for value in shown)
    return "".join(glyphs.bars[max(0, min(steps, level))] for level in levels).rjust(width)


class Portrait:
    """The parts of the picture of one worker, `width` columns wide."""

    def __init__(self, app: RelayQApp, worker: WorkerRow, width: int) -> None:
        self._app, self._worker, self._width = app, worker, width
        self._palette, self._glyphs = app.palette, app.glyphs
        self._now = vitals(worker.facts)

    # -- who it is

    def identity(self) -> Iterator[Pieces]:
        """Its name and state, its room and labels, and what it runs on."""
        p, worker = self._palette, self._worker
        glyph, word, style = stance(worker, self._glyphs, p)
        model = worker.facts.get("model") or worker.facts.get("os", "")
        version = worker.facts.get("version", "") if self._width >= VERSION_FITS else ""
        seen = self._seen()
        seen_style = p.head if worker.online else p.warn
        yield [
            (f"{worker.name}  ", p.strong),
            (f"{glyph} {word}", style),
            (self._why(), p.warn),
            (f"   {seen}", seen_style),
            (f"   {model}" if model else "", p.text),
            (f"   relayq {version}" if version else "", p.head),
        ]
        offers = self._offers()
        yield [
            ("slots".ljust(LABEL), p.head),
            (slot_marks(worker, self._glyphs), p.text),
            (f"   {offers}" if offers else "", p.text),
        ]
        yield from self._told(self._origins())

    def in_short(self) -> Iterator[Pieces]:
        """The same and its machine in two lines, for where there is no room."""
        p, worker, now = self._palette, self._worker, self._now
        glyph, word, style = stance(worker, self._glyphs, p)
        yield [(f"{worker.name}  ", p.strong), (f"{glyph} {word}", style), (self._why(), p.warn),
               (f"  {self._seen()}", p.head)]  # fmt: skip
        heat = "" if now.celsius is None else f"   {self._degrees(now.celsius)}"
        told = {"cpu": now.cpu, "ram": now.memory, "disk": now.disk}
        shares = "   ".join(f"{name} {share:.0%}" for name, share in told.items() if share is not None)
        yield [(shares, p.text), (heat, p.warn if now.is_hot else p.text), (f"  {self._trouble()}", p.warn)]

    def _seen(self) -> str:
        seen_ms = self._worker.seen_ms
        return f"seen {age(self._app.store.now_ms() - seen_ms)} ago" if seen_ms else ""

    def _why(self) -> str:
        told = self._worker.facts.get("takes_nothing", "")
        return f", {told}" if told and not self._worker.command else ""

    def _offers(self) -> str:
        offer = self._worker.offer
        labels, queues, counters = offer.get("labels"), offer.get("queues"), offer.get("counters")
        said = "labels " + ",".join(map(str, labels)) if isinstance(labels, list) and labels else ""
        if isinstance(queues, list) and queues:
            said += f"   only queues {','.join(map(str, queues))}"
        if isinstance(counters, dict):
            said += "".join(f"   {name}={count}" for name, count in counters.items())
        return safe(said)

    def _origins(self) -> list[str]:
        facts, now = self._worker.facts, self._now
        memory = format_size(int(now.memory_bytes)) if now.memory_bytes else ""
        system = facts.get("os", "") if facts.get("model") else ""  # else it stands in the first line
        return [
            f"up {age(int(now.up_s * 1000))}" if now.up_s else "",
            " ".join(word for word in (system, facts.get("arch", "")) if word),
            f"{facts['cpus']} cpus, {memory}" if facts.get("cpus") and memory else "",
            f"gpu {facts['gpus']}" if facts.get("gpus") else "",
            f"hub {now.rtt_ms:.0f} ms" if now.rtt_ms is not None else "",
            f"isolation {safe(facts['isolation'])}" if facts.get("isolation") else "",
            f"kills by {facts['kill_level']}" if facts.get("kill_level") else "",
            self._power(),
        ]

    def _power(self) -> str:
        power, now = self._worker.facts.get("power", ""), self._now
        charge = f" {now.battery:.0f}%" if now.battery is not None else ""
        return f"on battery{charge}" if power == "battery" else ""

    # -- how its machine fares

    def machine(self) -> Iterator[Pieces]:
        """Curves of the last hour with the value of now."""
        p, now = self._palette, self._now
        busy = "" if now.cpu is None else f"{now.cpu:4.0%}"
        load = f"  load {now.load:.1f}/{now.cpus:.0f}" if now.load is not None and now.cpus else ""
        yield self._curve("cpu", lambda one: one.cpu, [(busy, p.text), (load, p.head)])
        yield self._curve("ram", lambda one: one.memory, self._memory())
        if now.celsius is not None:
            yield self._curve("temp", lambda one: one.celsius, self._heat(now), low=COLD, high=HOT)
        elif self._trouble():
            yield [("temp".ljust(LABEL), p.head), *self._heat(now)]
        if now.disk is not None and now.disk_free is not None:
            yield self._disk(now.disk, now.disk_free)
        if now.received_bps is not None and now.sent_bps is not None:
            yield self._network(now.received_bps, now.sent_bps)

    def _curve(
        self,
        label: str,
        get: Callable[[Sample], float | None],
        value: Pieces,
        *,
        low: float = 0.0,
        high: float = 1.0,
    ) -> Pieces:
        known = [found for one in self._worker.history if (found := get(one)) is not None]
        drawn = bars(known, self._curve_width(), self._glyphs, low=low, high=high)
        return [(label.ljust(LABEL), self._palette.head), (drawn + "  ", self._palette.accent), *value]

    def _curve_width(self) -> int:
        return max(4, min(CURVE_MAX, self._width - LABEL - VALUE))

    def _memory(self) -> Pieces:
        now, p = self._now, self._palette
        if now.memory is None or now.memory_bytes is None:
            return []
        style = p.warn if now.memory >= FULL_MEMORY else p.text
        used, size = now.memory * now.memory_bytes, now.memory_bytes
        return [
            (f"{now.memory:4.0%}", style),
            (f"  {format_size(int(used))} of {format_size(int(size))}", p.head),
        ]

    def _heat(self, now: Vitals) -> Pieces:
        p = self._palette
        value = "" if now.celsius is None else self._degrees(now.celsius).rjust(4)
        trouble = self._trouble()
        said = f"  {trouble}" if trouble else "  not throttled" if self._worker.facts.get("throttled") else ""
        return [(value, p.warn if now.is_hot else p.text), (said, p.warn if trouble else p.head)]

    def _degrees(self, celsius: float) -> str:
        return f"{celsius:.0f}°C" if self._glyphs.name == "unicode" else f"{celsius:.0f}C"

    def _trouble(self) -> str:
        told = self._worker.facts.get("throttled", "no")
        return "" if told == "no" else told

    def _disk(self, share: float, free: float) -> Pieces:
        p = self._palette
        drawn = meter(share, self._curve_width(), self._glyphs)
        return [("disk".ljust(LABEL), p.head), (drawn + "  ", p.warn if self._now.is_full else p.accent),
                (f"{share:4.0%}", p.warn if self._now.is_full else p.text),
                (f"  {format_size(int(free))} free", p.head)]  # fmt: skip

    def _network(self, received: float, sent: float) -> Pieces:
        p, g = self._palette, self._glyphs
        return [("net".ljust(LABEL), p.head), (f"{g.down} {format_size(int(received))}/s", p.text),
                (f"   {g.up} {format_size(int(sent))}/s", p.text)]  # fmt: skip

    # -- what it does and did

    def work(self, jobs: Sequence[JobRow]) -> Iterator[Pieces]:
        """What runs, how the last day went, and the latest jobs that ended."""
        p = self._palette
        running = [row for row in jobs if not row.is_final]
        for row in running:
            yield self._running(row)
        if not running:
            yield [("runs nothing now", p.dim)]
        yield self.day(jobs)
        yield from (self._ended(row) for row in jobs if row.is_final)

    def day(self, jobs: Sequence[JobRow]) -> Pieces:
        """The last day in numbers."""
        p, g, now_ms = self._palette, self._glyphs, self._app.store.now_ms()
        good, bad = last_day(self._app.store).get(self._worker.name, (0, 0))
        runs = sorted(run for row in jobs if (run := row.run_ms(now_ms)) is not None and row.is_final)
        usual = f"   median {format_duration(runs[len(runs) // 2])}" if runs else ""
        spent = sum(row.run_ms(now_ms) or 0 for row in jobs if (row.ended_ms or now_ms) > now_ms - DAY_MS)
        room = max(1, slots(self._worker)[1])
        usual += f"   busy {min(1.0, spent / (room * DAY_MS)):.0%}" if runs else ""
        return [("last 24h ", p.head), (f"{g.states[State.SUCCEEDED]}{good} ", p.text if good else p.dim),
                (f"{g.states[State.FAILED]}{bad}", p.text if bad else p.dim), (usual, p.head)]  # fmt: skip

    def happened(self, deeds: Sequence[Deed]) -> Iterator[Pieces]:
        """What happened to it, the newest first."""
        p = self._palette
        if deeds:
            yield [("events", p.head)]
        for one in deeds:
            style = p.warn if one.kind == "trouble" else p.text
            yield [(f"{clock(one.at_ms)} ", p.dim), (fit(one.what, max(6, self._width - 6)), style)]

    def _running(self, row: JobRow) -> Pieces:
        p, g, now_ms = self._palette, self._glyphs, self._app.store.now_ms()
        end_ms = self._app.store.history.end_ms(row, now_ms)
        spent = format_duration(row.run_ms(now_ms) or 0)
        done = "" if row.progress is None else f" {row.progress:.0f}%"
        eta = "" if end_ms is None else f"  {g.about}{clock(end_ms)}"
        tail = f"  {spent}{done}{eta}"
        title = fit(row.title, max(6, self._width - 9 - len(tail)))
        return [(f"{g.states[row.state]} ", p.of(row.state)), (f"{row.short_id} ", p.head), (title, p.text),
                (tail, p.head)]  # fmt: skip

    def _ended(self, row: JobRow) -> Pieces:
        p, g = self._palette, self._glyphs
        code = (
            f"exit {row.exit_code}"
            if row.exit_code
            else row.reason
            if row.state is not State.SUCCEEDED
            else ""
        )
        tail = f"  {code or format_duration(row.run_ms(row.ended_ms) or 0)}"
        title = fit(row.title, max(6, self._width - 15 - len(tail)))
        return [(f"{clock(row.ended_ms)} ", p.dim), (f"{g.states[row.state]} ", p.of(row.state)),
                (f"{row.short_id} ", p.head), (title, p.text),
                (tail, p.bad if row.state is State.FAILED else p.head)]  # fmt: skip

    # -- lines

    def _told(self, parts: Sequence[str]) -> Iterator[Pieces]:
        """The parts one after the other, over as many lines as they need."""
        line, dot = "", f" {self._glyphs.dot} "
        for part in filter(None, parts):
            if line and len(line) + len(dot) + len(part) > self._width - 1:
                yield [(line, self._palette.head)]
                line = ""
            line += dot + part if line else part
        yield [(line, self._palette.head)]


def line_of(pieces: Pieces, width: int, *, margin: int = 1) -> Line:
    """The pieces as a line of at most `width` columns, the last one that fits cut with an ellipsis."""
    line, room = Line().add(" " * margin), width - margin
    for text, style in pieces:
        if room <= 0:
            break
        shown = fit(text, room) if len(text) > room else text
        line.add(shown, style)
        room -= len(shown)
    return line


def beside(left: Sequence[Pieces], right: Sequence[Pieces], width: int, style: Style) -> list[Pieces]:
    """Two columns; the left one `width` columns wide, `style` for the gap."""
    rows = max(len(left), len(right))
    padded = [*left, *([[]] * (rows - len(left)))]
    others = [*right, *([[]] * (rows - len(right)))]
    return [[*pieces, (" " * max(0, width - _length(pieces)), style), *more]
            for pieces, more in zip(padded, others, strict=True)]  # fmt: skip


def _length(pieces: Pieces) -> int:
    return sum(len(text) for text, _ in pieces)
