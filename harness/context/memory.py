"""Long-term memory: every finished message, found again when it matters."""

import asyncio
from collections.abc import Sequence
from copy import copy
from typing import Literal

from chromadb.api import ClientAPI

from harness.context.corpus import Record, spoken
from harness.context.dense import DenseRetriever
from harness.context.embeddings import CachedEmbedder
from harness.context.hybrid import HybridRetriever
from harness.context.lexical import LexicalRetriever
from harness.context.ranker import Ranker
from harness.context.retriever import Hit, Retriever, Scope
from harness.context.vectors import BREADTH, VectorStore
from harness.models import Message

RetrieverName = Literal["hybrid", "dense", "lexical"]


class Memory:
    """Messages of all users in Chroma, behind one retriever."""

    def __init__(
        self,
        client: ClientAPI,
        embedder: CachedEmbedder,
        *,
        retriever: RetrieverName = "hybrid",
        ranker: Ranker | None = None,
        breadth: int = BREADTH,
    ) -> None:
        """Use a Chroma client.

        Args:
            client: of a server, or embedded within one process.
            embedder: makes the vectors; another one's are kept apart.
            retriever: how to search; by default every signal together.
            ranker: the weights of the signals; by default the packaged ones.
            breadth: neighbours that Chroma considers in collections made from now on.
        """
        self.embedder = embedder
        self.vectors = VectorStore(client, embedder, breadth)
        self.hybrid = HybridRetriever(self.vectors, embedder, ranker)
        retrievers: dict[RetrieverName, Retriever] = {
            "hybrid": self.hybrid,
            "dense": DenseRetriever(self.vectors, embedder),
            "lexical": LexicalRetriever(self.vectors),
        }
        self._retriever = retrievers[retriever]

    def ranked_by(self, ranker: Ranker) -> "Memory":
        """The same memories, searched by every signal under other weights."""
        other = copy(self)
        other.hybrid = HybridRetriever(self.vectors, self.embedder, ranker)
        other._retriever = other.hybrid
        return other

    async def index(self, user_id: str, thread_id: str, messages: Sequence[Message]) -> None:
        """Remember messages; one remembered before stays as it is. Empty ones are left out."""
        records = [_record(thread_id, message) for message in messages if message.content.strip()]
        if not records:
            return
        vectors = await self.embedder.aembed([spoken(record) for record in records])
        await asyncio.to_thread(self.vectors.upsert, user_id, records, vectors)

    async def retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        """The k memories that serve a query best, best first.

        Args:
            query: what to search for, as a person writes it.
            k: how many.
            scope: whose memories, and which of them.
        """
        if k < 1 or not query.strip():
            return []
        return await self._retriever.retrieve(query, k, scope)

    async def known(self, user_id: str, ids: Sequence[str]) -> set[str]:
        """Which of these messages are remembered, with this embedder's vectors."""
        return await asyncio.to_thread(self.vectors.known, user_id, ids)

    async def forget_thread(self, user_id: str, thread_id: str) -> None:
        """Forget a thread, also what another embedder has of it."""
        await asyncio.to_thread(self.vectors.delete_thread, user_id, thread_id)

    async def forget_user(self, user_id: str) -> None:
        """Forget a user, also what another embedder has of them."""
        await asyncio.to_thread(self.vectors.delete_user, user_id)

    async def drop_others(self, user_id: str | None = None) -> int:
        """Remove what other embedders have, of one user or of all; answers how many collections."""
        return await asyncio.to_thread(self.vectors.drop_others, user_id)

    async def count(self, user_id: str) -> int:
        """How many messages of a user are remembered."""
        return await asyncio.to_thread(self.vectors.count, user_id)


def _record(thread_id: str, message: Message) -> Record:
    return Record(
        id=message.id,
        text=message.content,
        thread_id=thread_id,
        order=message.order,
        sent_at=message.sent_at,
        role=message.role,
        speaker=message.speaker,
    )
