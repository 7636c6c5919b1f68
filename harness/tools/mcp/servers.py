"""All MCP servers of the settings, their tools in the registry while they answer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from harness.settings import McpServer
from harness.tools.mcp.conversion import source_of
from harness.tools.mcp.session import McpSession, Pace
from harness.tools.registry import Registry, Tool, ToolSpec

log = logging.getLogger(__name__)

START_S = 3.0  # that a start waits for servers; later ones join when they answer


class McpServers:
    """Keeps the sessions; a server that is away takes its own tools with it and nothing else.

    Args:
        servers: by name.
        registry: takes their tools.
        changed: takes the specs of all the registry's tools whenever they changed.
        pace: how patient the sessions are.
    """

    def __init__(
        self,
        servers: Mapping[str, McpServer],
        registry: Registry,
        changed: Callable[[Sequence[ToolSpec]], Awaitable[None]],
        pace: Pace | None = None,
    ) -> None:
        self._registry = registry
        self._changed = changed
        self._sessions = [
            McpSession(name, server, partial(self._offer, name), pace)
            for name, server in servers.items()
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, wait_s: float = START_S) -> None:
        """Start the sessions, and wait a little for the servers that answer soon."""
        for session in self._sessions:
            self._tasks.append(asyncio.create_task(session.run(), name=f"mcp-{session.name}"))
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await asyncio.gather(*(session.settled.wait() for session in self._sessions))

    async def close(self) -> None:
        """End the sessions, and the processes that they started."""
        for session in self._sessions:
            session.end()
        await asyncio.gather(*self._tasks)

    async def _offer(self, name: str, tools: list[Tool]) -> None:
        if not self._registry.replace(source_of(name), tools):
            return
        try:
            await self._changed(self._registry.specs())
        except Exception:  # no fault of the server, whose session goes on
            log.exception("the tools of MCP server %s can not be selected", name)
