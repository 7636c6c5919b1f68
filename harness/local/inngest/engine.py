"""The engine: its parts put together, from start to stop."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from harness.local.inngest.config import ConfigError, parse_function, refuse_unknown
from harness.local.inngest.executor import Executor
from harness.local.inngest.expressions import Expression
from harness.local.inngest.ids import now_ms
from harness.local.inngest.intake import EventError, Intake, Novelty, check
from harness.local.inngest.journal import Journal, JournalError
from harness.local.inngest.machine import Machine
from harness.local.inngest.recovery import find_finished, restore
from harness.local.inngest.retention import Pruner
from harness.local.inngest.scheduler import Scheduler
from harness.local.inngest.state import Event, Run, Skipped
from harness.local.inngest.syncing import Syncer
from harness.local.inngest.transaction import Transaction

log = logging.getLogger(__name__)


WEEK_MS = 7 * 24 * 3_600_000
CANCELLED_AT_ONCE = 200  # in one transaction, so that others are not held up


class ReplayError(Exception):
    """A run that cannot be run again; the text says why."""


@dataclass(frozen=True)
class Options:
    """How an engine runs.

    Attributes:
        db: its database file.
        backoff_ms: the first time between attempts, doubled up to eightfold; None for Inngest's
            table.
        signing_key: what apps sign with; None for development mode.
        signing_key_fallback: the key before or after it, good as well while keys are rotated.
        event_key: what senders of events must name; None to take any.
        synchronous: SQLite's setting.
        sdk_urls: serve addresses of apps that are made to register at the start.
        retention_ms: how long a run is kept after its end.
        log_level: from which on its process logs.
    """

    db: Path
    backoff_ms: int | None = None
    signing_key: str | None = None
    signing_key_fallback: str | None = None
    event_key: str | None = None
    synchronous: Literal["FULL", "NORMAL"] = "FULL"
    sdk_urls: tuple[str, ...] = ()
    retention_ms: int = WEEK_MS
    log_level: str = "INFO"

    @property
    def signing_keys(self) -> tuple[str, ...]:
        """The keys in force, the one that calls are signed with first; none in development mode."""
        if not self.signing_key:
            return ()
        return tuple(filter(None, (self.signing_key, self.signing_key_fallback)))


class Engine:
    """A running engine; made inside the loop it runs in.

    Args:
        broken: called when the journal can no longer be written and the engine must stop.

    Raises:
        JournalError: the database cannot be used.
    """

    def __init__(self, options: Options, broken: Callable[[JournalError], None]) -> None:
        self.options = options
        self.journal = Journal(options.db, options.synchronous, broken)
        self.machine = Machine(options.backoff_ms)
        self.executor = Executor(options.signing_keys)
        self.scheduler = Scheduler(self.machine, self.journal, self.executor)
        self.syncer = Syncer(self.executor)
        self._intake = Intake(self.journal.reader)
        self._pruner = Pruner(self.journal, options.retention_ms)

    def resume(self) -> None:
        """Go on with what was unfinished when the last engine on this database stopped."""
        tx = Transaction()
        restore(self.machine, self.journal.reader, tx)
        if self.machine.runs:
            log.info("resumed %d runs", len(self.machine.runs))
        self.scheduler.commit(tx)
        for url in self.options.sdk_urls:
            self.syncer.sync_when_up(url)
        self._pruner.start()

    async def close(self) -> None:
        """Stop calling apps and close the database."""
        await self._pruner.close()
        await self.syncer.close()
        await self.scheduler.close()
        self.executor.close()
        await self.journal.close()

    async def receive(
        self, payloads: list[Any], seed: str | None
    ) -> tuple[list[str], EventError | None]:
        """Accept events; they and the runs they start are on disk when this returns.

        Args:
            seed: what makes the ids of a repeated request the same.

        Returns:
            The internal ids of the accepted ones, and what was wrong with the next one.
        """
        tx, ids, accepted = Transaction(), [], []
        problem = None
        for index, payload in enumerate(payloads):
            try:
                checked = check(payload)
            except EventError as error:
                problem = error
                break
            internal_id, novelty = self._intake.number(checked, seed, index)
            ids.append(internal_id)
            if novelty is Novelty.REPEATED:
                continue
            event = Event.create(checked, internal_id, now_ms())
            accepted.append(event)
            self.machine.route(event, tx, starts=novelty is Novelty.NEW)
        await self.scheduler.write(tx)
        self._intake.committed(accepted)
        return ids, problem

    async def register(self, app_id: str, url: str, sdk: str, raw: list[dict[str, Any]]) -> bool:
        """Take over an app's functions; those it no longer has are triggered no more.

        Args:
            raw: the functions' configurations as the SDK sent them.

        Returns:
            Whether anything changed.

        Raises:
            ConfigError: a function is malformed or wants what the engine does not do; nothing of
                the registration is taken over then.
        """
        functions = [parse_function(app_id, item) for item in raw]
        for item in raw:
            refuse_unknown(item)
        for function in functions:
            known = self.machine.active.get(function.id)
            if known and known.app_id != app_id:
                raise ConfigError(
                    f"function {function.id} belongs to app {known.app_id}: rename it in {app_id}"
                )
        known_as = self.journal.reader.execute(
            "SELECT functions, url FROM apps WHERE id = ?", (app_id,)
        ).fetchone()
        configs = orjson.dumps(raw)
        old = {item.id for item in self.machine.active.values() if item.app_id == app_id}
        self.machine.register(functions, old - {item.id for item in functions})
        tx = Transaction()
        tx.put_app(app_id, url, sdk, functions, raw)
        await self.journal.commit(tx.statements)
        self.scheduler.app_is_up(app_id)
        return bool(known_as != (configs, url))

    async def cancel(self, run_id: str) -> bool:
        """Cancel a run; False where it is unknown or has ended."""
        run = self.machine.runs.get(run_id)
        if run is None:
            return False
        await self._cancel([run])
        return True

    async def cancel_all(
        self,
        function_id: str,
        started_after: int,
        started_before: int,
        expression: Expression | None,
    ) -> int:
        """Cancel a function's unfinished runs that were made in a span of time.

        Args:
            function_id: whose.
            started_after: in milliseconds, itself not in the span.
            started_before: likewise.
            expression: of the `event` that started a run; those for which it is true.

        Returns:
            How many.
        """
        chosen = [
            run
            for run in self.machine.runs.values()
            if run.function_id == function_id
            and started_after < run.created_at < started_before
            and (expression is None or expression.true(event=run.event.payload))
        ]
        for first in range(0, len(chosen), CANCELLED_AT_ONCE):
            await self._cancel(chosen[first : first + CANCELLED_AT_ONCE])
        return len(chosen)

    async def replay(self, run_id: str) -> str:
        """Run a function again, from its start, for the event that started a run that has ended.

        Returns:
            The new run's id.

        Raises:
            ReplayError: there is no such run, it has not ended, its function is gone, or is a
                singleton with an unfinished run.
        """
        found = find_finished(self.journal.reader, run_id)
        if found is None:
            raise ReplayError(f"no run {run_id} has ended")
        function_id, event = found
        function = self.machine.active.get(function_id)
        if function is None:
            raise ReplayError(f"no app has the function {function_id} any more")
        tx = Transaction()
        made = self.machine.replay(function, event, tx)
        if isinstance(made, Skipped):
            raise ReplayError(f"no run of {function_id} can start now: {made.reason}")
        await self.scheduler.write(tx)
        return made.id

    async def _cancel(self, runs: list[Run]) -> None:
        tx = Transaction()
        for run in runs:
            self.machine.cancel(run, tx)
        await self.scheduler.write(tx)
