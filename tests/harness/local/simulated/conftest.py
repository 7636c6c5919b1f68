import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from harness.local.simulated._profile import Profile
from harness.local.simulated.server import create_app


@pytest.fixture
async def simulated() -> AsyncIterator[httpx.AsyncClient]:
    """A client of a simulated server on a real socket, as fast as it goes."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_app(Profile().overridden({"ttft_ms": "0", "itl_ms": "0", "tokens": "20"}), seed=7)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    port = listener.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        yield client
    server.should_exit = True
    await serving
    listener.close()


@pytest.fixture
def chat(simulated):
    """Posts one chat request; keywords are fields of its body."""

    async def post(text, *, model="simulated", headers=None, **fields):
        messages = fields.pop("messages", [{"role": "user", "content": text}])
        body = {"model": model, "messages": messages, **fields}
        return await simulated.post("/v1/chat/completions", json=body, headers=headers)

    return post
