"""Model servers on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

import pytest
import uvicorn

from harness.context.gather import GatheredContext
from harness.llm.clients import ModelClients
from harness.llm.models import ModelSpec
from harness.llm.turns import TurnRequest
from harness.local.simulated._profile import Profile
from harness.local.simulated.server import create_app
from harness.models import Effect
from harness.settings import Settings
from harness.tools.registry import Example, ToolSpec


class _Server(uvicorn.Server):
    def capture_signals(self):
        return nullcontext()


@asynccontextmanager
async def _serving(app) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections from here on
        server = _Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = server.force_exit = True
        await task


@pytest.fixture
async def simulated_url() -> AsyncIterator[str]:
    """A simulated model that answers at once."""
    profile = Profile(ttft_ms=0, itl_ms=0, tokens=12, tokens_sigma=0)
    async with _serving(create_app(profile, seed=1)) as url:
        yield url


@pytest.fixture
def settings(simulated_url: str) -> Settings:
    return Settings(
        simulated_url=f"{simulated_url}/v1",
        local_model_url=f"{simulated_url}/v1",
        model_timeout_s=5,
        model_stall_s=0.3,
    )


@pytest.fixture
async def clients(settings: Settings) -> AsyncIterator[ModelClients]:
    async with ModelClients(settings) as made:
        yield made


@pytest.fixture
def spec() -> Callable[..., ModelSpec]:
    """Makes a model spec; anything may be set."""

    def make(base_url: str, **fields) -> ModelSpec:
        values = {
            "name": "simulated",
            "model": "simulated",
            "provider": "simulated",
            "context_tokens": 4096,
            "max_output_tokens": 64,
        }
        return ModelSpec(base_url=base_url, **{**values, **fields})

    return make


@pytest.fixture
async def raw_server() -> AsyncIterator[Callable]:
    """Starts servers that answer each connection by a function of (reader, writer, number)."""
    servers = []

    async def start(answer) -> str:
        count = 0

        async def handle(reader, writer):
            nonlocal count
            number, count = count, count + 1
            try:
                await answer(reader, writer, number)
            finally:
                writer.close()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def weather_tool() -> ToolSpec:
    return ToolSpec(
        name="weather",
        description="Tell the weather of a city.",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        effect=Effect.READ,
        examples=[
            Example(request="Is it raining in Rome?", arguments={"city": "Rome"}),
            Example(request="How warm is Oslo today?", arguments={"city": "Oslo"}),
        ],
    )


@pytest.fixture
def ask() -> Callable[..., TurnRequest]:
    """Makes a turn's request for a text; anything else may be given."""

    def make(text: str, **fields) -> TurnRequest:
        fields.setdefault("context", GatheredContext())
        return TurnRequest(text=text, **fields)

    return make
