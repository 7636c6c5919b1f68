"""The worker between the real engines: Convex, Inngest and Chroma, with a simulated model."""

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import inngest.fast_api
import pytest
import uvicorn
from fastapi import FastAPI

from harness.context.embeddings import CachedEmbedder, build_embedder
from harness.context.gather import ContextGatherer
from harness.context.knowledge import Knowledge
from harness.context.live_store import LiveStore
from harness.context.memory import Memory
from harness.events import MessageSent, message_key
from harness.jobs import functions
from harness.jobs.client import create_client
from harness.llm.clients import ModelClients
from harness.local.simulated._profile import Profile
from harness.local.simulated.server import create_app
from harness.models import Effect, Message, Selection, Status, ToolCall, ToolScore
from harness.services import Services
from harness.settings import Settings
from harness.store import Store, Subscriber
from harness.store.results import ImportedMessage
from harness.tools.builtin import BUILTIN
from harness.tools.exemplars import Exemplars
from harness.tools.registry import Example, Registry, tool

PATIENCE_S = 60


class _Server(uvicorn.Server):
    def capture_signals(self):
        return nullcontext()


@asynccontextmanager
async def _serving(app: Any) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections from here on
        server = _Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = server.force_exit = True
        await task


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CachedEmbedder]:
    made = build_embedder(Settings(home=tmp_path_factory.mktemp("home")))
    yield made
    made.close()


@pytest.fixture
async def simulated_url() -> AsyncIterator[str]:
    """A simulated model that answers at once."""
    profile = Profile(ttft_ms=0, itl_ms=0, tokens=12, tokens_sigma=0)
    async with _serving(create_app(profile, seed=1)) as url:
        yield url


class OfferAll:
    """Offers every tool, so that which one is called is the simulated model's business alone."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def select(self, text: str, k: int, **given: Any) -> Selection:
        self.given = given
        scores = [ToolScore(name=name, score=0.5) for name in self._registry.names()]
        return Selection(needed=True, candidates=scores, scores=scores, why="all of them")


class Worker:
    """A worker that serves the jobs, and what a test does with it."""

    def __init__(self, services: Services, model_url: str, effects: list[str]) -> None:
        self.services = services
        self.store = services.store
        self.model_url = model_url
        self.effects = effects  # what the tool `ring` did
        self.inngest_url = services.settings.inngest_base_url
        self.user_id = f"user_{secrets.token_hex(8)}"

    async def thread(self) -> str:
        return await self.store.create_thread(self.user_id, "A thread")

    def sent(self, thread_id: str, text: str, model: str = "simulated") -> MessageSent:
        return MessageSent(
            message_key=message_key(self.user_id, thread_id, secrets.token_hex(8)),
            thread_id=thread_id,
            user_id=self.user_id,
            text=text,
            model=model,
            sent_at=time.time_ns() // 1_000_000,
        )

    async def send(self, thread_id: str, text: str, model: str = "simulated") -> str:
        sent = self.sent(thread_id, text, model)
        await self.services.inngest.send(sent.to_inngest(sent.message_key))
        return sent.message_key

    async def answer(self, key: str) -> Message | None:
        exchange = await self.store.read_message(key)
        return exchange.assistant if exchange else None

    async def until(self, look: Callable[[], Any]) -> Any:
        """What `look` answers once it is truthy."""
        async with asyncio.timeout(PATIENCE_S):
            while not (found := await look()):  # noqa: ASYNC110 - Convex is another process
                await asyncio.sleep(0.02)
            return found

    async def finished(self, key: str) -> Message:
        async def look() -> Message | None:
            message = await self.answer(key)
            return message if message and message.status.finished else None

        return await self.until(look)

    async def reaches(self, key: str, status: Status) -> Message:
        async def look() -> Message | None:
            message = await self.answer(key)
            return message if message and message.status is status else None

        return await self.until(look)

    async def call(self, key: str, index: int = 0, turn: int = 0) -> ToolCall:
        """A message's tool call, once it is recorded."""
        return await self.until(lambda: self.store.get_call(f"{key}-{turn}-{index}"))

    async def indexed(self, count: int) -> bool:
        """Waits until so many messages are remembered."""

        async def look() -> bool:
            return await self.services.memory.count(self.user_id) >= count

        return await self.until(look)

    async def ends(self, key: str, status: str) -> bool:
        """Waits until the run of a message has this status in Inngest."""

        async def look() -> bool:
            async with httpx.AsyncClient(base_url=self.inngest_url) as client:
                runs = (await client.get(f"/v1/events/{key}/runs")).json()["data"]
            return bool(runs) and all(run["status"] == status for run in runs)

        return await self.until(look)

    async def fault(self, **fault: Any) -> None:
        async with httpx.AsyncClient() as client:
            (await client.post(f"{self.model_url}/faults", json=fault)).raise_for_status()

    async def model_requests(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"{self.model_url}/requests")).json()["requests"]


