"""What the app reports, heard by the bench over a Unix socket."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

_LINE_BYTES = 64 * 1024


class Reports:
    """Hears the app; an async context manager.

    Args:
        path: of the socket.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._expected: dict[str, asyncio.Future[list[int]]] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._hear, self.path, limit=_LINE_BYTES)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    def expect(self, key: str) -> "asyncio.Future[list[int]]":
        """The times that the app will report with `key`, in nanoseconds since the epoch."""
        found = self._expected[key] = asyncio.get_running_loop().create_future()
        return found

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            key, *marks = orjson.loads(line)
            expected = self._expected.pop(key, None)
            if expected and not expected.done():
                expected.set_result(marks)
        writer.close()
