"""What the worker and the hub say to each other, one sync at a time.

A sync carries everything that has gathered since the last one: reports, output,
progress, what is free, what could be taken. One is in flight at most; what happens
meanwhile rings the bell and goes with the next. A sync that did not get through is
followed by a full one, which lists everything held, so that both sides agree again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from relayq.errors import HubError
from relayq.model.lifecycle import HEARTBEAT_MS
from relayq.store.records import Letter, Report, SyncReply, SyncRequest, Welcome
from relayq.trust.outputs import Ended
from relayq.worker.attempt import Attempt
from relayq.worker.board import Board
from relayq.worker.credentials import Credentials
from relayq.worker.demand import Demand
from relayq.worker.ending import CANCELLED, GONE
from relayq.worker.lanes import LaneBook
from relayq.worker.orders import Orders
from relayq.worker.session import Session
from relayq.worker.shipping import Shipping

log = logging.getLogger("relayq.worker")

# A pushed claim is acknowledged a little later, unless a sync does that before, as a short job's report.
ACKNOWLEDGE_S = 0.5
ASK_AGAIN_S = 0.25
# What a reader must have in the worker's own words.
ENDS = frozenset({"ok", "failed", "timeout"})


class Dialogue:
    """Composes requests, takes in replies and letters."""

    def __init__(
        self,
        *,
        session: Session,
        board: Board,
        lanes: LaneBook,
        shipping: Shipping,
        credentials: Credentials,
        orders: Orders,
    ) -> None:
        self._session, self._board, self._lanes = session, board, lanes
        self._shipping, self._bell = shipping, shipping.bell
        self._credentials, self._orders = credentials, orders
        self._sent: list[Report] = []
        self._demand = Demand(board, lanes)
        self._told_unserved: dict[str, str] | None = None
        self._heard_command = ""
        self._unsigned_command: str | None = None
        self._next_at = 0.0
        self._acknowledging: asyncio.TimerHandle | None = None
        self.took_nothing = False
        self.facts: Callable[[], dict[str, str]] = dict
        self.on_command: Callable[[str], None] = lambda _: None
        self.on_inboxes: Callable[[int], None] = lambda _: None
        self.on_pull: Callable[[Letter], None] = lambda _: None
        self.on_over: Callable[[list[Attempt]], None] = lambda _: None

    async def register(self) -> None:
        """Appear at the hub with everything held, and settle what it says of that."""
        await self._session.meet(self._credentials)
        welcome = await self._session.register()
        self._told_unserved = None
        self._greeted(welcome)
        self._next_at = 0.0
        await self.exchange()

    async def exchange(self) -> None:
        """One sync, a full one when it is time; registers again when the hub has forgotten this session."""
        begun_at = time.monotonic()
        request = await self._compose(full=self.pause_s() == 0)
        reply = await self._session.sync(request)
        if reply is None:
            self._start_over()
        elif not reply.session_known:
            log.info("the hub does not know this session any more, registering again")
            await self.register()
        else:
            try:
                await self._absorb(request, reply)
            except HubError as error:
                await self._session.endure(error)
                self._start_over()
            self._demand.took_turn((time.monotonic() - begun_at) * 1000)

    def pause_s(self) -> float:
        """How long until a sync is due even if nothing happens."""
        return max(0.0, self._next_at - time.monotonic())

    @property
    def is_busy(self) -> bool:
        """Does more work wait, here or in the hub?"""
        return self._board.waiting > 0 or self._demand.is_backlogged

    async def deliver(self, letters: list[Letter]) -> None:
        """Do what was pushed."""
        claims = [letter.claim for letter in letters if letter.claim]
        if claims:
            await self._board.take(claims)
            self._acknowledging = self._acknowledging or self._ring_in(ACKNOWLEDGE_S)
        for letter in letters:
            if letter.kind != "claim":
                await self._obey(letter)

    # -- one sync

    def _start_over(self) -> None:
        """Something was lost on the way: list everything next time, and send output again."""
        self._shipping.rewind()
        self._next_at = 0.0
        self._bell.ring()

    async def _compose(self, *, full: bool) -> SyncRequest:
        if self._acknowledging:
            self._acknowledging.cancel()
            self._acknowledging = None
        self._board.hand_back_stale()
        logs = self._shipping.chunks()
        unserved = self._lanes.unserved
        self._sent = await self._board.reports()
        return SyncRequest(
            held=self._board.attempts() if full else {},
            full=full,
            done=[self._sealed(report) for report in self._sent],
            logs=logs,
            progress=self._shipping.progress(),
            unserved=unserved if unserved != self._told_unserved else None,
            facts=self.facts() if full else None,
            mail_id=self._session.mail_id,
            **self._demand.parts(),
        )

    def _sealed(self, report: Report) -> Report:
        """The report as the hub may see it: how a run ended goes with it in the worker's name."""
        voice, job, reply = self._credentials.voice, report.job, report.reply
        if report.outcome in ENDS:
            ended = Ended(report.outcome, report.exit_code, report.result, report.outputs)
            sealed = voice.ended(job, report.attempt, ended, reply)
            return replace(report, result=sealed, is_bare=not (report.result or report.outputs))
        return replace(report, note=voice.note(job, report.note, reply)) if report.note else report

    async def _absorb(self, request: SyncRequest, reply: SyncReply) -> None:
        self._next_at = time.monotonic() + min(reply.next_ms, HEARTBEAT_MS) / 1000
        if request.unserved is not None:
            self._told_unserved = request.unserved
        self._shipping.acknowledged(reply.log_offsets)
        self._shipping.followed(reply.watched)
        self._let_go(self._board.acknowledged(self._sent, reply.reports))
        for job in reply.gone:
            self._board.end(job, GONE)
        await self._command(reply.command)
        self.on_inboxes(reply.inboxes)
        self._demand.heard(request.want, len(reply.claims), reply.wide)
        self.took_nothing = not reply.claims
        if reply.claims:
            await self._board.take(reply.claims)
        for job in reply.cancels:
            await self._cancel(job)
        for job in reply.kills:
            await self._cancel(job, at_once=True)
        if reply.lanes_version != self._lanes.version:
            self._lanes.learn(*await self._session.lanes())
            self._bell.ring()
        await self._session.follow(self._credentials, reply.roster_version)
        if self._wants_another(request, reply):
            self._bell.ring()

    def _let_go(self, over: list[Attempt]) -> None:
        for attempt in over:
            self._shipping.drop(attempt.job)
        if over:
            self.on_over(over)

    def _wants_another(self, request: SyncRequest, reply: SyncReply) -> bool:
        """More to tell, or room left that the hub does not know to be idle."""
        has_more = self._shipping.has_more() or any(
            report.job not in reply.reports for report in request.done
        )
        is_unasked = not request.idle or 0 < request.want <= len(reply.claims)
        return has_more or (is_unasked and self._demand.has_room())

    def _greeted(self, welcome: Welcome) -> None:
        self._lanes.learn(welcome.lanes_version, welcome.lanes)
        self._shipping.acknowledged(welcome.log_offsets)
        self._shipping.rewind()
        for job in welcome.gone:
            self._board.end(job, GONE)

    async def _cancel(self, job: str, *, at_once: bool = False) -> None:
        """End a job if that was signed; one whose claim is still on its way is asked about again soon."""
        attempt = self._board.held.get(job)
        if attempt is None:
            self._ring_in(ASK_AGAIN_S)
        elif attempt.is_over or (attempt.asked == CANCELLED and not at_once):
            return
        elif await self._orders.may_end(attempt, at_once=at_once):
            self._board.end(job, CANCELLED, at_once=at_once)

    # -- letters

    async def _obey(self, letter: Letter) -> None:
        match letter.kind:
            case "cancel":
                await self._cancel(letter.job)
            case "end":
                await self._cancel(letter.job, at_once=True)
            case "watch":
                self._shipping.watch(letter.job)
            case "pull":
                self.on_pull(letter)
            case "wake":
                self._ring_in(letter.delay_ms / 1000)
            case word:
                self._unsigned_command = None  # what was refused before may have been signed since
                await self._command("" if word == "resume" else word)

    async def _command(self, word: str) -> None:
        """Every reply says what the hub wants of this worker; it is news when it changes, and was signed."""
        if word == self._heard_command:
            self._unsigned_command = None
        elif word != self._unsigned_command:
            self._unsigned_command = word
            if not await self._orders.may_command(word or "resume"):
                return
            self._heard_command = word
            self.on_command(word)
            self._next_at = 0.0  # and the hub shall know at once what became of it
            self._bell.ring()

    def _ring_in(self, delay_s: float) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(delay_s, self._bell.ring)
