"""The engine's memory on disk: one SQLite file, one writer thread, commits in groups.

Transactions are committed in the order they were submitted, so what a later one has seen is on
disk when it is. The loop hands over statements and is told after the commit; whatever piled up
while the disk was busy is one commit. Where nothing else is going on, the loop may commit by
itself: two changes of thread would cost a lone step as much as half a write to the disk.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.local.inngest._schema import SCHEMA_VERSION, TABLES, UPGRADES

log = logging.getLogger(__name__)

Statement = tuple[str, tuple[Any, ...]]
_GROUP_LIMIT = 512


class JournalError(Exception):
    """The journal cannot be opened or written; the text says what to do."""


@dataclass(slots=True)
class _Write:
    statements: list[Statement]
    committed: Callable[[], None]


class Journal:
    """An open journal.

    Args:
        path: the database file; made where there is none.
        synchronous: SQLite's setting. FULL survives a power cut, NORMAL only a killed process.
        broken: called in the loop, once, when writing failed; nothing is committed after it.

    Raises:
        JournalError: the file is not a journal, or one of a newer version.
    """

    def __init__(
        self,
        path: Path,
        synchronous: Literal["FULL", "NORMAL"],
        broken: Callable[[JournalError], None],
    ) -> None:
        self._path = path
        self._synchronous = synchronous
        self._broken = broken
        self._error: JournalError | None = None
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._handed_over = 0  # of those, how many the loop was not told of yet
        self._loop = asyncio.get_running_loop()
        self._writer = self._open()
        self.reader = self._connect()
        self.reader.execute("PRAGMA query_only = ON")
        self._thread = threading.Thread(target=self._work, name="inngest-journal", daemon=True)
        self._thread.start()

    def submit(
        self, statements: list[Statement], committed: Callable[[], None], *, here: bool = False
    ) -> None:
        """Commit `statements` in one transaction after all submitted before.

        Args:
            statements: SQL and parameters.
            committed: called in the loop when they are on disk.
            here: commit in the loop's thread, which waits for the disk meanwhile, unless the
                writer has something to do.

        Raises:
            JournalError: an earlier write failed.
        """
        if self._error:
            raise self._error
        write = _Write(statements, committed)
        if here and not self._handed_over:
            self._commit_here(write)
        else:
            self._handed_over += 1
            self._writes.put(write)

    async def commit(self, statements: list[Statement]) -> None:
        """Commit `statements` and return when they, and all submitted before, are on disk.

        Raises:
            JournalError: writing failed.
        """
        done = asyncio.Event()
        self.submit(statements, done.set)
        await done.wait()

    async def close(self) -> None:
        """Commit what was submitted and close the file."""
        self._writes.put(None)
        await asyncio.to_thread(self._thread.join)
        self._writer.close()
        self.reader.close()

    def _connect(self) -> sqlite3.Connection:
        # The writer is made in the loop's thread and then used by its own alone.
        return sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            self._migrate(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            raise JournalError(
                f"{self._path} cannot be used as the Inngest engine's database: {error}. Give"
                " another file, or move this one away"
            ) from None
        except JournalError:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found > SCHEMA_VERSION:
            raise JournalError(
                f"{self._path} was written by a newer version of the Inngest engine (schema"
                f" {found}, this one knows {SCHEMA_VERSION}). Update the project, or give another"
                " file"
            )
        scripts = [] if found else [TABLES]
        scripts += [UPGRADES[version] for version in range(max(found, 1), SCHEMA_VERSION)]
        if scripts:
            connection.executescript(
                f"BEGIN IMMEDIATE; {' '.join(scripts)}"
                f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def _work(self) -> None:
        while (write := self._writes.get()) is not None:
            group = [write]
            stop = False
            while len(group) < _GROUP_LIMIT and not self._writes.empty():
                following = self._writes.get_nowait()
                if following is None:
                    stop = True
                    break
                group.append(following)
            try:
                self._commit(group)
            except sqlite3.Error as error:
                self._fail(error)
                return
            self._loop.call_soon_threadsafe(self._tell, group)
            if stop:
                return

    def _commit_here(self, write: _Write) -> None:
        try:
            self._commit([write])
        except sqlite3.Error as error:
            self._fail(error)
        else:
            self._loop.call_soon(write.committed)

    def _commit(self, group: list[_Write]) -> None:
        execute = self._writer.execute
        execute("BEGIN IMMEDIATE")
        for write in group:
            for sql, parameters in write.statements:
                execute(sql, parameters)
        execute("COMMIT")

    def _tell(self, group: list[_Write]) -> None:
        self._handed_over -= len(group)
        for write in group:
            write.committed()

    def _fail(self, error: sqlite3.Error) -> None:
        self._error = JournalError(
            f"{self._path} cannot be written: {error}. Free space or mend the disk, and start the"
            " engine again; all that was acknowledged is kept"
        )
        log.critical("%s", self._error)
        self._loop.call_soon_threadsafe(self._broken, self._error)
