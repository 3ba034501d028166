"""Tell the hub about the step of GitHub Actions that submits: the budget's third source.

It is told when a job was submitted and once more when the client closes, so that a
step which waited is counted for as long as it waited. Telling is a courtesy: where the
hub does not take it, nothing is said and the job is submitted all the same.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from relayq.errors import HubError
from relayq.model.steps import step_of

if TYPE_CHECKING:
    from relayq.client.dispatch import Dispatcher
    from relayq.model.steps import StepReport

MOST_EVENT_BYTES = 1 << 20


class StepTeller:
    """Tells about the step around this process; `tell` as often as it may be counted longer."""

    def __init__(self) -> None:
        self._report: StepReport | None = step_of(os.environ, int(time.time() * 1000), _event())

    def tell(self, dispatcher: Dispatcher) -> None:
        """One round trip."""
        if self._report is not None:
            text = json.dumps(self._report.to_request(), separators=(",", ":"))
            with suppress(HubError):
                dispatcher.ask(("FCALL", "rq1_step", 1, dispatcher.anchor, text))


def _event() -> dict[str, Any]:
    """What started the workflow, as the runner wrote it down; nothing of it is believed but its shape."""
    from pathlib import Path

    with suppress(OSError, ValueError, RecursionError):
        path = Path(os.environ.get("GITHUB_EVENT_PATH", ""))
        if path.is_file() and path.stat().st_size <= MOST_EVENT_BYTES:
            given = json.loads(path.read_bytes())
            return given if isinstance(given, dict) else {}
    return {}
