"""The step of GitHub Actions, from its start to "accepted": `python -m benchmarks.front_door`.

In one run, on one installed hub (TLS, roles, one worker): a bare interpreter; the step as a
runner starts it, out of a fresh checkout (nothing is compiled there, and nothing stays), and
with compiled files; a script that pushes a ready-made entry with redis-py; and what comes before that on a
fresh runner, an environment with redis installed in it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import median

ROOT = Path(__file__).resolve().parents[1]
RELAYQ = [sys.executable, "-m", "relayq"]
# The interpreter itself, as a runner has it: no environment, no shim.
PYTHON = str(Path(sys.executable).resolve())
STEP = [PYTHON, "-ISB"]
COUNT = 9
REDIS_PY = """
import os, redis
url, directory = os.environ["HUB"], os.environ["PEMS"]
link = redis.Redis.from_url(url, ssl_ca_certs=directory + "/ca.pem", ssl_certfile=directory + "/client.pem",
    ssl_keyfile=directory + "/client.pem", ssl_check_hostname=False)
link.rpush("{rq:home}:in:ci", b"j" + bytes(1500))
"""


def main() -> int:
    """Measure and print."""
    directory = Path(tempfile.mkdtemp(prefix="rqb-"))
    hub = worker = None
    try:
        hub, owner = _hub(directory)
        join = _relayq(owner, "hub", "invite", "submit", "ci")
        worker = subprocess.Popen(
            [*RELAYQ, "worker", "--headless"], env=_home(owner), stderr=subprocess.DEVNULL
        )
        for name, ms in _rows(directory, owner, join):
            print(f"{name:<58} {ms:>8.0f} ms", flush=True)
        return 0
    finally:
        for process in (worker, hub):
            if process:
                process.terminate()
                process.wait()
        shutil.rmtree(directory, ignore_errors=True)


def _rows(directory, owner, join):
    """Name and median in ms of each row."""
    yield "bare interpreter", _median_ms([PYTHON, "-I", "-c", "pass"], {})
    yield "bare interpreter without site-packages, as the step has it", _median_ms([*STEP, "-c", "pass"], {})
    yield "the step out of a fresh checkout, to accepted", _first_step_ms(directory, join)
    yield "the step where its files are compiled", _median_ms(_step(ROOT), {"RELAYQ_JOIN": join})
    pems = owner / "pems"
    pems.mkdir()
    hub = _write_pems(pems, join)
    variables = {"HUB": hub, "PEMS": str(pems)}
    yield (
        "redis-py, installed: push alone, nothing signed or awaited",
        _median_ms([sys.executable, "-c", REDIS_PY], variables),
    )
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", directory / "venv"], check=True)
    subprocess.run(
        [directory / "venv/bin/pip", "install", "-q", "redis"], check=True, stderr=subprocess.DEVNULL
    )
    yield "its environment on a fresh runner (venv, pip install)", 1000 * (time.perf_counter() - begin)


def _hub(directory):
    """An installed hub that runs, and the home of its owner."""
    owner = directory / "owner"
    owner.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    root = directory / "vm"
    options = ["--root", str(root), "--listen", "127.0.0.1", "--address", "127.0.0.1", "--port", port]
    string = _relayq(owner, "hub", "install", *options, "--max-memory", "256M")
    from relayq.hub.installation import layout

    place = layout(root=root)
    hub = subprocess.Popen([place.server, place.config], stdout=subprocess.DEVNULL)
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(port))) == 0:
                break
        time.sleep(0.02)
    _relayq(owner, "join", "-", text=string)
    return hub, owner


def _first_step_ms(directory, join):
    """The median of checkouts that nothing has run in."""
    times = []
    for number in range(COUNT):
        checkout = directory / f"checkout{number}"
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "relayq", checkout / "relayq", ignore=skipped)
        shutil.copytree(ROOT / ".github", checkout / ".github", ignore=skipped)
        times.append(_seconds(_step(checkout), {"RELAYQ_JOIN": join}))
    return 1000 * median(times)


def _step(checkout):
    return [*STEP, str(checkout / ".github/actions/submit/submit.py")]


def _median_ms(argv, variables):
    return 1000 * median([_seconds(argv, variables) for _ in range(COUNT)])


def _seconds(argv, variables):
    env = {"PATH": os.environ["PATH"], "RELAYQ_INPUT_COMMAND": "true", "RUNNER_TEMP": tempfile.gettempdir()}
    begin = time.perf_counter()
    subprocess.run(argv, env=env | variables, check=True, capture_output=True)
    return time.perf_counter() - begin


def _write_pems(directory, join):
    """The certificates of the join string as files, and the hub's address as redis-py wants it."""
    from relayq.step.sender import Sender
    from relayq.trust.ticket import read_ticket

    ticket = read_ticket(join)
    with Sender(ticket) as sender:
        for file in Path(sender.directory).iterdir():
            shutil.copy(file, directory)
    return f"rediss://{ticket.login}:{ticket.password}@{ticket.address}"


def _relayq(home, *argv, text=""):
    ended = subprocess.run(
        [*RELAYQ, *argv], env=_home(home), input=text, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def _home(home):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RELAYQ_", "XDG_"))}
    return {**kept, "HOME": str(home)}


if __name__ == "__main__":
    raise SystemExit(main())
