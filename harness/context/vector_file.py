"""Vectors of texts on disk, shared by the processes of a home."""

import logging
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 200_000_000  # of one file: about 95,000 vectors of 384 dimensions
SCHEMA_VERSION = 1
BUSY_MS = 100  # past this the work is done again rather than waited for
_PRUNED = 64  # rows that go beside as many as came, so that no query pays for a whole clearing
_ASKED = 500  # keys a statement

_CREATE = (
    "CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, key BLOB UNIQUE, vector BLOB)"
)
_PRUNE = "DELETE FROM vectors WHERE id IN (SELECT id FROM vectors ORDER BY id LIMIT ?)"

log = logging.getLogger(__name__)
Vector = NDArray[np.float32]


class VectorFile:
    """A bounded cache of vectors by their text's hash; the oldest go first.

    It only ever saves work: what another process keeps locked is a miss, and a file that is broken
    or of a newer version is left alone with one warning.

    Args:
        path: the file, of one embedder and one version of it; made when first needed.
        max_bytes: how large it may grow.
        busy_ms: how long another process is waited for, in milliseconds.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES, *, busy_ms: int = BUSY_MS) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._busy_s = busy_ms / 1000
        self._connection: sqlite3.Connection | None = None
        self._off = False
        self._lock = Lock()

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Vector]:
        """The vectors that are kept of these keys."""
        wanted, found = list(keys), dict[bytes, Vector]()
        with self._lock:
            try:
                for start in range(0, len(wanted), _ASKED):
                    found.update(self._select(wanted[start : start + _ASKED]))
            except (sqlite3.Error, OSError, ValueError) as error:
                self._give_up(error)
        return found

    def keep(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors, in one transaction."""
        with self._lock:
            try:
                self._insert(vectors)
            except (sqlite3.Error, OSError) as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _select(self, keys: list[bytes]) -> dict[bytes, Vector]:
        connection = self._open()
        if connection is None:
            return {}
        marks = ",".join("?" * len(keys))
        rows = connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", keys)
        return {key: np.frombuffer(vector, "<f4") for key, vector in rows}

    def _insert(self, vectors: Mapping[bytes, Vector]) -> None:
        connection = self._open()
        if connection is None or not vectors:
            return
        rows = [(key, vector.astype("<f4").tobytes()) for key, vector in vectors.items()]
        with connection:
            connection.executemany(
                "INSERT OR IGNORE INTO vectors (key, vector) VALUES (?, ?)", rows
            )
            if _used_bytes(connection) > self._max_bytes:
                connection.execute(_PRUNE, [len(rows) + _PRUNED])

    def _open(self) -> sqlite3.Connection | None:
        if self._connection is None and not self._off:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(
                self._path, timeout=self._busy_s, check_same_thread=False
            )
            self._prepare(self._connection)
        return self._connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"it has version {version}, this code {SCHEMA_VERSION}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        with connection:
            connection.execute(_CREATE)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _give_up(self, error: Exception) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            return
        self._off = True
        log.warning("the embedding cache %s is off: %s; delete it to start anew", self._path, error)


def _used_bytes(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
