"""Whoever steals the hub's disk finds no word of what ran there, nor of the files that went along.

A persistent server, a worker, jobs of every kind; then the append-only file and every key
are searched for what must not be in them.
"""

from __future__ import annotations

from pathlib import Path

import redis

from relayq.client.aio import AsyncClient
from tests.integration.worker_support import Rig
from tests.support import PrivateServer

WORDS = {
    "command": "zebracommand",
    "argument": "zebraargument",
    "name": "zebraname",
    "env": "zebraenv",
    "secret": "zebrasecret",
    "stdin": "zebrastdin",
    "label": "zebralabel",
    "cwd": "zebracwd",
    "value": "zebravalue",
    "output": "zebraoutput",
    "error": "zebraerror",
    "progress": "zebraprogress",
    "result": "zebraresult",
    "refusal": "zebrarefusal",
    "input": "zebrainput",
    "input name": "zebrainname",
    "left": "zebraleft",
    "left name": "zebraoutname",
    "large": "zebralarge",
}


async def test_the_hubs_disk_holds_no_plaintext(own_server: PrivateServer, fleet: str, home: Path) -> None:
    rig = Rig(own_server.url, fleet, home)
    place = home / WORDS["cwd"]
    place.mkdir()
    w = WORDS
    async with rig.hub, rig.worker(), AsyncClient(rig.url, fleet=fleet, tell=lambda _: None) as client:
        whole = await client.run(
            f"cat; echo {w['output']}; echo {w['error']} >&2; : {w['command']}; "
            f"echo '::relayq progress=42 message={w['progress']}::'; sleep 0.3",
            name=w["name"],
            env={"A": w["env"]},
            secrets={"B": w["secret"]},
            stdin=w["stdin"],
            labels={"l": w["label"]},
            cwd=str(place),
        )
        argv = await client.run(["echo", w["argument"]], attempts=2)
        array = await client.map("echo {}", [w["value"], "other"])
        (home / w["input name"]).write_text(w["input"])
        (home / "large").write_text(f"{w['large']}\n" * 20_000)
        files = await client.run(
            f"cat {w['input name']} large > {w['left name']}; echo {w['left']} >> {w['left name']}",
            inputs=[home / w["input name"], home / "large"],
            outputs=["zebra*"],
        )
        gone = await client.run("true", cwd=f"/nowhere/{w['refusal']}")
        assert w["output"] in await whole.get(30) and w["argument"] in await argv.get(30)
        assert await array.get(30) == [f"{w['value']}\n", "other\n"]
        await gone.wait(30)
        await files.wait(30)
        assert sorted(await files.outputs()) == [w["input name"], w["left name"]]
        [back] = await files.fetch(home / "back", [w["left name"]])
        assert w["left"] in back.read_text() and w["large"] in back.read_text()
        many = await client.submit_many([await spec_like(client, argv.id)] * 3)
        assert [await one.get(30) for one in many] == [f"{w['argument']}\n"] * 3
    with redis.Redis(unix_socket_path=str(own_server.socket)) as server:
        dumps = b"".join(key + (server.dump(key) or b"") for key in server.keys("*"))
    on_disk = b"".join(path.read_bytes() for path in own_server.directory.rglob("*") if path.is_file())
    assert fleet.encode() in on_disk and fleet.encode() in dumps
    found = [what for what, word in w.items() if word.encode() in on_disk or word.encode() in dumps]
    assert found == []


async def spec_like(client: AsyncClient, job: str) -> object:
    """The spec of a job as its owner reads it."""
    from relayq.client.steering import spec_of_job

    return await spec_of_job(client, job)
