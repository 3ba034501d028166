"""`relayq run`: submit a command, follow its output live, exit with its code.

The job does not depend on us: Ctrl-C leaves it running and says how to come back
to it. A second Ctrl-C within a moment asks for its end. A job that does not start is
not waited for in silence: what it waits for is said, and said again when it changes.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from contextlib import aclosing
from typing import TYPE_CHECKING

from relayq.cli.exit_codes import INTERRUPTED
from relayq.cli.logs import ELEMENTS_MAX
from relayq.cli.options import add_job_options, input_files
from relayq.cli.outcome import exit_code_of, tell_end
from relayq.cli.output import say, sending
from relayq.cli.session import with_client
from relayq.cli.stream import Screen, gap_words
from relayq.cli.submit import kept_out, refuse_bare_words, spec_of
from relayq.errors import Refused
from relayq.model.ids import short
from relayq.model.lifecycle import State
from relayq.store.records import End

if TYPE_CHECKING:
    from relayq.client.aio import AsyncClient
    from relayq.client.asyncjob import AsyncJob
    from relayq.model.job import ArraySpec, JobSpec

SECOND_THOUGHT_S = 1.5
SILENCE_S = 3.0
LOOK_AGAIN_S = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "words", nargs="*", metavar="-- COMMAND", help="one argument is a shell line, several are argv"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show the job's output and nothing else")
    add_job_options(parser)


def run(args: argparse.Namespace) -> int:
    """Submit, follow, and return the job's own exit code."""
    refuse_bare_words(args)
    spec = spec_of(args)
    return with_client(args, lambda client: _run(client, spec, args))


async def _run(client: AsyncClient, spec: JobSpec, args: argparse.Namespace) -> int:
    if files := input_files(args):
        from relayq.client.files import with_sent

        with sending(files):
            spec = with_sent(spec, await asyncio.to_thread(client.submitter.put_files, files))
    is_quiet = args.quiet
    job = await client.submit(spec)
    if not is_quiet:
        say(f"job {job.id} is submitted" if job.is_new else kept_out(args, job.id))
    presses: asyncio.Queue[None] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, presses.put_nowait, None)
    following = asyncio.ensure_future(_follow(client, job, spec.array, is_quiet=is_quiet))
    pressing = asyncio.ensure_future(presses.get())
    telling = asyncio.ensure_future(_tell_what_it_waits_for(client, job, is_quiet=is_quiet))
    try:
        await asyncio.wait({following, pressing}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            return _code_of(job, following)
        return await _leave(job, presses)
    finally:
        tasks = (following, pressing, telling)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        loop.remove_signal_handler(signal.SIGINT)


def _code_of(job: AsyncJob, following: asyncio.Future[int]) -> int:
    """Where nobody reads the output any more, the job goes on: that is said before we leave."""
    try:
        return following.result()
    except BrokenPipeError:
        say(f"nobody reads on, job {job.id} goes on; `relayq cancel {short(job.id)}` ends it")
        raise


async def _follow(client: AsyncClient, job: AsyncJob, array: ArraySpec | None, *, is_quiet: bool) -> int:
    """Show output until the job has ended; of an array, one element after the other."""
    if array is not None and array.size <= ELEMENTS_MAX:
        for index in range(array.start, array.start + array.size):
            await _show(client.handle(f"{job.id}:{index}"))
    end = await _show(job)
    tell_end(job.id, end.state, end.exit_code, end.reason, is_quiet=is_quiet)
    return exit_code_of(end.state, end.exit_code, end.reason)


async def _tell_what_it_waits_for(client: AsyncClient, job: AsyncJob, *, is_quiet: bool) -> None:
    """Until it starts: say, at first after a moment, what the job waits for."""
    from relayq.client.explain import sentences

    said, pause_s = "", SILENCE_S
    while not is_quiet:
        await asyncio.sleep(pause_s)
        explanation = await job.explain()
        if explanation.record.state not in (State.PENDING, State.RUNNABLE):
            return
        why = "; ".join(sentences(explanation, await client.now_ms()))
        if why != said:
            say(f"job {short(job.id)} waits: {why}")
        said, pause_s = why, LOOK_AGAIN_S


async def _show(job: AsyncJob) -> End:
    """Show the output as it comes; what the hub did not keep is never passed over in silence."""
    screen, attempt, expected = Screen(), 0, 0
    async with aclosing(job.follow()) as entries:
        async for item in entries:
            if not isinstance(item, End) and item.doubt:
                raise Refused(item.doubt)
            if item.attempt != attempt:
                attempt, expected = item.attempt, 0
            if item.position > expected:
                screen.note(gap_words(item.position - expected, job.id))
            if isinstance(item, End):
                screen.close()
                return await job.believed(item)
            expected = item.position + len(item.data)
            screen.write(item.stream, item.data)
    raise AssertionError("a log ends with its End")


async def _leave(job: AsyncJob, presses: asyncio.Queue[None]) -> int:
    say(f"job {job.id} goes on; `relayq wait {job.id[-6:]}` waits for it, Ctrl-C once more cancels it")
    try:
        async with asyncio.timeout(SECOND_THOUGHT_S):
            await presses.get()
    except TimeoutError:
        return INTERRUPTED
    await job.cancel("Ctrl-C")
    say(f"job {job.id} is being cancelled")
    return INTERRUPTED
