"""One connection to an MCP server, by the official client over either of its transports."""

import importlib.metadata
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self, TextIO, cast

import anyio
import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import Implementation, Tool, ToolListChangedNotification
from pydantic import SecretStr

from harness.settings import McpServer

# It writes a traceback with the line for each one that is no message, and lines may hold anything.
logging.getLogger("mcp.client.stdio").setLevel(logging.CRITICAL)

log = logging.getLogger(__name__)
MOST_PAGES = 100  # of a list of tools: a server whose list never ends is cut there
_HTTP_TIMEOUT = httpx2.Timeout(30, read=300)  # an answer's stream may be silent for long
_Item = SessionMessage | Exception


@asynccontextmanager
async def connect(
    server: McpServer, changed: Callable[[], None], *, quiet: bool = False
) -> AsyncIterator[Client]:
    """A client of the server, once both have shaken hands.

    It must be entered and left in one task.

    Args:
        server: where it is.
        changed: called when the list of its tools is said to have changed, and when it goes away.
        quiet: drop what the server's process writes to its stderr, which else is this one's.
    """
    told = False

    async def hear(message: object) -> None:
        nonlocal told
        if isinstance(message, ToolListChangedNotification):
            changed()
        elif isinstance(message, Exception) and not told:
            told = True
            log.warning("the MCP server %s sends what is no message; it is ignored", server.place)

    async with AsyncExitStack() as stack:
        client = Client(
            _watched(await _transport(server, stack, quiet), changed),
            client_info=Implementation(
                name="harness", version=importlib.metadata.version("harness")
            ),
            message_handler=hear,
            cache=None,
        )
        yield await stack.enter_async_context(client)


async def list_tools(client: Client) -> list[Tool]:
    """Every tool of the server."""
    page = await client.list_tools()
    tools = list(page.tools)
    for _ in range(MOST_PAGES - 1):
        if page.next_cursor is None:
            break
        page = await client.list_tools(cursor=page.next_cursor)
        tools += page.tools
    return tools


async def _transport(
    server: McpServer, stack: AsyncExitStack, quiet: bool
) -> AbstractAsyncContextManager[Any]:
    if server.command is not None:
        # A notebook puts an object without a descriptor in the place of sys.stderr.
        stderr = subprocess.DEVNULL if quiet or sys.__stderr__ is None else sys.__stderr__
        started = StdioServerParameters(
            command=server.command, args=server.args, env=_revealed(server.env)
        )
        return stdio_client(started, cast(TextIO, stderr))
    http = httpx2.AsyncClient(headers=_revealed(server.headers), timeout=_HTTP_TIMEOUT)
    await stack.enter_async_context(http)
    return streamable_http_client(str(server.url), http_client=http)


def _revealed(secrets: dict[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in secrets.items()}


@asynccontextmanager
async def _watched(
    transport: AbstractAsyncContextManager[Any], ended: Callable[[], None]
) -> AsyncIterator[tuple["_Watched", Any]]:
    """A transport that says when the server closes it, which the client keeps to itself."""
    async with transport as (read, write):
        yield _Watched(read, ended), write


class _Watched:
    def __init__(self, stream: Any, ended: Callable[[], None]) -> None:
        self._stream = stream
        self._ended = ended

    @property
    def last_context(self) -> Any:
        """What the client runs the handling of a message in, where the transport has it."""
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> _Item:
        try:
            item: _Item = await self._stream.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._ended()
            raise
        return item

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Item:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> bool | None:
        closed: bool | None = await self._stream.__aexit__(kind, error, at)
        return closed