def _ring(effects: list[str]) -> Any:
    @tool(
        effect=Effect.EXTERNAL,
        idempotent=False,
        examples=[Example(request="Ring the bell", arguments={"tone": "high"})],
    )
    async def ring(tone: str) -> str:
        """Ring the bell."""
        effects.append(tone)
        return f"rang {tone}"

    return ring


@pytest.fixture
async def start_worker(
    convex: Any,
    inngest_engine: Any,
    simulated_url: str,
    embedder: CachedEmbedder,
    ephemeral_chroma: Any,
    tmp_path: Path,
) -> AsyncIterator[Callable]:
    """Starts a worker; keywords change its settings, `memory` replaces it."""
    async with AsyncExitStack() as closing:

        async def start(memory: Memory | None = None, **changed: Any) -> Worker:
            settings = Settings(
                home=tmp_path,
                convex_url=convex.url,
                inngest_base_url=inngest_engine.url,
                simulated_url=f"{simulated_url}/v1",
                **{"flush_ms": 10, "model_stall_s": 2, **changed},
            )
            store = await closing.enter_async_context(Store(convex.url, convex.admin_key))
            subscriber = await closing.enter_async_context(
                Subscriber(convex.url, admin_key=convex.admin_key)
            )
            live = LiveStore(store, subscriber, max_followed=settings.followed)
            closing.push_async_callback(live.aclose)
            models = await closing.enter_async_context(ModelClients(settings))
            effects: list[str] = []
            registry = Registry([*BUILTIN, _ring(effects)])
            memory = memory or Memory(ephemeral_chroma, embedder)
            services = Services(
                settings=settings,
                store=store,
                live=live,
                memory=memory,
                knowledge=Knowledge(ephemeral_chroma, embedder),
                gatherer=ContextGatherer(live, memory, settings),
                registry=registry,
                selector=OfferAll(registry),
                exemplars=Exemplars(ephemeral_chroma, embedder),
                models=models,
                inngest=create_client(settings),
            )
            app = FastAPI()
            inngest.fast_api.serve(app, services.inngest, functions(services))
            url = await closing.enter_async_context(_serving(app))
            async with httpx.AsyncClient() as client:
                (await client.put(f"{url}/api/inngest")).raise_for_status()
            return Worker(services, simulated_url, effects)

        yield start


@pytest.fixture
def imported() -> Callable[[int], list[ImportedMessage]]:
    """Makes so many messages of another system."""

    def make(count: int) -> list[ImportedMessage]:
        roles = ("user", "assistant")
        return [
            ImportedMessage(
                role=roles[i % 2], content=f"past line {i}", sent_at=1_700_000_000_000 + i
            )
            for i in range(count)
        ]

    return make


@pytest.fixture
def sent_to(user_id: str) -> Callable[[str], MessageSent]:
    """Makes the event of a message of `user_id` to a thread."""

    def make(thread_id: str) -> MessageSent:
        return MessageSent(
            message_key=message_key(user_id, thread_id, secrets.token_hex(8)),
            thread_id=thread_id,
            user_id=user_id,
            text="hi",
            model="simulated",
            sent_at=time.time_ns() // 1_000_000,
        )

    return make


@pytest.fixture
async def worker(start_worker: Callable) -> Worker:
    return await start_worker()
