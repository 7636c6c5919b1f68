"""What is written at once, and what is due when it is on disk."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from harness.local.inngest import _schema as sql
from harness.local.inngest.config import Function
from harness.local.inngest.ids import now_ms
from harness.local.inngest.journal import Statement
from harness.local.inngest.state import Event, Pending, Run, Status


@dataclass(slots=True)
class Transaction:
    """Statements in order, and what the scheduler does after their commit.

    Attributes:
        due: what is to be done, now or at its time.
        advanced: the run of each step that finished.
    """

    statements: list[Statement] = field(default_factory=list)
    due: list[Pending] = field(default_factory=list)
    advanced: list[Run] = field(default_factory=list)

    def put_app(
        self, app_id: str, url: str, sdk: str, functions: list[Function], raw: list[Any]
    ) -> None:
        """An app and its functions, which replace those it had."""
        self._write(sql.PUT_APP, app_id, url, sdk, orjson.dumps(raw), now_ms())
        self._write(sql.RETIRE_FUNCTIONS, app_id)
        for function, config in zip(functions, raw, strict=True):
            self._write(sql.PUT_FUNCTION, function.id, app_id, orjson.dumps(config))

    def add_event(self, event: Event, *, repeated: bool = False) -> None:
        """An accepted event.

        Args:
            repeated: whether its id was seen before, so that it starts nothing.
        """
        self._write(
            sql.ADD_EVENT,
            event.internal_id,
            event.id,
            event.name,
            event.received_at,
            event.body,
            repeated,
        )

    def add_run(self, run: Run) -> None:
        """A run that begins."""
        parent = run.parent or (None, None)
        self._write(
            sql.ADD_RUN, run.id, run.function_id, run.event.internal_id, run.created_at, *parent
        )

    def add_skip(self, event: Event, function_id: str, reason: str) -> None:
        """An event that matched a function and started no run of it."""
        self._write(sql.ADD_SKIP, event.internal_id, function_id, now_ms(), reason)

    def set_parallel(self, run: Run) -> None:
        """From now on a run's steps are planned before they are run."""
        self._write(sql.SET_PARALLEL, run.race, run.id)

    def start_run(self, run: Run) -> None:
        """When a run started, where something depends on it."""
        self._write(sql.START_RUN, run.started_at, run.id)

    def end_run(self, run: Run, status: Status, output: bytes) -> None:
        """A run's end and its output, and that it waits for nothing more."""
        if any(pending.stored for pending in run.pending.values()):
            self._write(sql.DROP_ALL_PENDING, run.id)
        self._write(sql.END_RUN, status, run.started_at, now_ms(), output, run.id)

    def add_step(
        self, pending: Pending, step: str, name: str, op: str, memo: bytes, failed: bool
    ) -> None:
        """A finished step.

        Args:
            pending: what ran it or waited for it.
        """
        self.advanced.append(pending.run)
        self._write(
            sql.ADD_STEP,
            pending.run.id,
            step,
            name,
            op,
            memo,
            failed,
            pending.attempt + 1,
            pending.queued_at,
            pending.started_at,
            now_ms(),
        )

    def add_attempt(self, pending: Pending, step: str, name: str, problem: dict[str, Any]) -> None:
        """A failed attempt."""
        self._write(
            sql.ADD_ATTEMPT,
            pending.run.id,
            step,
            name,
            pending.attempt,
            pending.started_at,
            now_ms(),
            orjson.dumps(problem),
        )

    def put_pending(self, pending: Pending) -> None:
        """Something a run waits for."""
        pending.stored = True
        self._write(
            sql.PUT_PENDING,
            pending.run.id,
            pending.hash,
            pending.kind,
            pending.name,
            pending.due_at,
            pending.attempt,
            pending.race,
            pending.queued_at,
            orjson.dumps(pending.data),
        )

    def drop_pending(self, pending: Pending) -> None:
        """A run no longer waits for something."""
        if pending.stored:
            self._write(sql.DROP_PENDING, pending.run.id, pending.hash)

    def put_limit(self, name: str, arrival: int) -> None:
        """When a limited key's next run would come at an even pace."""
        self._write(sql.PUT_LIMIT, name, arrival)

    def drop_limits(self, before: int) -> None:
        """The keys whose time is over limit nothing any more."""
        self._write(sql.DROP_LIMITS, before)

    def add_note(self, pending: Pending, text: str) -> None:
        """What the engine has to say of a step."""
        self._write(sql.ADD_NOTE, pending.run.id, pending.hash, pending.name, now_ms(), text)

    def _write(self, statement: str, *parameters: Any) -> None:
        self.statements.append((statement, parameters))
