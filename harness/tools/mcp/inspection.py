"""A look at MCP servers from outside a worker: for the commands that tell of them."""

from dataclasses import dataclass

import anyio

from harness.errors import HarnessError
from harness.settings import McpServer
from harness.tools._arguments import WrongArguments
from harness.tools.mcp.connection import connect, list_tools
from harness.tools.mcp.conversion import to_tool
from harness.tools.mcp.session import Pace, reason_of
from harness.tools.registry import ToolSpec


@dataclass(frozen=True)
class Inspected:
    """What a server is; `fault` says why it can not be used."""

    name: str
    place: str
    version: str = ""
    tools: tuple[ToolSpec, ...] = ()
    fault: str = ""


async def inspect(name: str, server: McpServer) -> Inspected:
    """Connect to a server and list its tools; a fault is part of the answer.

    Args:
        name: of the server, in the settings.
        server: where it is.
    """
    try:
        with anyio.fail_after(Pace().connect_s):
            async with connect(server, lambda: None, quiet=True) as client:
                listed = await list_tools(client)
                about = client.server_info
    except Exception as error:
        return Inspected(name, server.place, fault=reason_of(error))
    tools = []
    for each in listed:
        try:
            tools.append(to_tool(name, each, server.timeout_s, _never).spec)
        except WrongArguments:
            continue  # a worker leaves it out as well
    version = f"{about.name} {about.version}" if about else ""
    return Inspected(name, server.place, version, tuple(tools))


async def _never(tool: str, _: dict[str, object]) -> object:
    raise HarnessError(f"tool {tool} was listed only", "Call it in a worker.")
