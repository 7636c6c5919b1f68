"""The finished rows of a run on disk, so that an interrupted run goes on where it stopped.

A journal is one JSON object a line, written as samples finish. A row survives the process's death
once its line is written, and the machine's once a batch has been synced. Whatever follows the last
whole line is what a death tore: it is cut off, and its sample is measured again.
"""

import fcntl
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.errors import HarnessError

Row = dict[str, Any]
RowKey = tuple[str, int]  # sample and repeat

RUNNING = "rows.jsonl"
FINISHED = "finished.jsonl"
_SYNC_ROWS = 20
_SYNC_S = 1.0


class Journal:
    """The rows of one run, in a folder that this process alone writes to until it is closed."""

    def __init__(self, folder: Path, resume: bool | None = None) -> None:
        """Open the folder's journal and read what it holds.

        Args:
            folder: of this run's code and configuration; made when it is missing.
            resume: True goes on with the rows that there are, a finished run's too; False begins
                anew; None goes on where a run was interrupted, and begins anew otherwise.

        Raises:
            HarnessError: there is nothing to resume, or another process writes here.
        """
        self._running, self._finished = folder / RUNNING, folder / FINISHED
        if resume and not self._running.exists():
            if not self._finished.exists():
                raise HarnessError(
                    "--resume: no run of this code and configuration was begun",
                    "Leave it out: a run is resumed by itself where there is one.",
                )
            self._finished.replace(self._running)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = self._running.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise HarnessError(
                f"a run of this code and configuration is writing {self._running}",
                "Wait for it, or end it first.",
            ) from None
        self._unsynced = 0
        self._synced_at = time.monotonic()
        if resume is False:
            self._file.truncate(0)
        self.rows = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, row: Row) -> None:
        """Keep a finished row.

        Args:
            row: JSON values, with `sample` and `repeat`.
        """
        self._file.write(json.dumps(row).encode() + b"\n")
        self.rows[_key(row)] = row
        self._unsynced += 1
        late = time.monotonic() - self._synced_at > _SYNC_S
        if late or self._unsynced >= _SYNC_ROWS:
            self._sync()

    def close(self) -> None:
        """Sync what is written and let others write; a second time does nothing."""
        if not self._file.closed:
            self._sync()
            self._file.close()

    def finish(self) -> None:
        """Close the journal of a run whose rows are kept: the next run begins anew."""
        self.close()
        self._running.replace(self._finished)

    def _read(self) -> dict[RowKey, Row]:
        self._file.seek(0)
        rows: dict[RowKey, Row] = {}
        whole = 0
        for line in self._file.read().splitlines(keepends=True):
            row = _row_of(line)
            if row is None:
                break
            rows[_key(row)] = row
            whole += len(line)
        self._file.truncate(whole)
        return rows

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._unsynced = 0
        self._synced_at = time.monotonic()


def _key(row: Row) -> RowKey:
    return row["sample"], row["repeat"]


def _row_of(line: bytes) -> Row | None:
    """The row of a whole line, else None."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and {"sample", "repeat"} <= row.keys() else None
