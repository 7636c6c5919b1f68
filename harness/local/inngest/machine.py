"""What happens to runs: a synchronous state machine over memory and the journal's statements.

Nothing here waits, calls or schedules. A method changes memory and collects in a `Transaction`
what is to be written and what is due after the commit; whoever called it commits, then schedules.
Memory may run ahead of the disk, because nothing outside hears of it before its own commit, which
follows all earlier ones.
"""

import logging
import random
from collections.abc import Iterable
from typing import Any

import orjson

from harness.local.inngest import answers, operations
from harness.local.inngest.answers import Answer, Failed, Finished, Operations, Refused
from harness.local.inngest.config import Function
from harness.local.inngest.ids import now_ms, ulid
from harness.local.inngest.matching import Listener, Matcher
from harness.local.inngest.state import DISCOVERY, Event, Kind, Pending, Run, Status
from harness.local.inngest.transaction import Transaction

log = logging.getLogger(__name__)

BACKOFF_S = (15, 30, 60, 120, 300, 600, 1200, 2400, 3600, 7200)
BACKOFF_JITTER_S = 10
BACKOFF_MOST_TIMES = 8  # how far a backoff of one's own doubles
REFUSED_FIRST_MS, REFUSED_MOST_MS = 100, 2_000
RETRY_AFTER_LEAST_MS, RETRY_AFTER_MOST_MS = 1_000, 24 * 3_600_000
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
        self._triggers: dict[str, list[Function]] = {}
        self.runs: dict[str, Run] = {}
        self.matcher = Matcher()

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
        self._triggers = {}
        for function in self.active.values():
            for name in dict.fromkeys(trigger.event for trigger in function.triggers):
                self._triggers.setdefault(name, []).append(function)

    def route(self, event: Event, tx: Transaction, *, starts: bool = True) -> None:
        """Record an event, end the waits and runs it matches, start the functions it triggers.

        Args:
            starts: whether it starts functions; one with an id seen before does not.
        """
        tx.add_event(event)
        for listener in self.matcher.matches(event):
            if listener.hash is None:
                self.cancel(listener.run, tx)
            elif waiting := listener.run.pending.get(listener.hash):
                self._memoize(waiting, "WaitForEvent", event.body, tx)
                self._advance(listener.run, waiting.race, tx)
        for function in list(self._triggers.get(event.name, ())) if starts else ():
            if any(
                trigger.event == event.name
                and (trigger.expression is None or trigger.expression.true(event=event.payload))
                for trigger in function.triggers
            ):
                self.start(function, event, tx)

    def start(
        self,
        function: Function,
        event: Event,
        tx: Transaction,
        parent: tuple[str, str] | None = None,
    ) -> Run:
        """Make a run of `function` for an event that is recorded in the same transaction."""
        at = now_ms()
        run = Run(ulid(at), function.id, event, at, parent=parent)
        self.runs[run.id] = run
        tx.add_run(run)
        self.listen_for_cancel(run, function)
        self.discover(run, tx)
        return run

    def listen_for_cancel(self, run: Run, function: Function) -> None:
        """Hear the events that cancel a run."""
        for rule in function.cancels:
            until = None if rule.timeout_ms is None else run.created_at + rule.timeout_ms
            self.matcher.add(Listener(run, rule.event, None, rule.expression, until))

    def discover(self, run: Run, tx: Transaction) -> None:
        """Ask the function, once the transaction is on disk, what its next steps are."""
        pending = Pending(run, DISCOVERY, Kind.DISCOVERY, queued_at=now_ms())
        run.pending[DISCOVERY] = pending
        tx.due.append(pending)

    def cancel(self, run: Run, tx: Transaction) -> None:
        """End a run; a step of it that is executing is not interrupted, its result is ignored."""
        self._finish(
            run, Status.CANCELLED, tx, problem=answers.error("Error", "function cancelled")
        )

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
        wait = min(REFUSED_FIRST_MS * 2**pending.refused, REFUSED_MOST_MS)
        pending.refused = min(pending.refused + 1, 10)
        pending.due_at = now_ms() + wait
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
        if len(run.memos) > before or run.owed:
            self._advance(run, pending.race or run.owed, tx)
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
            self.matcher.add(operations.listener(asked))
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
        self.start(function, event, tx, parent=(run.id, asked.hash))

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
        if run.status is not Status.RUNNING:
            return
        discovery = run.pending.get(DISCOVERY)
        if discovery is not None:
            run.owed = run.owed or discovery.calling
        elif race or not run.pending:
            run.owed = False
            self.discover(run, tx)

    def _retry(self, pending: Pending, retry_at: int | None, tx: Transaction) -> None:
        now = now_ms()
        if retry_at is not None:
            wait = min(max(retry_at - now, RETRY_AFTER_LEAST_MS), RETRY_AFTER_MOST_MS)
        elif self._backoff_ms is not None:
            wait = self._backoff_ms * min(2**pending.attempt, BACKOFF_MOST_TIMES)
        else:
            seconds = BACKOFF_S[min(pending.attempt, len(BACKOFF_S) - 1)]
            wait = int((seconds + random.uniform(0, BACKOFF_JITTER_S)) * 1000)
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
        for item in run.pending.values():
            if item.timer:
                item.timer.cancel()
        run.pending.clear()
        self.matcher.remove_run(run)
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
