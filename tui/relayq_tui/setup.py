"""The first run: is anything set up here, does an address answer, remember it.

Nothing is written before the person has chosen. What is remembered is one line in the
person's own configuration file, which only they can read: an address may hold a password.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from relayq.errors import ConfigError, RelayQError
from relayq.settings import without_password
from relayq_tui.glyphs import counted

if TYPE_CHECKING:
    from relayq.config import Config

PATIENCE_S = 8.0


class Choice(NamedTuple):
    """What the person wants: a hub on this machine, one elsewhere at `url`, or the demo."""

    kind: Literal["local", "join", "demo"]
    url: str = ""


class Answer(NamedTuple):
    """What became of an address: does a hub answer there, and a sentence about it."""

    is_good: bool
    sentence: str


def is_first_run(config: Config) -> bool:
    """No address is configured, and the private hub of this machine was never started."""
    return config.url is None and not (config.data_dir / "hub").exists()


async def probe(url: str, fleet: str) -> Answer:
    """Ask whoever listens at `url` whether it is a hub that lets us in."""
    from relayq.store.hub import connect
    from relayq.store.jobs import Queues

    try:
        async with asyncio.timeout(PATIENCE_S):
            hub = await connect(url, fleet)
            try:
                began_s = time.monotonic()
                await hub.link.call("PING")
                latency_ms = (time.monotonic() - began_s) * 1000
                stats = await Queues(hub).stats()
            finally:
                await hub.close()
    except TimeoutError:
        return Answer(False, f"{without_password(url)} does not answer within {PATIENCE_S:.0f} s")
    except (RelayQError, ValueError) as error:
        return Answer(False, str(error))
    jobs, online = sum(stats["jobs"].values()), stats["workers_online"]
    told = f"{counted(jobs, 'job')}, {counted(online, 'worker')} online"
    return Answer(True, f"a hub answers in {latency_ms:.0f} ms: {told}")


def start_here(config: Config) -> str:
    """Start the private hub of this machine and a worker; a sentence about both."""
    from relayq import hub
    from relayq.client.local import LocalWorker

    url = hub.start(config)
    is_new = LocalWorker(config, url).start(idle_exit="")
    return "the hub runs, and a worker was started" if is_new else "the hub runs, the worker too"


def remember(config: Config, url: str) -> None:
    """Write the address into the configuration file, readable by its owner alone; or raise ConfigError."""
    path = config.config_dir / "config.toml"
    line = f"url = {json.dumps(url)}"
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        if any(row.strip().startswith("[hub]") for row in before.splitlines()):
            raise ConfigError(f"{path} has a section [hub] already: write this line into it: {line}")
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.chmod(0o600)
        fresh.write_text(f"{before.rstrip()}\n\n[hub]\n{line}\n".lstrip(), "utf-8")
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
