"""Copy through everything that might be a clipboard here: the terminal's, tmux's, the desktop's.

OSC 52 travels over SSH to the terminal in front of the person; tmux keeps it for
itself unless told otherwise; on the machine itself the desktop's own tool is surer.
None of them answers, so all that are there are tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from textual.app import App

TOOLS = (("pbcopy",), ("wl-copy",), ("xclip", "-selection", "clipboard"))
PATIENCE_S = 1.0


def copy(app: App[Any], text: str) -> None:
    """Put the text where a paste will find it."""
    app.copy_to_clipboard(text)
    for argv in commands():
        try:
            subprocess.run(
                argv, input=text.encode(), timeout=PATIENCE_S, check=False,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            continue


def commands() -> list[tuple[str, ...]]:
    """The clipboards of this machine that can be reached."""
    found = [("tmux", "load-buffer", "-w", "-")] if os.environ.get("TMUX") else []
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return found + [tool for tool in TOOLS if shutil.which(tool[0]) and (tool[0] == "pbcopy" or has_display)]
