"""MCP servers as processes and on sockets, and what the harness makes of them."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.settings import McpServer
from harness.tools.context import ToolContext
from harness.tools.execution import ToolResult, run_tool
from harness.tools.mcp.servers import McpServers
from harness.tools.mcp.session import Pace
from harness.tools.registry import Registry

PATIENCE_S = 60
QUICK = Pace(look_s=0.5, settle_s=0.01, first_s=0.05, longest_s=0.2)
PROGRAM = Path(__file__).parent / "misbehaving.py"


class Connected:
    """Servers that are followed, and their tools."""

    def __init__(self, servers: McpServers, registry: Registry, context: ToolContext) -> None:
        self.servers = servers
        self.registry = registry
        self._context = context

    async def call(self, name: str, /, **arguments: Any) -> ToolResult:
        return await run_tool(self.registry, name, arguments, self._context)

    async def until(self, look: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not look():  # noqa: ASYNC110 - the server is another process
                await asyncio.sleep(0.02)

    async def has(self, *names: str) -> None:
        """Waits until the registry has exactly these tools."""
        await self.until(lambda: set(self.registry.names()) == set(names))


@pytest.fixture
async def follow(context: ToolContext) -> AsyncIterator[Callable[..., Any]]:
    """Follows servers by name, and waits until each was reached or could not be."""
    async with AsyncExitStack() as closing:

        async def start(
            wait_s: float = PATIENCE_S, pace: Pace = QUICK, **servers: McpServer
        ) -> Connected:
            registry = Registry()

            async def changed(specs: Any) -> None:
                assert [spec.name for spec in specs] == registry.names()

            kept = McpServers(servers, registry, changed, pace)
            closing.push_async_callback(kept.close)
            await kept.start(wait_s)
            return Connected(kept, registry, context)

        yield start


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the misbehaving server notes what it did."""
    made = tmp_path / "server"
    made.mkdir()
    return made


@pytest.fixture
def noted(folder: Path) -> Callable[[str], int]:
    """Answers how often the misbehaving server did something."""

    def count(line: str) -> int:
        log = folder / "log"
        return log.read_text().splitlines().count(line) if log.exists() else 0

    return count


@pytest.fixture
def misbehaving(folder: Path) -> Callable[..., McpServer]:
    """Makes the settings of a server whose tools do what goes wrong."""

    def make(*flags: str, **fields: Any) -> McpServer:
        args = [str(PROGRAM), str(folder), *flags]
        return McpServer(command=sys.executable, args=args, **fields)

    return make


class OverHttp:
    """The misbehaving server on a socket, to be killed and started again on its port."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/mcp"
        self._command = [sys.executable, str(PROGRAM), str(folder), "--http", str(port)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        deadline = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert self._process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def over_http(folder: Path, free_port: Callable[[], int]) -> Iterator[OverHttp]:
    server = OverHttp(folder, free_port())
    server.start()
    yield server
    server.kill()
