"""An MCP server, made with the official package, whose tools do what goes wrong.

Its first argument is a folder: a file `gone` in it keeps the server from starting, and each start
and each call leaves a line in `log` there. It speaks over stdio, or over HTTP with `--http PORT`.
"""

import asyncio
import os
import sys
import threading
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

FOLDER = Path(sys.argv[1])
server = MCPServer("misbehaving")


def note(line: str) -> None:
    with (FOLDER / "log").open("a") as log:
        log.write(f"{line}\n")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def look(at: str) -> str:
    """Look at something."""
    note(f"look {at}")
    return f"saw {at}"


@server.tool()
def die(word: str) -> str:
    """End the process in the middle of the call."""
    note(f"die {word}")
    os._exit(1)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def die_reading(word: str) -> str:
    """End the process in the middle of a call that only reads."""
    note(f"die_reading {word}")
    os._exit(1)


@server.tool()
async def sleep(seconds: float) -> str:
    """Take long."""
    note("sleep")
    await asyncio.sleep(seconds)
    return "slept"


@server.tool()
def refuse() -> str:
    """Fail with words."""
    raise ToolError("the drawer is locked")


@server.tool()
def variable(name: str) -> str | None:
    """Tell a variable of the environment."""
    return os.environ.get(name)


@server.tool()
def header(name: str, context: Context) -> str | None:
    """Tell a header of the request."""
    return (context.headers or {}).get(name)


@server.tool()
def many(words: int) -> str:
    """Say much."""
    return "word " * words


@server.tool()
async def learn(name: str, context: Context) -> str:
    """Get another tool."""

    def learned() -> str:
        return name

    server.add_tool(learned, name=name, description=f"Say {name}.")
    await context.notify_tools_changed()
    await context.session.send_tool_list_changed()
    return "learned"


if __name__ == "__main__":
    if (FOLDER / "gone").exists():
        sys.exit("gone")
    note("start")
    if "--garbage" in sys.argv:
        sys.stdout.write('hello, I am a server!\n{"jsonrpc": "2.0", oops\n')
        sys.stdout.flush()
    if "--deaf" in sys.argv:
        sys.stdin.read()
    if "--short-lived" in sys.argv:
        threading.Timer(1.5, os._exit, [0]).start()
    if "--http" in sys.argv:
        port = int(sys.argv[sys.argv.index("--http") + 1])
        server.run("streamable-http", host="127.0.0.1", port=port)
    else:
        server.run("stdio")
