"""What happens to runs: a synchronous state machine over memory and the journal's statements.

Nothing here waits, calls or schedules. A method changes memory and collects in a `Transaction`
what is to be written and what is due after the commit; whoever called it commits, then schedules.
Memory may run ahead of the disk, because nothing outside hears of it before its own commit, which
follows all earlier ones.
"""

import logging
from collections.abc import Iterable
from typing import Any

import orjson

from harness.local.inngest import answers, backoff, operations
from harness.local.inngest.admission import Admission, start_at
from harness.local.inngest.answers import Answer, Failed, Finished, Operations, Refused
from harness.local.inngest.config import Function
from harness.local.inngest.ids import now_ms, steady_at, ulid
from harness.local.inngest.matching import Listener, Matcher
from harness.local.inngest.near_misses import RecentEvents
from harness.local.inngest.state import DISCOVERY, Event, Kind, Pending, Run, Skipped, Status
from harness.local.inngest.transaction import Transaction
from harness.local.inngest.triggers import Triggers

log = logging.getLogger(__name__)

MAX_STEPS = 1_000
MAX_STATE_BYTES = 32 * 1024 * 1024
NULL = b"null"


class Machine:
    """The unfinished runs and what may happen to them.

    Args:
        backoff_ms: the first time between attempts, doubled up to eightfold; None for Inngest's
            table.
    """

    def __init__(self, backoff_ms: int | None) -> None:
        self._backoff_ms = backoff_ms
        self.functions: dict[str, Function] = {}
        self.active: dict[str, Function] = {}
        self.runs: dict[str, Run] = {}
        self.matcher = Matcher()
        self.admission = Admission()
        self._triggers = Triggers()
        self._recent = RecentEvents()

    def register(self, functions: Iterable[Function], retired: Iterable[str]) -> None:
        """Replace functions by id.

        Args:
            functions: those an app has; events trigger them from now on.
            retired: ids that no event triggers any more; their runs go on.
        """
        for retired_id in retired:
            self.active.pop(retired_id, None)
        for function in functions:
            self.functions[function.id] = self.active[function.id] = function
        self._triggers.replace(self.active.values())

    def route(self, event: Event, tx: Transaction, *, starts: bool = True) -> None:
        """Record an event, end the waits and runs it matches, start the functions it triggers.

        Args:
            starts: whether it starts functions; one with an id seen before does not.
        """
        tx.add_event(event, repeated=not starts)
        self._recent.add(event)
        for listener in self.matcher.matches(event):
            if listener.hash is None:
                self.cancel(listener.run, tx)
            elif waiting := listener.run.pending.get(listener.hash):
                self._memoize(waiting, "WaitForEvent", event.body, tx)
                self._advance(listener.run, waiting.race, tx)
        for function in self._triggers.started_by(event) if starts else ():
            self.start(function, event, tx)

    def start(
        self,
        function: Function,
        event: Event,
        tx: Transaction,
        parent: tuple[str, str] | None = None,
    ) -> Run | Skipped:
        """Make a run of `function` for an event that is recorded in the same transaction.

        Returns:
            The run, or why there is none.
        """
        skipped = self.admission.skip(function, event, tx)
        return skipped or self._begin(function, event, tx, parent)

    def replay(self, function: Function, event: Event, tx: Transaction) -> Run | Skipped:
        """Make a run of `function` for an event from before.

        Limits on incoming events (rate limit, idempotency) counted it when it came in, and do not
        count it again: else no run of an idempotent function could be replayed for a day. What
        limits the runs that there are (singleton, throttle, concurrency) limits this one too.

        Returns:
            The run, or why there is none.
        """
        return self.admission.occupied(function, event) or self._begin(function, event, tx)

    def _begin(
        self,
        function: Function,
        event: Event,
        tx: Transaction,
        parent: tuple[str, str] | None = None,
    ) -> Run:
        at = now_ms()
        run = Run(ulid(at), function.id, event, at, parent=parent)
        tx.add_run(run)
        replaced = self.adopt(run)
        self.discover(run, tx, start_at(function, event, at))
        if replaced:
            self.cancel(replaced, tx, f"run {run.id} took its place (singleton)")
        return run

    def adopt(self, run: Run) -> Run | None:
        """Take on an unfinished run; hear the events that cancel it.

        Returns:
            The run whose place it takes, where its function is a singleton.
        """
        function = self.functions[run.function_id]
        self.runs[run.id] = run
        for rule in function.cancels:
            until = None
            if rule.timeout_ms is not None:
                until = steady_at(run.created_at + rule.timeout_ms)
            self.matcher.add(Listener(run, rule.event, None, rule.expression, until))
        return self.admission.hold(run, function)

    def discover(self, run: Run, tx: Transaction, due_at: int | None = None) -> None:
        """Ask the function, once the transaction is on disk, what its next steps are.

        Args:
            due_at: when, in milliseconds; None for at once.
        """
        pending = Pending(run, DISCOVERY, Kind.DISCOVERY, due_at=due_at, queued_at=now_ms())
        run.pending[DISCOVERY] = pending
        if due_at is not None:
            tx.put_pending(pending)
        tx.due.append(pending)

    def cancel(self, run: Run, tx: Transaction, reason: str | None = None) -> None:
        """End a run; a step of it that is executing is not interrupted, its result is ignored.

        Args:
            reason: what cancelled it, where neither an event nor a request did.
        """
        words = "function cancelled" if reason is None else f"function cancelled: {reason}"
        self._finish(run, Status.CANCELLED, tx, problem=answers.error("Error", words))

    def answered(self, pending: Pending, answer: Answer, tx: Transaction) -> None:
        """Apply the app's answer to a call."""
        pending.calling, pending.due_at = False, None
        if not pending.live:
            return
        match answer:
            case Refused():
                self._put_off(pending, tx)
            case Failed():
                self._failed(pending, answer, tx)
            case Finished():
                self._finish(pending.run, Status.COMPLETED, tx, output=answer.output)
            case Operations():
                self._operations(pending, answer, tx)

    def expired(self, pending: Pending, tx: Transaction) -> None:
        """A sleep is over, or a wait or an invocation timed out."""
        if not pending.live:
            return
        if pending.kind is Kind.INVOKE:
            problem = answers.error("InngestInvokeTimeoutError", "the invoked function timed out")
            self._memoize(pending, "InvokeFunction", _memo(error=problem), tx, failed=True)
        else:
            op = "Sleep" if pending.kind is Kind.SLEEP else "WaitForEvent"
            self._memoize(pending, op, NULL, tx)
        self._advance(pending.run, pending.race, tx)

    def _put_off(self, pending: Pending, tx: Transaction) -> None:
        """An app that is down costs no attempt, so nothing of this is worth writing down."""
        pending.due_at = now_ms() + backoff.refused_ms(pending.refused)
        pending.refused += 1
        tx.due.append(pending)

    def _failed(self, pending: Pending, answer: Failed, tx: Transaction) -> None:
        tx.add_attempt(pending, pending.hash, pending.name, answer.error)
        function = self.functions[pending.run.function_id]
        if answer.retriable and pending.attempt + 1 < function.max_attempts:
            self._retry(pending, answer.retry_at, tx)
        else:
            self._finish(pending.run, Status.FAILED, tx, problem=answer.error)

    def _operations(self, pending: Pending, answer: Operations, tx: Transaction) -> None:
        run, before = pending.run, len(pending.run.memos)
        if len(answer.items) > 1 and not run.parallel:
            run.parallel = True
            tx.set_parallel(run)
        for item in answer.items:
            if run.status is not Status.RUNNING:
                return
            known = item["id"] in run.memos or item["id"] in run.pending
            if known and item["id"] != pending.hash:
                continue
            self._operation(pending, item, answer.retriable, tx)
        if run.status is not Status.RUNNING:
            return
        if pending.live and pending.due_at is None:
            self._drop(pending, tx)
        # What finished while the next steps were being found may lead to others.
        outdated = pending.kind is Kind.DISCOVERY and pending.told < before
        if len(run.memos) > before or outdated:
            self._advance(run, pending.race or outdated, tx)
        elif not run.pending:
            problem = "the function named only steps that are already done: is it deterministic?"
            self._finish(run, Status.FAILED, tx, problem=answers.error("NoProgress", problem))

    def _operation(
        self, pending: Pending, item: dict[str, Any], retriable: bool, tx: Transaction
    ) -> None:
        run, op = pending.run, item["op"]
        name = str(item.get("displayName") or item.get("name") or item["id"])
        try:
            match op:
                case "StepRun":
                    memo = _memo(data=item.get("data"))
                    self._memoize(pending, op, memo, tx, step=item["id"], name=name)
                case "StepError" | "StepFailed":
                    self._step_failed(pending, item, name, retriable and op == "StepError", tx)
                case "InvokeFunction":
                    self._invoke(run, item, name, tx)
                case _:
                    self._wait_for(operations.ask(run, item, name), tx)
        except operations.OperationError as problem:
            error = answers.error("UnsupportedStep", f"step {name!r}: {problem}")
            self._finish(run, Status.FAILED, tx, problem=error)

    def _step_failed(
        self,
        pending: Pending,
        item: dict[str, Any],
        name: str,
        retriable: bool,
        tx: Transaction,
    ) -> None:
        problem = item.get("error") or answers.error("Error", "the step failed")
        tx.add_attempt(pending, item["id"], name, problem)
        function = self.functions[pending.run.function_id]
        if retriable and pending.attempt + 1 < function.max_attempts:
            self._retry(pending, None, tx)
            return
        memo = _memo(error=problem)
        self._memoize(pending, "StepFailed", memo, tx, step=item["id"], name=name, failed=True)

    def _wait_for(self, asked: Pending, tx: Transaction) -> None:
        """Add something a run waits for, and hear its event from this moment on."""
        run = asked.run
        run.pending[asked.hash] = asked
        tx.put_pending(asked)
        if asked.race and not run.race:
            run.race = True
            tx.set_parallel(run)
        if asked.kind is Kind.WAIT:
            listener = operations.listener(asked)
            self.matcher.add(listener)
            if missed := self._recent.missed_by(listener):
                tx.add_note(asked, missed)
                log.warning(
                    "run %s of %s: step %r: %s", run.id, run.function_id, asked.name, missed
                )
        tx.due.append(asked)

    def _invoke(self, run: Run, item: dict[str, Any], name: str, tx: Transaction) -> None:
        asked, event = operations.invocation(run, item, name)
        self._wait_for(asked, tx)
        function = self.active.get(asked.data["function_id"])
        if function is None:
            problem = f"no app has a function {asked.data['function_id']!r}"
            memo = _memo(error=answers.error("InngestFunctionNotFoundError", problem))
            self._memoize(asked, "InvokeFunction", memo, tx, failed=True)
            return
        tx.add_event(event)
        started = self.start(function, event, tx, parent=(run.id, asked.hash))
        if isinstance(started, Skipped):
            problem = f"the invoked function {function.id} was not started: {started.reason}"
            memo = _memo(error=answers.error("Error", problem))
            self._memoize(asked, "InvokeFunction", memo, tx, failed=True)

    def _memoize(
        self,
        pending: Pending,
        op: str,
        memo: bytes,
        tx: Transaction,
        *,
        step: str | None = None,
        name: str | None = None,
        failed: bool = False,
    ) -> None:
        """Finish a step; `pending` is what ran it, or what waited for it."""
        run, step = pending.run, pending.hash if step is None else step
        if pending.live:
            self._drop(pending, tx)
        run.memos[step] = memo
        run.size += len(memo)
        tx.add_step(pending, step, name or pending.name, op, memo, failed)
        if len(run.memos) > MAX_STEPS:
            self._too_large(run, f"it has more than {MAX_STEPS} steps", tx)
        elif run.size > MAX_STATE_BYTES:
            self._too_large(run, f"its steps' results exceed {MAX_STATE_BYTES} bytes", tx)

    def _too_large(self, run: Run, what: str, tx: Transaction) -> None:
        problem = answers.error("StateOverflow", f"the run is larger than Inngest allows: {what}")
        self._finish(run, Status.FAILED, tx, problem=problem)

    def _advance(self, run: Run, race: bool, tx: Transaction) -> None:
        """After a step's end: a discovery once nothing is pending, at once in a race."""
        if run.status is not Status.RUNNING or DISCOVERY in run.pending:
            return
        if race or not run.pending:
            self.discover(run, tx)

    def _retry(self, pending: Pending, retry_at: int | None, tx: Transaction) -> None:
        now = now_ms()
        if retry_at is not None:
            wait = backoff.asked_for_ms(retry_at - now)
        else:
            wait = backoff.failed_ms(pending.attempt, self._backoff_ms)
        pending.attempt += 1
        pending.due_at = now + wait
        pending.run.pending[pending.hash] = pending
        tx.put_pending(pending)
        tx.due.append(pending)

    def _drop(self, pending: Pending, tx: Transaction) -> None:
        del pending.run.pending[pending.hash]
        tx.drop_pending(pending)
        if pending.kind is Kind.WAIT:
            self.matcher.remove_step(pending.run, pending.hash)
        if pending.timer:
            pending.timer.cancel()

    def _finish(
        self,
        run: Run,
        status: Status,
        tx: Transaction,
        *,
        output: bytes = NULL,
        problem: dict[str, Any] | None = None,
    ) -> None:
        if run.status is not Status.RUNNING:
            return
        run.status = status
        tx.end_run(run, status, output if problem is None else orjson.dumps(problem))
        run.stop_timers()
        run.pending.clear()
        self.matcher.remove_run(run)
        self.admission.release(run)
        del self.runs[run.id]
        if run.parent:
            self._return_to(run.parent, output, problem, tx)
        for event in operations.finish_events(run, status, output, problem):
            self.route(event, tx)

    def _return_to(
        self,
        parent: tuple[str, str],
        output: bytes,
        problem: dict[str, Any] | None,
        tx: Transaction,
    ) -> None:
        run = self.runs.get(parent[0])
        waiting = run.pending.get(parent[1]) if run else None
        if waiting is None:
            return
        memo = b'{"data":' + output + b"}" if problem is None else _memo(error=problem)
        self._memoize(waiting, "InvokeFunction", memo, tx, failed=problem is not None)
        self._advance(waiting.run, waiting.race, tx)


def _memo(**fields: Any) -> bytes:
    """A step's result as the SDK reads it: `data` or `error`."""
    return orjson.dumps(fields)
