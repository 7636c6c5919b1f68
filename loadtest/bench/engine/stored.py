"""A database full of finished runs, written by the engine's own journal."""

from pathlib import Path

import orjson

from harness.local.inngest.ids import now_ms, ulid
from harness.local.inngest.journal import Journal, JournalError
from harness.local.inngest.state import DISCOVERY, Event, Kind, Pending, Run, Status
from harness.local.inngest.transaction import Transaction
from loadtest.bench.engine.app import APP_ID, RUN, STEPS

_RUNS_A_COMMIT = 1000


async def fill(path: Path, count: int) -> None:
    """Store finished runs of five steps, with the events that started and ended them.

    Args:
        path: the database of an engine that does not run.
        count: how many.
    """

    def broken(error: JournalError) -> None:
        raise error

    journal = Journal(path, "NORMAL", broken)
    try:
        for first in range(0, count, _RUNS_A_COMMIT):
            tx = Transaction()
            for _ in range(min(_RUNS_A_COMMIT, count - first)):
                _add_finished(tx)
            await journal.commit(tx.statements)
    finally:
        await journal.close()


def _add_finished(tx: Transaction) -> None:
    at = now_ms()
    event = Event.create({"name": RUN, "data": {"key": ulid(at)}}, ulid(at), at)
    tx.add_event(event)
    run = Run(ulid(at), f"{APP_ID}-steps", event, at, started_at=at)
    tx.add_run(run)
    called = Pending(run, DISCOVERY, Kind.DISCOVERY, queued_at=at, started_at=at)
    for number in range(STEPS):
        memo = orjson.dumps({"data": at})
        tx.add_step(called, f"{number:040x}", f"step-{number}", "StepRun", memo, False)
    tx.end_run(run, Status.COMPLETED, b"null")
    ended = {"function_id": run.function_id, "run_id": run.id, "event": event.payload}
    finished = {"name": "inngest/function.finished", "data": ended}
    tx.add_event(Event.create(finished, ulid(at), at))
