"""What a process of the pipeline works with, put together once."""

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, cast

import inngest

from harness.events import MessageSent
from harness.settings import Settings

if TYPE_CHECKING:  # chromadb and onnxruntime take seconds to import
    from chromadb.api import ClientAPI

    from harness.context.gather import ContextGatherer, KnowledgeBase
    from harness.context.history import HistoryItem
    from harness.context.knowledge import Knowledge
    from harness.context.live_store import LiveStore
    from harness.context.memory import Memory
    from harness.context.retriever import Hit
    from harness.llm.clients import ModelClients
    from harness.store.client import Store
    from harness.tools.execution import ToolContext
    from harness.tools.exemplars import Exemplars
    from harness.tools.offer import Offer
    from harness.tools.permissions import Rules
    from harness.tools.registry import Registry
    from harness.tools.selection import ToolSelector

log = logging.getLogger(__name__)
RETRIEVE_TIMEOUT_S = 5.0


class Forgetter(Protocol):
    """Keeps something of users beside Convex, and forgets it when asked; each may be repeated."""

    async def forget_thread(self, user_id: str, thread_id: str) -> None:
        """Forget what is kept of a thread."""

    async def forget_user(self, user_id: str) -> None:
        """Forget everything that is kept of a user."""


@dataclass
class Services:
    """The parts that answer a message; an async context manager that closes them.

    The worker, the old flow, evals and notebooks all work with these, so that what is measured is
    what runs.
    """

    settings: Settings
    store: "Store"
    live: "LiveStore"
    memory: "Memory"
    knowledge: "Knowledge"
    gatherer: "ContextGatherer"
    registry: "Registry"
    selector: "ToolSelector"
    exemplars: "Exemplars"
    models: "ModelClients"
    inngest: inngest.Inngest
    _closing: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def forgetters(self) -> list[Forgetter]:
        """Everything that has to hear when a thread or a user is removed."""
        return [self.memory, self.exemplars]

    async def close(self) -> None:
        """Close every connection."""
        await self._closing.aclose()

    async def offer_tools(
        self,
        sent: MessageSent,
        history: "Sequence[HistoryItem]" = (),
        preferences_version: int | None = None,
    ) -> "Offer":
        """The tools that fit a message, best first, with the permissions they have for its user.

        Args:
            sent: the message.
            history: of its thread, oldest first.
            preferences_version: the one that `begin` answered; without it they are read anew.
        """
        from harness.tools.offer import Offer

        selection = await self.selector.select(
            sent.text,
            self.settings.tools_offered,
            previous=next(
                (item.content for item in reversed(history) if item.role == "user"), None
            ),
            votes=await self.exemplars.votes(sent.user_id),
        )
        if not selection.needed:
            return Offer(selection=selection)
        names = [candidate.name for candidate in selection.candidates]
        specs = await self.registry.offer(names, self.tool_context(sent, ""), sent.text)
        rules = await self._rules(sent, self.live.preferences(sent.user_id, preferences_version))
        allowed = [spec.model_copy(update={"permission": rules.permission(spec)}) for spec in specs]
        tools = [spec for spec in allowed if spec.permission != "never"]
        return Offer(tools=tools, selection=selection)

    async def permission_rules(self, sent: MessageSent) -> "Rules":
        """What a message's user says about tools, as it stands now and never from a cache."""
        return await self._rules(sent, self.store.preferences(sent.user_id))

    async def _rules(self, sent: MessageSent, preferences: Awaitable[Mapping[str, str]]) -> "Rules":
        from harness.tools.permissions import Rules

        thread = self.store.thread_access(sent.thread_id, sent.user_id)
        said, found = await asyncio.gather(preferences, thread)
        return Rules(said, found.permissions if found else {})

    def tool_context(self, sent: MessageSent, call_id: str) -> "ToolContext":
        """What a tool may reach when it is called for this message."""
        from harness.tools.execution import ToolContext

        return ToolContext(
            user_id=sent.user_id,
            thread_id=sent.thread_id,
            message_key=sent.message_key,
            call_id=call_id,
            store=self.store,
            memory=self.memory,
            workspace=self.settings.workspace_dir,
            git_author=self.settings.git_author,
            fetch_allow=self.settings.fetch_allow,
        )


async def build_services(settings: Settings) -> Services:
    """Make the services that the settings name; nothing needs to answer yet.

    Args:
        settings: where everything is.
    """
    from harness.context.embeddings import build_embedder
    from harness.context.gather import ContextGatherer
    from harness.context.knowledge import Knowledge
    from harness.context.live_store import LiveStore
    from harness.context.memory import Memory
    from harness.context.ranker import load_ranker
    from harness.jobs.client import create_client
    from harness.llm.clients import ModelClients
    from harness.store.client import Store
    from harness.store.subscriptions import Subscriber
    from harness.tools.builtin import BUILTIN
    from harness.tools.exemplars import Exemplars
    from harness.tools.registry import Registry
    from harness.tools.selection import ToolSelector

    closing = AsyncExitStack()
    key = settings.convex_deploy_key.get_secret_value() if settings.convex_deploy_key else None
    store = Store(settings.convex_url, key)
    closing.push_async_callback(store.aclose)
    subscriber = Subscriber(settings.convex_url, admin_key=key)  # connects at the first watch
    closing.push_async_callback(subscriber.aclose)
    live = LiveStore(store, subscriber, max_followed=settings.followed)
    closing.push_async_callback(live.aclose)
    models = ModelClients(settings)
    closing.push_async_callback(models.close)
    embedder = await asyncio.to_thread(build_embedder, settings)
    closing.callback(embedder.close)
    chroma = cast("ClientAPI", _LateChroma(settings.chroma_url))
    memory = Memory(
        chroma,
        embedder,
        retriever=settings.retriever,
        ranker=load_ranker(settings.ranker) if settings.ranker else None,
        breadth=settings.memory_breadth,
    )
    knowledge = Knowledge(chroma, embedder)
    exemplars = Exemplars(chroma, embedder)
    closing.push_async_callback(exemplars.aclose)
    registry = Registry(BUILTIN)
    selector = ToolSelector(embedder, registry.specs())
    closing.push_async_callback(selector.aclose)
    if settings.mcp_servers:
        from harness.tools.mcp.servers import McpServers

        servers = McpServers(settings.mcp_servers, registry, selector.update)
        await servers.start()
        closing.push_async_callback(servers.close)
    return Services(
        settings=settings,
        store=store,
        live=live,
        memory=memory,
        knowledge=knowledge,
        gatherer=ContextGatherer(
            live,
            cast("Memory", _Forgiving(memory)),
            settings,
            cast("KnowledgeBase", _Forgiving(knowledge)),
        ),
        registry=registry,
        selector=selector,
        exemplars=exemplars,
        models=models,
        inngest=create_client(settings),
        _closing=closing,
    )


class _LateChroma:
    """A Chroma client that connects when it is first used: a worker may start before its server."""

    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _client(self) -> "ClientAPI":
        from harness.context.vectors import connect

        return connect(self._url)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


class _Forgiving:
    """Memory or knowledge as an answer sees it: without it, a message is still answered."""

    def __init__(self, source: "Memory | KnowledgeBase") -> None:
        self._source = source

    async def retrieve(self, *asked: Any) -> "list[Hit]":
        try:
            async with asyncio.timeout(RETRIEVE_TIMEOUT_S):
                return await self._source.retrieve(*asked)
        except Exception as error:
            kind = type(self._source).__name__.lower()
            log.warning("answering without %s: %s", kind, error or type(error).__name__)
            return []
