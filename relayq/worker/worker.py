"""The worker: take jobs from the hub, run them here, tell how they ended.

Its life, in order: be the only one of its name; read the spool and meet the keeper;
take back what still runs; register; then one sync after the other until it is told
to leave. Exits, letters and new output ring the bell, and whatever has gathered goes
with the next sync. Running jobs depend on none of this: they are the keeper's
children, and this process may end at any moment.

Leaving has two steps. The first TERM or Ctrl-C: take nothing new, hand back what has
not started, let what runs finish within the deadline. The second, or the deadline:
say what has ended and go. What then still runs is left to the keeper for the next
start, unless `kill_on_stop`; what runs in-process goes back to the queue. USR1 means
both steps at once, and ends what runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import platform
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from relayq import __version__, plugins
from relayq.config import Config
from relayq.errors import HubError, RelayQError
from relayq.store.records import Letter, Registration
from relayq.trust.outputs import Asked
from relayq.worker import probe
from relayq.worker.admission import Admission
from relayq.worker.adoption import adopt
from relayq.worker.bell import Bell
from relayq.worker.board import Board
from relayq.worker.credentials import Credentials
from relayq.worker.demand import GATHER_S
from relayq.worker.dialogue import Dialogue
from relayq.worker.disk import Disk
from relayq.worker.doorman import Doorman
from relayq.worker.ending import STOPPED
from relayq.worker.files import Files
from relayq.worker.gate import QUIET, STOPPING, Gate
from relayq.worker.judge import Judge
from relayq.worker.keeping import KeeperClient
from relayq.worker.lanes import LaneBook
from relayq.worker.mailbox import read_mail
from relayq.worker.options import WorkerOptions
from relayq.worker.orders import Orders
from relayq.worker.pouring import pour
from relayq.worker.retention import Retention
from relayq.worker.runner import KILL_S, Runner
from relayq.worker.session import Session
from relayq.worker.shipping import Shipping
from relayq.worker.spool import Spool
from relayq.worker.statedir import StateDir
from relayq.worker.stock import Stock
from relayq.worker.tidying import Tidying
from relayq.worker.view import View

log = logging.getLogger("relayq.worker")

LAST_SYNC_S = 1.0
GOODBYE_S = 5.0
BESIDE_S = 30.0


async def run_worker(config: Config, options: WorkerOptions) -> int:
    """Be a worker until a signal, the hub or idleness ends it; 0, or 1 when jobs were left running."""
    worker = Worker(config, options)
    with _signals(worker):
        return await worker.run()


class Worker:
    """One worker. `run` returns when it has left; `stop` may be called from its loop at any time.

    `view` shows what it does to the person in front of it; another one can be put there before `run`.
    """

    def __init__(self, config: Config, options: WorkerOptions) -> None:
        self._config, self._options = config, options
        self._dir = StateDir(config.state_dir, options.name or config.worker.name)
        self._bell = Bell()
        self._gate = Gate(config.worker.take_when)
        self._left = asyncio.Event()
        self._kill = options.kill_on_stop
        self._busy_at = time.monotonic()
        self._stop_by: asyncio.TimerHandle | None = None
        self._is_assembled = False
        self.view = View() if not options.headless and sys.stderr.isatty() else None

    async def run(self) -> int:
        """Live, from the lock to the last word."""
        with self._dir.locked(), contextlib.closing(Spool(self._dir.spool)) as self._spool:
            async with await KeeperClient.open(self._dir.path) as self._keeper:
                self._assemble()
                try:
                    await self._live()
                except BaseExceptionGroup as group:
                    raise _first_of(group) from None
        return self._last_word()

    @property
    def has_left(self) -> bool:
        """Has it gone, or is it just going?"""
        return self._left.is_set()

    def stop(self, *, kill: bool = False) -> None:
        """Take nothing new and leave by the deadline; called again, leave now."""
        self._kill = self._kill or kill
        if self._stop_by or not self._is_assembled:
            self._left.set()
            return
        deadline_s = self._config.worker.stop_deadline_ms / 1000
        log.info("stopping", extra={"running": len(self._board.running), "deadline_s": deadline_s})
        self._gate.close(STOPPING, "stopping")
        self._board.hand_back_waiting()
        # With nothing running there is only the last word to say, and a hub that is away gets it later.
        patience_s = deadline_s if self._board.running else min(deadline_s, GOODBYE_S)
        self._stop_by = asyncio.get_running_loop().call_later(0 if kill else patience_s, self._left.set)
        self._bell.ring()

    # -- boot

    def _assemble(self) -> None:
        """Make the parts and introduce them to each other."""
        config, options = self._config, self._options
        if config.worker.user:
            self._dir.let_others_through()
        self._judge = Judge.of(config, self._dir.attempts)
        if why := self._judge.isolation.shortfall():
            log.warning("jobs are less isolated than asked: %s", why)
        loaded = plugins.load_all()
        for name, why in loaded.broken.items():
            log.warning("job type not offered", extra={"type": name, "why": why})
        self._offer = probe.offer(config.worker, options, types=frozenset(loaded.types), name=self._dir.name)
        self._credentials = Credentials(config, options.trust, self._dir.path)
        self._session = Session(
            url=options.url, fleet=config.fleet, name=self._dir.name, describe=self._registration
        )
        stock = Stock(self._dir, slots=max(1, self._offer.cpus_milli // 1000))
        self._runner = Runner(
            keeper=self._keeper,
            files=Files(self._session, self._dir.files),
            types=loaded.types,
            session=self._session.id,
            nice=config.worker.nice,
            stock=stock,
        )
        self._runner.view, self._runner.isolation = self.view, self._judge.isolation
        self._runner.box = self._credentials.box
        lanes, self._shipping = LaneBook(self._offer), Shipping(self._bell, self._credentials)
        admission = self._admission()
        self._board = Board(
            admission=admission,
            spool=self._spool,
            lanes=lanes,
            runner=self._runner,
            shipping=self._shipping,
            bell=self._bell,
        )
        self._dialogue = Dialogue(
            session=self._session,
            board=self._board,
            lanes=lanes,
            shipping=self._shipping,
            credentials=self._credentials,
            orders=Orders(self._session, self._credentials, config.fleet),
        )
        retention = Retention(self._dir, config.worker)
        self._tidying = Tidying(
            spool=self._spool,
            keeper=self._keeper,
            retention=retention,
            stock=stock,
            is_busy=lambda: self._dialogue.is_busy,
        )
        self._disk = Disk(
            spool=self._spool, retention=retention, gate=self._gate, bell=self._bell, held=self._board.keys
        )
        self._board.on_full = self._runner.on_full = self._disk.filled
        self._dialogue.facts = self._facts
        self._dialogue.on_command = self._command
        self._dialogue.on_over = self._tidying.leave
        self._doorman = Doorman(self._session, admission)
        self._dialogue.on_inboxes = self._doorman.told
        self._is_assembled = True

    def _admission(self) -> Admission:
        return Admission(
            credentials=self._credentials,
            fleet=self._config.fleet,
            spool=self._spool,
            session=self._session,
            gate=self._gate,
            judge=self._judge,
        )

    def _registration(self, session: str) -> Registration:
        return Registration(
            name=self._dir.name,
            session=session,
            instance=self._dir.instance(),
            offer=probe.shown(self._offer),
            facts=self._facts(),
            held=self._board.attempts(),
        )

    def _facts(self) -> dict[str, str]:
        facts = probe.facts(self._dir.path) | {
            "version": __version__,
            "python": platform.python_version(),
            "rtt_ms": f"{self._session.rtt_ms:.1f}",
            "kill_level": self._judge.isolation.kill_level(),
            "isolation": self._judge.isolation.shown(),
        }
        if self._config.worker.watts:
            facts["watts"] = f"{self._config.worker.watts:g}"
        if not self._gate.is_open:
            facts["takes_nothing"] = self._gate.why
        return facts

    # -- life

    async def _live(self) -> None:
        """Run until it is time to leave, then leave."""
        async with asyncio.TaskGroup() as group:
            self._runner.enter(group, self._board.ended)
            self._dialogue.on_pull = lambda letter: self._pour(group, letter)
            await adopt(self._board, self._spool, self._keeper, self._dir)
            self._servants = [
                group.create_task(read_mail(self._session, self._dialogue.deliver)),
                group.create_task(self._shipping.watch_files()),
                group.create_task(self._tidying.tidy()),
                group.create_task(self._disk.keep()),
                *(group.create_task(_keep_going(one)) for one in self._options.beside),
                group.create_task(self._doorman.listen()),
                group.create_task(self._doorman.serve()),
            ]
            talk = group.create_task(self._converse())
            await self._left.wait()
            self._bell.ring()
            await asyncio.wait([talk], timeout=LAST_SYNC_S)
            talk.cancel()
            await asyncio.wait([talk])
            await self._leave()
            self._runner.leave()
            for servant in self._servants:
                servant.cancel()

    async def _converse(self) -> None:
        """One sync after the other."""
        self._look_around()
        await self._dialogue.register()
        log.info("worker ready", extra={"worker": self._dir.name, "session": self._session.id})
        while not self._is_done():
            await self._bell.wait(
                min(self._dialogue.pause_s(), self._board.stale_in_s(), self._idle_left_s())
            )
            await self._gather()
            self._look_around()
            await self._dialogue.exchange()
        self._left.set()

    async def _gather(self) -> None:
        """Let more ends gather for a moment, as long as there is something to run meanwhile."""
        until = time.monotonic() + GATHER_S
        while self._board.waiting and (left_s := until - time.monotonic()) > 0:
            await self._bell.wait(left_s)

    def _look_around(self) -> None:
        if self._dialogue.pause_s() == 0:
            self._gate.look(probe.conditions())

    def _is_done(self) -> bool:
        """Is everything that was to be done here done, or is it time to leave anyway?"""
        if self.has_left:
            return True
        if self._board.held or self._board.has_reports():
            self._busy_at = time.monotonic()
            return False
        is_empty = self._options.once and self._dialogue.took_nothing
        return bool(self._stop_by) or is_empty or self._idle_left_s() <= 0

    def _idle_left_s(self) -> float:
        """How long it may still be idle before it leaves."""
        if self._options.idle_exit_s is None or self._board.held:
            return math.inf
        return self._busy_at + self._options.idle_exit_s - time.monotonic()

    def _pour(self, group: asyncio.TaskGroup, letter: Letter) -> None:
        """Somebody wants a whole log."""
        reply, asked = self._reply_of(letter.job), Asked(letter.ticket, letter.job, letter.attempt)

        def seal(number: int, kind: str, data: bytes) -> bytes:
            return self._credentials.voice.pour(asked, number, kind, data, reply)

        pouring = group.create_task(
            pour(self._session, self._dir.attempts, letter, seal, self._credentials.opener)
        )
        self._servants = [servant for servant in self._servants if not servant.done()] + [pouring]

    def _reply_of(self, job: str) -> str:
        """The box key of whoever submitted a job that is held here, or has ended here; or empty."""
        if attempt := self._board.held.get(job):
            return attempt.admitted.reply
        past = self._spool.past(job)
        return past.report.reply if past and past.report else ""

    def _command(self, word: str) -> None:
        """What the hub wants of the worker as a whole; said in every reply, heard when it changes."""
        if word == "quiet":
            self._gate.close(QUIET, "quiet")
        elif word in ("stop", "kill"):
            self.stop(kill=word == "kill")
        else:
            self._gate.open(QUIET)

    # -- leaving

    async def _leave(self) -> None:
        """End what must end, tell the hub what has ended, and say goodbye."""
        for attempt in self._board.running:
            if self._kill or not attempt.is_spawned:
                self._board.end(attempt.job, STOPPED)
        with contextlib.suppress(TimeoutError, HubError):
            async with asyncio.timeout(GOODBYE_S + (KILL_S if self._kill else 0)):
                await self._session.close()
                while self._board.has_reports() or any(one.asked for one in self._board.running):
                    await self._bell.wait(0.2)
                    await self._dialogue.exchange()
                if not self._board.held:
                    await self._session.leave()
        await self._session.close()
        await self._tidying.forget()
        await self._tidying.clear()

    def _last_word(self) -> int:
        left = len(self._board.running)
        log.info("worker left", extra={"left_running": left, "unreported": self._board.has_reports()})
        return 1 if left else 0


async def _keep_going(beside: Callable[[], Awaitable[None]]) -> None:
    """Run what stands beside the worker; what fails there is no reason to stop working."""
    while True:
        try:
            return await beside()
        except RelayQError as error:
            log.warning("what runs beside the worker failed", extra={"why": str(error)})
        await asyncio.sleep(BESIDE_S)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one sentence for a person, out of everything that failed together."""
    for error in group.exceptions:
        found = _first_of(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, RelayQError):
            return found
    return group.exceptions[0]


@contextmanager
def _signals(worker: Worker) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    loop.add_signal_handler(signal.SIGUSR1, partial(worker.stop, kill=True))
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            loop.remove_signal_handler(number)
