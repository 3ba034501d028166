"""The server itself dies, loses its library, or freezes: what was acknowledged is there afterwards."""

from __future__ import annotations

import pytest
import redis

from relayq.errors import HubUnreachable
from relayq.store.hub import connect
from tests.model import invariants
from tests.model.driver import Driver
from tests.support import PrivateServer


async def breaches(driver: Driver) -> list[str]:
    """What does not add up."""
    with redis.Redis(unix_socket_path=driver.hub.address.path) as client:
        return invariants.breaches(invariants.read(client, driver.hub.keys.prefix))


async def test_what_was_acknowledged_is_there_after_a_kill(own_server: PrivateServer, fleet: str) -> None:
    async with await connect(own_server.url, fleet) as hub:
        driver = Driver(hub)
        jobs = await driver.batch(*({"attempts": 2} for _ in range(6)))
        array = await driver.submit(array=4)
        worker = await driver.worker()
        await worker.claim(want=8)
        await worker.report(jobs[0])
        await worker.report(jobs[1], "failed", retry=True)
        states = {job: await driver.state(job) for job in [*jobs, array]}
        own_server.kill()
        with pytest.raises(HubUnreachable):
            await driver.state(array)
        own_server.start()
        assert {job: await driver.state(job) for job in [*jobs, array]} == states
        assert await breaches(driver) == []
        assert await worker.report(jobs[0], "ok", attempt=1) == "dup"
        reply = await worker.sync()
        assert reply.session_known and reply.gone == []


async def test_a_hub_that_lost_its_library_gets_it_back(own_server: PrivateServer, fleet: str) -> None:
    async with await connect(own_server.url, fleet) as hub:
        driver = Driver(hub)
        job = await driver.submit()
        await driver.raw("FUNCTION", "FLUSH", "SYNC")
        assert await driver.state(job) == "RUNNABLE"
        await driver.raw("FUNCTION", "FLUSH", "SYNC")
        worker = await driver.worker()
        assert await worker.claim() == [job]
        assert await breaches(driver) == []


async def test_a_hub_that_lost_everything_knows_no_session_and_no_job(
    own_server: PrivateServer, fleet: str
) -> None:
    async with await connect(own_server.url, fleet) as hub:
        driver = Driver(hub)
        job = await driver.submit()
        worker = await driver.worker()
        await worker.claim()
        own_server.flush()
        assert (await worker.sync()).session_known is False
        assert (await worker.register()).gone == [job]
        assert await driver.submit(job) == job
        assert await breaches(driver) == []


async def test_a_frozen_server_is_given_up_and_answers_again(own_server: PrivateServer, fleet: str) -> None:
    async with await connect(own_server.url, fleet) as hub:
        driver = Driver(hub)
        job = await driver.submit()
        worker = await driver.worker()
        await worker.claim()
        own_server.freeze()
        request = {"id": job}
        with pytest.raises(HubUnreachable):
            await hub.run("cancel", request, timeout_s=0.2)
        own_server.thaw()
        assert (await worker.sync()).cancels in ([], [job])
        assert await driver.jobs.cancel(job) == "asked"
        assert (await worker.sync()).cancels == [job]
