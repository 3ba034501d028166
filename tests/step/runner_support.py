"""A runner of GitHub Actions, as far as a composite action notices: variables, files, bash, the log.

It fills in `${{ inputs.x }}` in `env:`, runs each `run:` as the runner does (`bash --noprofile
--norc -e -o pipefail FILE`, in an environment without anything of ours), reads GITHUB_OUTPUT
and GITHUB_STEP_SUMMARY, and obeys the log: masks, annotations, stop-commands.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / ".github" / "actions" / "submit"
SHA = "0123456789abcdef0123456789abcdef01234567"
# A command begins its line, but for spaces; in the older form it may stand anywhere (actions/runner).
_COMMAND = re.compile(r"\s*::([a-z-]+)(?: [^:]*)?::(.*)|.*##\[([a-z-]+)[^\]]*\](.*)")


@dataclass
class Log:
    """What the runner makes of a step's lines: what it obeys, what it shows."""

    commands: list[tuple[str, str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    masks: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str) -> Log:
        """Obey a log line by line."""
        log, stopped = cls(), ""
        for line in text.splitlines():
            if stopped:
                if line.strip() == f"::{stopped}::":
                    stopped = ""
                else:
                    log.shown.append(line)
                continue
            found = _COMMAND.match(line)
            if found is None:
                log.shown.append(line)
                continue
            name, value = found[1] or found[3], _unescaped(found[2] or found[4] or "")
            if name == "stop-commands":
                stopped = value
            elif name == "add-mask":
                log.masks.append(value)
            log.commands.append((name, value))
        assert not stopped, "the commands were never allowed again"
        return log

    def annotations(self, kind: str) -> list[str]:
        """The annotations of a kind."""
        return [value for name, value in self.commands if name == kind]

    @property
    def text(self) -> str:
        """What is shown, masked."""
        text = "\n".join(self.shown)
        for mask in self.masks:
            text = text.replace(mask, "***")
        return text


@dataclass
class Ran:
    """A step that has ended."""

    code: int
    raw: str
    log: Log
    outputs: dict[str, str]
    summary: str

    @property
    def error(self) -> str:
        """The one error annotation."""
        [error] = self.log.annotations("error")
        return error


class Runner:
    """One job of a run, in a directory of its own."""

    def __init__(self, directory: Path, *, private: bool = True, path: str = "/usr/bin:/bin") -> None:
        self.directory = directory
        self.event: dict[str, Any] = {"repository": {"private": private}}
        self.environment = {
            "PATH": path,
            "HOME": str(directory),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_REPOSITORY": "acme/site",
            "GITHUB_SHA": SHA,
            "GITHUB_RUN_ID": "9183",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_EVENT_PATH": str(directory / "event.json"),
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": str(directory),
        }

    def run(self, **inputs: str) -> Ran:
        """Run the action with these inputs; `_` in a name stands for `-`."""
        action = yaml.safe_load((ACTION / "action.yml").read_text())
        given = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
        assert set(inputs) <= set(given)
        given |= inputs
        place = self.directory / "step"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        (self.directory / "event.json").write_text(json.dumps(self.event))
        text, code = "", 0
        for step in action["runs"]["steps"]:
            ended = self._bash(step, given, place)
            text, code = text + ended.stdout, ended.returncode
            assert not ended.stderr, ended.stderr
        outputs = _read_outputs(place / "output")
        named = {name: _filled(one["value"], given, outputs) for name, one in action["outputs"].items()}
        summary = (place / "summary").read_text()
        return Ran(code, text, Log.read(text), named, summary)

    def _bash(
        self, step: dict[str, Any], given: dict[str, str], place: Path
    ) -> subprocess.CompletedProcess[str]:
        assert step["shell"] == "bash"
        assert "${{" not in str(step["run"])
        script = place / "script.sh"
        script.write_text(str(step["run"]))
        files = {"GITHUB_OUTPUT": place / "output", "GITHUB_STEP_SUMMARY": place / "summary"}
        for file in files.values():
            file.touch()
        env = self.environment | {name: str(file) for name, file in files.items()}
        env |= {name: _filled(value, given, {}) for name, value in step["env"].items()}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            env=env, cwd=self.directory, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip


def _filled(text: str, inputs: dict[str, str], outputs: dict[str, str]) -> str:
    """The expressions that a composite action of ours uses."""

    def value(found: re.Match[str]) -> str:
        kind, name = found[1].split(".", 1)
        if kind == "inputs":
            return inputs[name]
        assert (kind, name.split(".")[:2]) == ("steps", ["submit", "outputs"])
        return outputs.get(name.split(".")[2], "")

    return re.sub(r"\$\{\{ ([a-z]+\.[a-z.-]+) \}\}", value, text)


def _read_outputs(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def _unescaped(text: str) -> str:
    return text.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
