import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

import pytest
import uvicorn


class _Server(uvicorn.Server):
    def capture_signals(self):
        return nullcontext()


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[str]]:
    """Serves an ASGI application on a port of this machine while it is entered."""

    @asynccontextmanager
    async def serve(app) -> AsyncIterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections from here on
            server = _Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
            task = asyncio.create_task(server.serve(sockets=[listening]))
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            server.should_exit = server.force_exit = True
            await task

    return serve
