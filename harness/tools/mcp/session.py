"""The long-lived session with one MCP server: connected, followed, and connected again."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import Client, MCPError
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.types import CONNECTION_CLOSED
from pydantic import ValidationError

from harness.settings import McpServer
from harness.tools._arguments import WrongArguments
from harness.tools.errors import ToolError, ToolUnavailable
from harness.tools.mcp.connection import connect, list_tools
from harness.tools.mcp.conversion import result_value, to_tool
from harness.tools.registry import Tool

log = logging.getLogger(__name__)

Offer = Callable[[list[Tool]], Awaitable[None]]
_REASON_CHARS = 300


@dataclass(frozen=True)
class Pace:
    """How patient a session is, in seconds.

    Attributes:
        connect_s: until the server must have shaken hands; a client waits ten for an old server.
        list_s: until it must have listed its tools, which also tells whether it lives.
        look_s: between two such looks when nothing else asks for one.
        settle_s: after a change is told, for others that follow at once.
        first_s: until a lost server is tried again; doubled up to `longest_s`.
    """

    connect_s: float = 25.0
    list_s: float = 10.0
    look_s: float = 30.0
    settle_s: float = 0.1
    first_s: float = 1.0
    longest_s: float = 60.0


class McpSession:
    """One server's session. A single task owns the connection, for it must be left in the task that
    entered it; calls may come from any. It is bounded and ended by anyio's scopes, as the client's
    own parts are: a plain cancellation was seen to get lost in them.

    Args:
        name: of the server.
        server: where it is.
        offer: takes its tools whenever they change; none while it is away.
        pace: how patient to be.
    """

    def __init__(
        self, name: str, server: McpServer, offer: Offer, pace: Pace | None = None
    ) -> None:
        self.name = name
        self.settled = asyncio.Event()  # whether it was reached, or could not be
        self._server = server
        self._offer = offer
        self._pace = pace or Pace()
        self._changed = asyncio.Event()
        self._client: Client | None = None
        self._pause_s = self._pace.first_s
        self._reason = ""  # why it is away, as long as it is
        self._life = anyio.CancelScope()

    async def run(self) -> None:
        """Keep the session up until it is ended."""
        with self._life:
            while True:
                try:
                    with anyio.fail_after(self._pace.connect_s) as patience:
                        async with connect(self._server, self._changed.set) as client:
                            patience.deadline = math.inf
                            await self._follow(client)
                except Exception as error:
                    self._note(reason_of(error))
                self._client = None
                await self._offer([])
                self.settled.set()
                await anyio.sleep(self._pause_s)
                self._pause_s = min(self._pause_s * 2, self._pace.longest_s)

    def end(self) -> None:
        """End the session; `run` returns once the server's process is gone."""
        self._life.cancel()

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool, once: a call that got no answer may have had its effect all the same.

        Args:
            tool: the server's own name of it.
            arguments: as its schema has them.

        Raises:
            ToolError: it failed, or the server is away.
        """
        client = self._client
        if client is None:
            raise ToolUnavailable(f"the MCP server {self.name} does not answer at present")
        try:
            result = await client.call_tool(tool, arguments)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise self._lost() from error
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                raise self._lost() from error
            self._changed.set()  # it may have forgotten the session
            raise ToolError(f"the MCP server {self.name} refused: {error.message}") from error
        except (RuntimeError, ValidationError) as error:
            log.warning("the MCP server %s broke its protocol: %s", self.name, reason_of(error))
            told = f"the MCP server {self.name} gave a result that is not what it promised"
            raise ToolError(told) from error
        except asyncio.CancelledError:
            self._changed.set()  # too slow, or stuck: a look tells
            raise
        return result_value(result)

    def _note(self, reason: str) -> None:
        """Log what is new: a server may be away for days."""
        if reason and reason != self._reason:
            log.warning("the MCP server %s is away: %s", self.name, reason)
        elif self._reason and not reason:
            log.info("the MCP server %s is back", self.name)
        self._reason = reason

    def _lost(self) -> ToolUnavailable:
        self._changed.set()
        return ToolUnavailable(
            f"the MCP server {self.name} went away during the call; its effect is unknown"
        )

    async def _follow(self, client: Client) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._listen, client)
            while True:
                self._changed.clear()
                with anyio.fail_after(self._pace.list_s):
                    listed = await list_tools(client)
                self._client = client
                self._pause_s = self._pace.first_s
                self._note("")
                await self._offer(self._tools(listed))
                self.settled.set()
                with anyio.move_on_after(self._pace.look_s):
                    await self._changed.wait()
                await anyio.sleep(self._pace.settle_s)

    def _tools(self, listed: list[Any]) -> list[Tool]:
        tools = []
        for each in listed:
            try:
                tools.append(to_tool(self.name, each, self._server.timeout_s, self.call))
            except WrongArguments as wrong:
                log.warning("tool %s of MCP server %s is left out: %s", each.name, self.name, wrong)
        return tools

    async def _listen(self, client: Client) -> None:
        """Hear of changes where the protocol has a stream for them; older servers just tell."""
        tools = client.server_capabilities.tools
        while tools is not None and tools.list_changed:
            with suppress(MCPError, SubscriptionLost):
                try:
                    async with client.listen(tools_list_changed=True) as changes:
                        async for _ in changes:
                            self._changed.set()
                except ListenNotSupportedError:
                    return
            await anyio.sleep(self._pace.look_s)


def reason_of(error: BaseException) -> str:
    """Why, in one line: the first of what went wrong together."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "it does not answer"
    line = str(error).partition("\n")[0][:_REASON_CHARS]
    return line or type(error).__name__
