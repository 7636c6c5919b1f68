"""What the app saw, in a file that outlives it: calls, steps that ran, ends it was told of.

A line is written by one system call, so a killed process leaves whole lines, in their order.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson


@dataclass(frozen=True)
class Call:
    """A call of the engine.

    Attributes:
        id: of the call, made by the app.
        at: when it came, in seconds since the epoch.
        known: hashes of the steps whose results it carried, which the engine so has on disk.
    """

    id: str
    at: float
    run: str
    known: frozenset[str]


@dataclass(frozen=True)
class Ran:
    """A step that was run in a call."""

    call: str
    at: float
    run: str
    step: str


@dataclass(frozen=True)
class Told:
    """An `inngest/function.finished` event: which event said it, and the key of the run's own."""

    event: str
    run: str
    key: str


Seen = Call | Ran | Told


class Log:
    """Writes what the app sees.

    Args:
        path: of the file, which is added to.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def call(self, call: str, run: str, known: list[str]) -> None:
        """A call came."""
        self._write("call", call, time.time(), run, known)

    def ran(self, call: str, run: str, step: str) -> None:
        """A step begins to run."""
        self._write("ran", call, time.time(), run, step)

    def told(self, event: str, run: str, key: str) -> None:
        """An event said that a run has ended."""
        self._write("told", event, run, key)

    def _write(self, *fields: object) -> None:
        os.write(self._file, orjson.dumps(fields) + b"\n")


class Reader:
    """Reads the file as it grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def news(self) -> Iterator[Seen]:
        """What was written since the last time."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield _read(line)


def _read(line: bytes) -> Seen:
    kind, *fields = orjson.loads(line)
    match kind:
        case "call":
            call, at, run, known = fields
            return Call(call, at, run, frozenset(known))
        case "ran":
            return Ran(*fields)
        case _:
            return Told(*fields)
