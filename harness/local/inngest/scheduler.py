"""When things happen: commits first, then timers and calls, within their limits."""

import asyncio
import itertools
import logging

from harness.local.inngest import answers
from harness.local.inngest.answers import Answer, Failed, Refused
from harness.local.inngest.config import Function
from harness.local.inngest.executor import Executor
from harness.local.inngest.flow import concurrency
from harness.local.inngest.flow.cells import Rate
from harness.local.inngest.gate import Gate, Ticket
from harness.local.inngest.ids import now_ms
from harness.local.inngest.journal import Journal
from harness.local.inngest.machine import Machine
from harness.local.inngest.state import Pending, Run
from harness.local.inngest.transaction import Transaction

log = logging.getLogger(__name__)

CALLS_PER_APP = 200


class Scheduler:
    """Carries out what transactions leave due.

    A timer runs on the monotonic clock from the moment it is set, so a jump of the wall clock
    neither fires nor holds it; after a restart the wall clock says how much is left.
    """

    def __init__(self, machine: Machine, journal: Journal, executor: Executor) -> None:
        self._machine = machine
        self._journal = journal
        self._executor = executor
        self._gate = Gate(machine.admission.cells)
        self._numbers = itertools.count()
        self._loop = asyncio.get_running_loop()
        self._calls: set[asyncio.Task[None]] = set()
        self._down: dict[str, set[Pending]] = {}

    @property
    def nearly_idle(self) -> bool:
        """Whether at most one call is in progress, so that waiting for the disk keeps few waiting.

        One whose answer is being dealt with counts.
        """
        return len(self._calls) <= 1

    def commit(self, tx: Transaction) -> None:
        """Write a transaction and then do what it leaves due."""
        if tx.statements:
            # Where nothing is due afterwards nobody waits: the next event need not either.
            here = self.nearly_idle and bool(tx.due)
            self._journal.submit(tx.statements, lambda: self._committed(tx), here=here)
        else:
            self._committed(tx)

    async def write(self, tx: Transaction) -> None:
        """Write a transaction, and return when it and all before it are on disk.

        Raises:
            JournalError: writing failed.
        """
        written = asyncio.Event()

        def committed() -> None:
            self._committed(tx)
            written.set()

        self._journal.submit(tx.statements, committed, here=self.nearly_idle)
        await written.wait()

    def _committed(self, tx: Transaction) -> None:
        for run in tx.advanced:
            run.kept += 1
        for pending in tx.due:
            if not pending.live:
                continue
            self._watch(pending.run)
            if pending.due_at is not None:
                wait_s = max(0, pending.due_at - now_ms()) / 1000
                pending.timer = self._loop.call_later(wait_s, self._fire, pending)
            elif pending.kind.calls:
                self._queue(pending)

    def app_is_up(self, app_id: str) -> None:
        """Try at once what could not reach an app that just registered."""
        for pending in self._down.pop(app_id, set()):
            if pending.live and pending.timer and not pending.calling:
                pending.timer.cancel()
                self._fire(pending)

    async def close(self) -> None:
        """Stop calling; what was not answered is called again after the next start."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def _fire(self, pending: Pending) -> None:
        pending.timer = None
        if not pending.live:
            return
        if pending.kind.calls:
            pending.due_at = None
            self._queue(pending)
            return
        tx = Transaction()
        self._machine.expired(pending, tx)
        self.commit(tx)

    def _watch(self, run: Run) -> None:
        """Set the timer that cancels a run, where its function has timeouts and none is set."""
        timeouts = self._machine.functions[run.function_id].timeouts
        if timeouts is None or run.deadline is not None:
            return
        deadline = timeouts.deadline(run.created_at, run.started_at)
        if deadline:
            at, reason = deadline
            wait_s = max(0, at - now_ms()) / 1000
            run.deadline = self._loop.call_later(wait_s, self._overdue, run, reason)

    def _overdue(self, run: Run, reason: str) -> None:
        tx = Transaction()
        self._machine.cancel(run, tx, f"it {reason} (timeouts)")
        self.commit(tx)

    def _queue(self, pending: Pending) -> None:
        run = pending.run
        function = self._machine.functions[run.function_id]
        ahead_ms = function.priority.ahead_ms(run.event.payload) if function.priority else 0
        self._gate.queue(
            Ticket(
                self._slots(function, run),
                (now_ms() - max(ahead_ms, 0), next(self._numbers)),
                lambda ticket: self._enter(ticket, pending),
                lambda: pending.live,
                _throttle(function, run),
            )
        )

    def _slots(self, function: Function, run: Run) -> tuple[tuple[str, int], ...]:
        app = (f"app:{function.app_id}", CALLS_PER_APP)
        if not function.concurrency:
            return (app,)
        return (*concurrency.slots(function.id, function.concurrency, run.event.payload), app)

    def _enter(self, ticket: Ticket, pending: Pending) -> None:
        run = pending.run
        if run.started_at or not self._machine.functions[run.function_id].records_start:
            self._begin(ticket, pending)
            return
        tx = Transaction()
        run.started_at = now_ms()
        tx.start_run(run)
        if ticket.throttle:
            self._machine.admission.cells.take(*ticket.throttle, tx)
        if run.deadline:  # that of its start is met
            run.deadline.cancel()
            run.deadline = None
        self._watch(run)
        self._journal.submit(tx.statements, lambda: self._begin(ticket, pending))

    def _begin(self, ticket: Ticket, pending: Pending) -> None:
        if not pending.live:
            self._gate.leave(ticket)
            return
        call = self._loop.create_task(self._call(ticket, pending))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _call(self, ticket: Ticket, pending: Pending) -> None:
        function = self._machine.functions[pending.run.function_id]
        pending.calling, pending.started_at, pending.told = True, now_ms(), pending.run.kept
        pending.run.started_at = pending.run.started_at or pending.started_at
        try:
            answer: Answer = await self._executor.call(function, pending)
        except Exception as error:
            # Whatever it was, the run must not hang: it is an attempt that failed.
            log.exception("calling %s of run %s failed", function.id, pending.run.id)
            answer = Failed(answers.error("EngineError", f"the engine could not call: {error!r}"))
        finally:
            self._gate.leave(ticket)
        self._note_reach(function.app_id, pending, answer)
        tx = Transaction()
        self._machine.answered(pending, answer, tx)
        self.commit(tx)

    def _note_reach(self, app_id: str, pending: Pending, answer: Answer) -> None:
        down = self._down.get(app_id)
        if isinstance(answer, Refused):
            if down is None:
                log.warning("%s; tried again until it answers", answer.reason)
            self._down.setdefault(app_id, set()).add(pending)
        elif down is not None:
            log.info("app %s answers again", app_id)
            self.app_is_up(app_id)
        if not isinstance(answer, Refused):
            pending.refused = 0


def _throttle(function: Function, run: Run) -> tuple[str, Rate] | None:
    """What a run counts as in its function's throttle; None where it has started already."""
    if function.throttle is None or run.started_at is not None:
        return None
    name = function.throttle.name(function.id, run.event.payload)
    return None if name is None else (name, function.throttle.rate)
