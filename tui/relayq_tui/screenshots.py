"""Take a picture of every screen: `python -m relayq_tui.screenshots [FOLDER] [--themes]`.

Every picture is of the demo's home with its clock standing still, so two runs on two
machines give the same SVG. PNG is made by a chromium on the PATH (Debian: chromium,
fonts-firacode, fonts-dejavu-core, fonts-noto-cjk); without one there is SVG only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from textual.app import App
from textual.pilot import Pilot

from relayq_tui.app import Options, RelayQApp
from relayq_tui.demo import DemoFeed
from relayq_tui.picture import picture_of
from relayq_tui.png import shrunk

SIZES = ((120, 40), (60, 25))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REST_S = 0.15
QUIET_LOOKS = 3
PATIENCE_LOOKS = 60
GIVE_UP_S = 60.0
JOB = ("j",) * 6  # from the top to the job that ran out of memory


class Shot(NamedTuple):
    """One picture: its name, the screen to begin on, the keys to press there."""

    name: str
    screen: str
    keys: tuple[str, ...] = ()


SHOTS = (
    Shot("jobs", "jobs", JOB),
    Shot("filter", "jobs", ("/", *"state:failed age:<1d")),
    Shot("job-log", "jobs", (*JOB, "enter")),
    Shot("job-details", "jobs", (*JOB, "d")),
    Shot("job-attempts", "jobs", (*JOB, "enter", "tab", "tab")),
    Shot("job-flow", "jobs", (*JOB, "f")),
    Shot("workers", "workers"),
    Shot("worker", "workers", ("j", "j", "j", "j", "enter")),
    Shot("timeline", "timeline"),
    Shot("schedules", "schedules"),
    Shot("budget", "budget"),
    Shot("events", "events"),
    Shot(
        "submit",
        "jobs",
        ("o", *"python train.py --epochs 12", "tab", "tab", *"gpu", "tab", *"gpu=1,memory=2G"),
    ),
    Shot("actions", "jobs", (*JOB, "a")),
    Shot("palette", "jobs", (":", *"re")),
    Shot("help", "jobs", ("?",)),
)


def main(argv: list[str] | None = None) -> int:
    """Take them all."""
    parser = argparse.ArgumentParser(prog="python -m relayq_tui.screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", default="screenshots", help="where to put them")
    parser.add_argument("--only", default="", metavar="NAME", help="this picture alone")
    parser.add_argument("--theme", default="dark", help="dark, light, ansi or mono")
    args = parser.parse_args(argv)
    os.environ["TZ"] = "UTC"
    time.tzset()
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [shot for shot in SHOTS if args.only in ("", shot.name)]
    drawn = asyncio.run(_draw_all(wanted, folder, args.theme))
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        say(f"{len(drawn)} SVG are in {folder}; for PNG, put chromium on the PATH")
        return 0
    for path in drawn:
        photograph(browser, path)
    say(f"{len(drawn)} pictures are in {folder}, as SVG and as PNG")
    return 0


def say(sentence: str) -> None:
    """To whoever started it."""
    sys.stdout.write(f"{sentence}\n")


async def _draw_all(shots: list[Shot], folder: Path, theme: str) -> list[Path]:
    drawn = []
    for shot in shots:
        for width, height in SIZES:
            path = folder / f"{shot.name}-{width}x{height}.svg"
            path.write_text(await draw(shot, (width, height), theme), "utf-8")
            drawn.append(path)
    return drawn


async def draw(shot: Shot, size: tuple[int, int], theme: str = "dark") -> str:
    """One picture as SVG."""
    app = RelayQApp(DemoFeed(), Options(screen=shot.screen, ticks=False, theme=theme))
    async with app.run_test(size=size) as pilot:
        await rested(pilot, app)
        for key in shot.keys:
            await pilot.press(KEYS.get(key, key))
        await rested(pilot, app)
        return picture_of(app)


KEYS = {" ": "space", "/": "slash", ":": "colon", "?": "question_mark", ".": "full_stop", "-": "minus",
        "=": "equals_sign", ",": "comma", "<": "less_than_sign"}  # fmt: skip


async def rested(pilot: Pilot[None], app: App[None]) -> None:
    """Wait until the picture stands still: three looks that see the same."""
    seen: list[str] = []
    for _ in range(PATIENCE_LOOKS):
        await pilot.pause(REST_S)
        seen.append(picture_of(app))
        if len(seen) >= QUIET_LOOKS and len(set(seen[-QUIET_LOOKS:])) == 1:
            return


def photograph(browser: str, path: Path) -> None:
    """Let the browser make a PNG of an SVG, beside it, and make that small."""
    width, height = _extent(path)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-lcd-text", "--disable-font-subpixel-positioning", "--font-render-hinting=none",
                f"--user-data-dir={profile}", "--default-background-color=00000000",
                f"--window-size={width},{height}", f"--screenshot={path.with_suffix('.png').resolve()}",
                path.resolve().as_uri(),
            ],
            check=True, timeout=GIVE_UP_S, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    drawn = path.with_suffix(".png")
    drawn.write_bytes(shrunk(drawn.read_bytes()))


def _extent(path: Path) -> tuple[int, int]:
    head = path.read_text("utf-8").partition(">")[0]
    numbers: Iterator[str] = (
        word.split('"')[1] for word in head.split(" ") if word.startswith(("width=", "height="))
    )
    width, height = map(int, numbers)
    return width, height


if __name__ == "__main__":
    sys.exit(main())
