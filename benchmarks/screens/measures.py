"""What is measured: each function returns figures by row (rows.py), ours and those of the minimal app."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.figures import median
from benchmarks.screens.scene import FEW, Hub, Scene, at_rest, pipe
from benchmarks.screens.terminal import Terminal

Figures = dict[str, float]
CURSOR = "▶"
LINK_MS = 50.0
EVENTS_A_S = 1_000
SOAK_EVENTS_A_S = 100
KEY_PAUSE_S = 0.03
QUIET_S = 0.4


def first_frame(scene: Scene) -> tuple[Figures, Figures]:
    """From the start of the process to the first frame with rows of the cache, and to live rows."""
    hub, runs = scene.big, scene.few(9, 3)
    link = scene.link(hub, LINK_MS)
    with scene.screen(hub, link.url) as screen:  # leaves the cache behind
        screen.painted("live")
        time.sleep(1)
        _leave(screen)
    frames, lives, sizes, whole = [], [], [], []
    for number in range(runs):
        fresh = f"fresh-{number:02}-{time.monotonic_ns() % 10_000}"
        with hub.asked("touch") as toucher:
            _touch(toucher, fresh)
        with scene.screen(hub, link.url) as screen:
            frames.append(_first(screen))
            sizes.append(screen.bytes_out)
            lives.append(screen.painted(fresh) - screen.began_s)
            time.sleep(QUIET_S)
            whole.append(screen.bytes_out)
            _leave(screen)
    own = {
        "frame": median(frames) * 1000, "live": median(lives) * 1000,
        "paint": median(sizes) / 1000, "paint_live": median(whole) / 1000,
    }  # fmt: skip
    least, bytes_out = [], []
    for _ in range(runs):
        with scene.minimal() as screen:
            least.append(screen.painted("line 39") - screen.began_s)
            bytes_out.append(screen.bytes_out)
    return own, {"frame": median(least) * 1000, "paint": median(bytes_out) / 1000}


def _first(screen: Terminal) -> float:
    """When the first rows were there, and the whole frame around them."""
    return max(screen.painted("photos"), screen.painted("actions")) - screen.began_s


def _touch(toucher: subprocess.Popen[str], name: str) -> float:
    """Submit a job with a name; when the hub had it."""
    stdin, stdout = pipe(toucher.stdin), pipe(toucher.stdout)
    stdin.write(f"{name}\n")
    stdin.flush()
    answer = stdout.readline()
    if not answer:
        raise RuntimeError(
            f"whoever should have submitted {name} left with {toucher.wait(10)}; see its words above"
        )
    return float(answer)


def _leave(screen: Terminal) -> None:
    screen.press("\x11")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and os.waitpid(screen.pid, os.WNOHANG)[0] == 0:
        time.sleep(0.01)


def growth(scene: Scene) -> tuple[Figures, Figures]:
    """How much later live rows come with a hundred thousand jobs than with a hundred."""
    found = {
        hub.jobs: median([_live(scene, hub) for _ in range(scene.few(7, 3))])
        for hub in (scene.small, scene.big)
    }
    return {"growth": (found[scene.big.jobs] - found[FEW]) * 1000}, {}


def _live(scene: Scene, hub: Hub) -> float:
    with scene.screen(hub) as screen:
        when = screen.painted("live") - screen.began_s
        _leave(screen)
    return when


def keys(scene: Scene) -> tuple[Figures, Figures]:
    """Keys under load, each from the press to the first byte of the moved cursor's line."""
    count = scene.few(400, 100)
    with scene.loaded(scene.big) as screen, scene.big.asked("load", str(EVENTS_A_S)) as load:
        pipe(load.stdout).readline()
        _down(screen, 60)
        own = _pressed(screen, count)
    with scene.minimal() as screen:
        least = _pressed(screen, count)
    return _spread("key", own), _spread("key", least)


def _spread(name: str, seconds: Sequence[float]) -> Figures:
    ordered = sorted(seconds)
    return {f"{name}_p50": median(ordered) * 1000, f"{name}_p99": ordered[int(len(ordered) * 0.99)] * 1000}


def _down(screen: Terminal, count: int) -> None:
    """Away from the top, where the list follows the newest."""
    for _ in range(count):
        screen.press("j")
        time.sleep(0.01)
    time.sleep(1)


