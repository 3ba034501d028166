"""The sync and the asyncio client against a real hub and a real worker."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from relayq.client.aio import AsyncClient
from relayq.client.glance import glance
from relayq.client.sync import Client
from relayq.errors import (
    AmbiguousId,
    HubDenied,
    HubFull,
    HubUnreachable,
    JobCancelled,
    JobExpired,
    JobFailed,
    JobSkipped,
    NotFound,
    OutputTruncated,
    SpecError,
    WaitTimeout,
)
from relayq.model.job import JobSpec
from relayq.model.lifecycle import State
from relayq.store.wire import Wire
from relayq.trust.files import open_file
from tests.integration.client_support import running_worker
from tests.support import PrivateServer, eventually_sync


@pytest.fixture
def said() -> list[str]:
    """What the client tells the person."""
    return []


@pytest.fixture
def client(hub_url: str, fleet: str, home: Path, said: list[str]) -> Iterator[Client]:
    """A client without a worker."""
    with Client(hub_url, fleet=fleet, tell=said.append) as client:
        yield client


@pytest.fixture
def served(client: Client, hub_url: str, fleet: str, home: Path) -> Iterator[Client]:
    """A client whose jobs run."""
    with running_worker(hub_url, fleet, home, "--slots", "4"):
        yield client


def test_a_key_that_keeps_a_job_out_is_seen_at_its_handle(client: Client) -> None:
    first = client.run("true", unique="k")
    again = client.run("false", unique="k")
    assert (first.is_new, again.is_new, again.id) == (True, False, first.id)


def test_a_wait_is_limited_by_a_duration_in_words_too(client: Client) -> None:
    handle = client.run("true")
    with pytest.raises(WaitTimeout, match=r"has not ended after 0\.05 s; it goes on"):
        handle.get("50ms")
    with pytest.raises(WaitTimeout):
        handle.wait(timedelta(milliseconds=50))
    with pytest.raises(SpecError, match="'soon' is not a duration"):
        handle.result("soon")


def test_output_of_which_the_hub_keeps_nothing_is_no_empty_output(served: Client) -> None:
    with pytest.raises(OutputTruncated):
        served.run("seq 1 20", keep_output=10).get(20)
    handle = served.run("seq 1 20", keep_output=0)
    handle.wait(20)
    assert "51 bytes were not kept" in served.job(handle.id).result(20).output


async def test_a_worker_that_came_later_is_believed_by_all_who_wait(
    hub_url: str, fleet: str, home: Path, said: list[str]
) -> None:
    async with AsyncClient(hub_url, fleet=fleet, tell=said.append) as client:
        handle, hub = await client.run("echo out"), client.twin()
        with running_worker(hub_url, fleet, home):
            known = hub.roster_known
            asked = (hub.has_news_for_reader(known) for _ in range(3))
            assert await asyncio.gather(*asked) == [True] * 3
            assert not await hub.has_news_for_reader(hub.roster_known)
            assert await handle.get(20) == "out\n"
        await hub.close()


def test_get_returns_the_stdout(served: Client) -> None:
    assert served.run("echo out; echo err >&2").get(20) == "out\n"


def test_argv_needs_no_shell(served: Client) -> None:
    assert served.run(["printf", "%s", "$HOME ;"]).get(20) == "$HOME ;"


def test_a_result_tells_how_it_went(served: Client) -> None:
    result = served.run("echo out; echo err >&2").result(20)
    assert (result.state, result.exit_code, result.output, result.attempts) == (
        State.SUCCEEDED,
        0,
        "out\n",
        1,
    )
    assert result.worker
    assert result.started and result.ended and result.started <= result.ended
    assert "err" in result.log_tail


def test_a_failed_job_raises_with_its_exit_code_and_the_end_of_its_log(served: Client) -> None:
    handle = served.run("echo why it failed; exit 3")
    with pytest.raises(JobFailed) as failure:
        handle.get(20)
    assert (failure.value.exit_code, failure.value.log_tail) == (3, "why it failed\n")
    assert (failure.value.reason, failure.value.job) == ("exit", handle.id)
    assert handle.failed()
    assert handle.traceback == "why it failed\n"


def test_a_cancelled_job_raises(served: Client) -> None:
    handle = served.run("echo up; sleep 60")
    assert next(handle.logs(follow=True)).data == b"up\n"
    assert handle.cancel("a test")
    with pytest.raises(JobCancelled):
        handle.get(20)
    assert not handle.cancel()


def test_a_skipped_job_raises(served: Client) -> None:
    first = served.run("exit 1")
    with pytest.raises(JobSkipped):
        served.run("true", after=[first.id]).get(20)


def test_an_expired_job_raises(served: Client) -> None:
    with pytest.raises(JobExpired):
        served.run("true", needs="nobody-has-this", deadline="50ms").get(60)


def test_waiting_may_end_before_the_job(served: Client) -> None:
    handle = served.run("sleep 60")
    with pytest.raises(WaitTimeout, match="goes on"):
        handle.get(0.2)
    assert not handle.ready()
    handle.cancel()


def test_what_has_ended_is_told_however_short_the_wait(served: Client) -> None:
    handle = served.run("echo out")
    assert handle.get(20) == "out\n"
    found = served.job(handle.id)
    assert (found.wait(0), found.get(0), found.result(0).output) == (State.SUCCEEDED, "out\n", "out\n")
    assert found.get(1e-9) == "out\n"


def test_one_look_at_a_job_that_waits_is_over_at_once(client: Client) -> None:
    handle = client.run("true")
    for timeout in (0, -1, 1e-9):
        with pytest.raises(WaitTimeout, match="goes on"):
            handle.wait(timeout)


def test_cut_output_is_never_returned_silently(served: Client) -> None:
    handle = served.run("head -c 400000 /dev/zero | tr '\\0' x; echo end", keep_output="100K")
    with pytest.raises(OutputTruncated):
        handle.get(30)
    result = handle.result(30)
    assert result.truncated
    assert "were not kept" in result.output
    assert result.output.endswith("end\n")


def test_a_mapped_command_gives_a_list_in_order(served: Client) -> None:
    items = ["a b", "c'd", '$x "y"', ""]
    array = served.map("printf '%s|%s' {} \"x{}\"", items)
    assert array.get(30) == [f"{item}|x{item}" for item in items]
    assert array[1].get(30) == "c'd|xc'd"
    assert len(array) == 4


def test_a_failed_element_fails_the_array(served: Client) -> None:
    array = served.map("test {} != b && echo {}", ["a", "b", "c"])
    with pytest.raises(JobFailed):
        array.get(30)
    assert array[2].get(20) == "c\n"


def test_logs_are_followed_as_they_come(served: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    entries = served.run(f"echo first; until [ -e {gate} ]; do sleep 0.05; done; echo last").logs(follow=True)
    assert next(entries).data == b"first\n"
    gate.touch()
    assert b"".join(entry.data for entry in entries) == b"last\n"


def test_many_are_submitted_with_few_signatures(served: Client) -> None:
    handles = served.submit_many([JobSpec(command=f"echo {number}") for number in range(1200)])
    assert len({handle.id for handle in handles}) == 1200
    assert [handles[number].get(60) for number in (0, 499, 500, 1199)] == ["0\n", "499\n", "500\n", "1199\n"]


def test_a_job_that_is_run_again_gives_its_second_outcome(served: Client, tmp_path: Path) -> None:
    handle = served.run(f"test -e {tmp_path / 'mended'} && echo mended")
    assert handle.wait(20) == State.FAILED
    (tmp_path / "mended").touch()
    portal, far = served.far()
    assert portal.call(far.retry(handle.id)) == "retried"
    assert served.job(handle.id).get(20) == "mended\n"


def test_it_works_inside_a_running_loop(served: Client) -> None:
    async def inside() -> str:
        return served.run("echo inside").get(20)

    assert asyncio.run(inside()) == "inside\n"


def test_a_job_is_found_by_the_end_of_its_id(client: Client) -> None:
    handle = client.run("true")
    assert client.job(handle.id[-6:].lower()).id == handle.id
    with pytest.raises(NotFound):
        client.job("0000000000000000"[-5:])


def test_an_end_that_fits_two_jobs_is_refused(client: Client, hub_url: str, fleet: str) -> None:
    wire = Wire(hub_url)
    handle = client.run("true")
    wire.call("COPY", f"{{rq:{fleet}}}:j:{handle.id}", f"{{rq:{fleet}}}:j:0000{handle.id[4:]}")
    wire.close()
    with pytest.raises(AmbiguousId, match=handle.id):
        client.job(handle.id[-6:])


def test_a_unique_job_is_the_one_that_is_there(client: Client) -> None:
    first = client.run("true", unique="nightly")
    assert client.run("true", unique="nightly").id == first.id


def test_a_dependency_on_nothing_is_refused(client: Client) -> None:
    with pytest.raises(SpecError, match="0123456789ABCDEF"):
        client.run("true", after=["0123456789ABCDEF"])


def test_a_refused_job_of_a_batch_is_named_and_the_others_are_queued(client: Client) -> None:
    specs = [JobSpec(command="true"), JobSpec.from_dict({"command": "true", "after": ["0123456789ABCDEF"]})]
    with pytest.raises(SpecError, match="job 2 of the list: there is no job 0123456789ABCDEF"):
        client.submit_many(specs)
    assert client.worker_status()["total_queued"] == 1


def test_input_files_are_in_the_hub_before_the_job(
    client: Client, tmp_path: Path, hub_url: str, fleet: str
) -> None:
    (tmp_path / "in.txt").write_bytes(b"content")
    handle = client.run("cat in.txt", inputs=[tmp_path / "in.txt"])
    spec = glance(handle.info.envelope)
    assert spec is not None
    [blob] = spec.inputs
    assert (blob.name, blob.size) == ("in.txt", 7)
    wire = Wire(hub_url)
    sealed = wire.call("GET", f"{{rq:{fleet}}}:b:{blob.stored}")
    assert b"".join(open_file(sealed, blob.key, blob.sha256, 7)) == b"content"
    assert b"content" not in sealed
    wire.close()


def test_an_input_file_that_is_not_there_queues_nothing(client: Client, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nothing\.txt cannot be read"):
        client.run("true", inputs=[tmp_path / "nothing.txt"])
    assert client.worker_status()["total_queued"] == 0


def test_a_lost_connection_is_opened_again(client: Client, hub_url: str) -> None:
    client.run("true")
    wire = Wire(hub_url)
    wire.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    wire.close()
    assert client.run("true").id


def test_a_hub_without_the_library_is_given_it(client: Client, hub_url: str) -> None:
    wire = Wire(hub_url)
    wire.call("FUNCTION", "FLUSH")
    wire.close()
    assert client.run("true").id


def test_a_joined_hub_tells_once_a_lane_that_nobody_can_run_the_job(client: Client, said: list[str]) -> None:
    first = client.run("true")
    client.run("true")
    assert len(said) == 1
    assert first.id in said[0]
    assert "no worker is online" in said[0]


def test_the_missing_clause_is_named(served: Client, said: list[str]) -> None:
    served.run("true", needs="mars")
    assert "has no label 'mars'" in said[-1]


def test_a_hub_that_is_not_there_is_named_without_its_password(home: Path) -> None:
    with pytest.raises(HubUnreachable) as failure, Client("redis://user:secret@127.0.0.1:1/0") as client:
        client.run("true")
    assert "127.0.0.1:1" in str(failure.value)
    assert "secret" not in str(failure.value)


def test_a_wrong_password_is_one_attempt_and_one_sentence(home: Path) -> None:
    server = PrivateServer(options=("--requirepass", "right"))
    server.answers = server.socket.exists  # type: ignore[method-assign]  # PING is denied
    server.start()
    try:
        with (
            Client(server.url.replace("unix://", "unix://:wrong@")) as client,
            pytest.raises(HubDenied) as failure,
        ):
            client.run("true")
        assert "wrong" not in str(failure.value)
    finally:
        server.close()


def test_a_full_hub_takes_nothing(fleet: str, home: Path) -> None:
    server = PrivateServer(options=("--maxmemory", "16mb")).start()
    try:
        with Client(server.url, fleet=fleet, tell=lambda _: None) as client:
            client.run("true")
            wire = Wire(server.url)
            wire.call("SETRANGE", "filler", 12 << 20, "x")
            wire.call("FCALL", "rq1_tick", 1, f"{{rq:{fleet}}}:cfg", "{}")
            wire.close()
            with pytest.raises(HubFull, match="nothing was queued"):
                client.run("true")
            assert client.worker_status()["total_queued"] == 1
    finally:
        server.close()


def test_a_client_asks_again_where_the_hub_was_restarted_between_two_questions(
    own_server: PrivateServer, fleet: str, home: Path
) -> None:
    with Client(own_server.url, fleet=fleet) as client:
        job = client.run("true", needs="nobody-has-this")
        for question in (client.worker_status, job.ready, job.cancel, job.wait):
            assert client.worker_status()["total_queued"] <= 1
            own_server.kill()
            own_server.start()
            question()
        assert job.wait() is State.CANCELLED


def test_worker_status_counts(served: Client) -> None:
    eventually_sync(lambda: served.worker_status()["online"] == 1)
    status = served.worker_status()
    assert (status["total_workers"], status["total_queued"]) == (1, 0)
    assert status["workers"][0]["offer"]["cpus_milli"] == 4000


def test_a_warm_submit_is_fast(client: Client) -> None:
    client.run("true")
    times = []
    for _ in range(200):
        began = time.perf_counter()
        client.run("true")
        times.append(time.perf_counter() - began)
    # 0.2 ms on an idle machine; the bound only catches a second round trip or a lost connection.
    assert sorted(times)[20] < 0.005


def test_the_default_client_is_made_anew_in_a_child(
    hub_url: str, fleet: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from relayq.client.sync import _DefaultClient

    monkeypatch.setenv("RELAYQ_URL", hub_url)
    monkeypatch.setenv("RELAYQ_FLEET", fleet)
    default = _DefaultClient()
    assert default.run("true").id
    child = os.fork()
    if child == 0:
        os._exit(0 if default.worker_status()["total_queued"] == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


async def test_the_asyncio_client_has_the_same_verbs(hub_url: str, fleet: str, home: Path) -> None:
    with running_worker(hub_url, fleet, home):
        async with AsyncClient(hub_url, fleet=fleet) as client:
            job = await client.run("echo hello")
            assert await job.get(20) == "hello\n"
            array = await client.map("echo {}", ["a", "b"])
            assert await array.get(20) == ["a\n", "b\n"]
            jobs = await client.submit_many([JobSpec(command="true"), JobSpec(command="false")])
            assert [await job.wait(20) for job in jobs] == [State.SUCCEEDED, State.FAILED]
            assert await asyncio.gather(*[(await client.run(f"echo {n}")).get(20) for n in range(8)]) == [
                f"{n}\n" for n in range(8)
            ]
            assert (await client.worker_status())["online"] == 1


async def test_watching_a_job_that_has_ended_gives_all_of_it(hub_url: str, fleet: str, home: Path) -> None:
    with running_worker(hub_url, fleet, home):
        async with AsyncClient(hub_url, fleet=fleet) as client:
            [job] = await client.submit_many([JobSpec(command="echo once")])
            assert await job.get(20) == "once\n"
            assert await (await client.job(job.id)).get(20) == "once\n"
