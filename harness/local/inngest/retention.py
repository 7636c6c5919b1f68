"""Old runs and events are removed, a few at a time, so that the database stays as large as it is.

SQLite fills the space of what is removed with what comes next.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.local.inngest.ids import now_ms
from harness.local.inngest.intake import DEDUP_MS
from harness.local.inngest.journal import Journal, Statement

log = logging.getLogger(__name__)

BATCH = 100  # runs or events in one transaction
PAUSE_S = 0.02  # after each, so that a backlog takes no more than a share of the disk
EVERY_S = 600.0

_RUNS = "SELECT rowid, id, created_at, ended_at FROM runs WHERE rowid > ? ORDER BY rowid LIMIT ?"
_EVENTS = """
SELECT e.rowid, e.internal_id, e.received_at,
       EXISTS (SELECT 1 FROM runs r WHERE r.event_id = e.internal_id)
FROM events e WHERE e.rowid > ? ORDER BY e.rowid LIMIT ?
"""


@dataclass(frozen=True)
class Pruned:
    """How much was removed."""

    runs: int
    events: int


class Pruner:
    """Removes what is older than a retention.

    Rows lie in the order they were made, so a walk from the first one ends at the first that is
    young enough, and no index is needed for it.

    Args:
        journal: what is pruned.
        retention_ms: how long a run is kept after its end, and an event after it was received;
            events are kept for at least the 24 hours in which their ids are remembered.
    """

    def __init__(self, journal: Journal, retention_ms: int) -> None:
        self._journal = journal
        self._retention_ms = retention_ms
        self._tables = [table for (table,) in journal.reader.execute(_TABLES_OF_RUNS)]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Prune now and every ten minutes."""
        self._task = asyncio.create_task(self._keep(), name="inngest-retention")

    async def close(self) -> None:
        """Stop pruning."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def prune(self) -> Pruned:
        """Remove all that is too old."""
        now = now_ms()
        runs = events = 0
        for ids in _old_runs(self._journal.reader, now - self._retention_ms):
            runs += len(ids)
            await self._remove(
                [*((table, "run_id") for table in self._tables), ("runs", "id")], ids
            )
        # After the runs: an event goes when no run refers to it any more.
        for ids in _old_events(self._journal.reader, now - max(self._retention_ms, DEDUP_MS)):
            events += len(ids)
            await self._remove([("skips", "event_id"), ("events", "internal_id")], ids)
        return Pruned(runs, events)

    async def _remove(self, places: Sequence[tuple[str, str]], ids: Sequence[str]) -> None:
        marks = ", ".join("?" * len(ids))
        statements: list[Statement] = [
            (f"DELETE FROM {table} WHERE {column} IN ({marks})", tuple(ids))
            for table, column in places
        ]
        await self._journal.commit(statements)
        await asyncio.sleep(PAUSE_S)

    async def _keep(self) -> None:
        while True:
            pruned = await self.prune()
            if pruned.runs or pruned.events:
                log.info("removed %d old runs and %d old events", pruned.runs, pruned.events)
            await asyncio.sleep(EVERY_S)


# Whatever table says of runs by their id says it no longer when they are gone.
_TABLES_OF_RUNS = """
SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c
WHERE t.type = 'table' AND c.name = 'run_id' ORDER BY t.name
"""


def _old_runs(reader: sqlite3.Connection, before: int) -> Iterator[list[str]]:
    last = 0
    while rows := reader.execute(_RUNS, (last, BATCH)).fetchall():
        last = rows[-1][0]
        if ids := [run_id for _, run_id, _, ended_at in rows if ended_at and ended_at < before]:
            yield ids
        if rows[-1][2] >= before:
            return


def _old_events(reader: sqlite3.Connection, before: int) -> Iterator[list[str]]:
    last = 0
    while rows := reader.execute(_EVENTS, (last, BATCH)).fetchall():
        last = rows[-1][0]
        if ids := [
            event_id
            for _, event_id, received_at, wanted in rows
            if received_at < before and not wanted
        ]:
            yield ids
        if rows[-1][2] >= before:
            return