def _pressed(screen: Terminal, count: int) -> list[float]:
    found = []
    for number in range(count):
        when, mark = screen.press("jk"[number // 15 % 2])
        found.append(screen.painted(CURSOR, mark, 5) - when)
        time.sleep(KEY_PAUSE_S)
    return found


def moves(scene: Scene) -> tuple[Figures, Figures]:
    """Bytes of one step of the cursor and of a page, nothing else happening."""
    with scene.loaded(scene.big) as screen:
        own = {"step_bytes": _bytes(screen, "j") / 1000, "page_bytes": _bytes(screen, "\x1b[6~") / 1000}
    with scene.minimal() as screen:
        return own, {"step_bytes": _bytes(screen, "j") / 1000}


def _bytes(screen: Terminal, key: str) -> float:
    sizes = []
    for _ in range(7):
        before = screen.bytes_out
        screen.press(key)
        time.sleep(QUIET_S)
        sizes.append(screen.bytes_out - before)
    return median(sizes)


def idle(scene: Scene) -> tuple[Figures, Figures]:
    """CPU and bytes while nothing happens."""
    seconds = scene.few(60, 20)
    with scene.loaded(scene.big) as screen:
        time.sleep(10)
        cpu, written = _watched(screen, seconds)
    with scene.minimal() as screen:
        least, least_written = _watched(screen, seconds)
    own = {"idle_cpu": cpu, "idle_bytes": written}
    return own, {"idle_cpu": least, "idle_bytes": least_written}


def _watched(screen: Terminal, seconds: float) -> tuple[float, float]:
    """CPU in percent of a core, bytes a second."""
    cpu, written, began = screen.cpu_s(), screen.bytes_out, time.monotonic()
    time.sleep(seconds)
    for_s = time.monotonic() - began
    return (screen.cpu_s() - cpu) / for_s * 100, (screen.bytes_out - written) / for_s


def busy(scene: Scene) -> tuple[Figures, Figures]:
    """CPU and bytes while a thousand things happen each second, the cursor at the top."""
    with scene.loaded(scene.big) as screen, scene.big.asked("load", str(EVENTS_A_S)) as load:
        pipe(load.stdout).readline()
        time.sleep(3)
        cpu, written = _watched(screen, scene.few(30, 15))
    return {"busy_cpu": cpu, "busy_bytes": written / 1000}, {}


def memory(scene: Scene) -> tuple[Figures, Figures]:
    """Resident memory with everything read, and what it has grown by after a soak."""
    hub = scene.fresh(scene.big.jobs)
    with scene.loaded(hub) as screen:
        settled = screen.rss_bytes()
        with hub.asked("load", str(SOAK_EVENTS_A_S)) as load:
            pipe(load.stdout).readline()
            time.sleep(scene.soak_s)
        at_rest(screen)
        grown = screen.rss_bytes() - settled
    with scene.minimal() as screen:
        least = screen.rss_bytes()
    return {"rss": settled / 2**20, "soak": grown / 2**20}, {"rss": least / 2**20}


def pixel(scene: Scene) -> tuple[Figures, Figures]:
    """From the hub's answer to a submit to the job's name on the screen."""
    waits = []
    with scene.loaded(scene.small) as screen, scene.small.asked("touch") as toucher:
        for number in range(scene.few(60, 20)):
            mark, name = screen.mark, f"pixel-{number:03}"
            there = _touch(toucher, name)
            waits.append(screen.painted(name, mark, 10) - there)
            time.sleep(0.11)
    return {"pixel": sorted(waits)[int(len(waits) * 0.95)] * 1000}, {}


def lost(scene: Scene) -> tuple[Figures, Figures]:
    """Banner times of a killed and of a silent hub, and the way back."""
    hub = scene.fresh(FEW)
    own: Figures = {}
    with scene.loaded(hub) as screen:
        mark, began = screen.mark, time.monotonic()
        hub.server.kill()
        own["banner"] = screen.painted("reconnecting", mark) - began
        time.sleep(2)
        mark = screen.mark
        hub.server.start()
        own["back"] = _since(screen, mark)
        time.sleep(3)
        mark, began = screen.mark, time.monotonic()
        hub.server.process.send_signal(signal.SIGSTOP)
        own["silent"] = screen.painted("reconnecting", mark) - began
        time.sleep(2)
        mark = screen.mark
        hub.server.process.send_signal(signal.SIGCONT)
        own["silent_back"] = _since(screen, mark)
    return own, {}


def _since(screen: Terminal, mark: int) -> float:
    """How long from now until it is live."""
    began = time.monotonic()
    return max(0.0, screen.painted("live", mark) - began)


def inside(scene: Scene) -> tuple[Figures, Figures]:
    """What is CPU time alone, measured in processes of their own."""
    own, least = {}, {}
    for name in ("log", "filter"):
        said = subprocess.run(
            [sys.executable, "-m", "benchmarks.screens.inside", name], env=scene.small.environment(),
            check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        own[name], least[name] = float(said[0]), float(said[1])
    return own, least


# First what wants a hub whose jobs are all history, then what makes new ones.
MEASURES: dict[str, Callable[[Scene], tuple[Figures, Figures]]] = {
    "idle": idle,
    "moves": moves,
    "growth": growth,
    "start": first_frame,
    "keys": keys,
    "busy": busy,
    "memory": memory,
    "pixel": pixel,
    "lost": lost,
    "inside": inside,
}
