"""The job type `shell`: a command.

One string is a line for /bin/sh; several are a program and its arguments, which
no shell ever sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from relayq.errors import SpecError

if TYPE_CHECKING:
    from relayq.model.job import JobSpec
    from relayq.plugins import Attempt, Outcome


class Shell:
    """Run a command under the worker's keeper."""

    name = "shell"

    def check(self, spec: JobSpec) -> None:
        """Refuse a spec without a command, or with what only other types read."""
        program = spec.command if isinstance(spec.command, str) else "".join(spec.command[:1])
        if not program.strip():
            raise SpecError(
                "the command is empty: give a shell line or a program and its arguments (field 'command')"
            )
        if spec.args is not None:
            raise SpecError("a shell job takes no args: its arguments are part of the command (field 'args')")

    async def run(self, attempt: Attempt) -> Outcome:
        """Run the command to its end."""
        spec = attempt.spec
        return await attempt.spawn(
            argv_of(spec),
            env=dict((*spec.env, *spec.secrets)),
            stdin=spec.stdin.encode("utf-8", "surrogateescape"),
            cwd=spec.cwd,
        )


def argv_of(spec: JobSpec) -> list[str]:
    """Return what is executed."""
    return ["/bin/sh", "-c", spec.command] if isinstance(spec.command, str) else list(spec.command)
