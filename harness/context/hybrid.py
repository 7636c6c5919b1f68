"""Retrieval by several signals at once."""

import asyncio
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.context.corpus import Corpus
from harness.context.dense import similarities
from harness.context.embeddings import CachedEmbedder
from harness.context.fusion import Scores, best, weigh
from harness.context.ranker import Ranker, packaged_ranker
from harness.context.retriever import Hit, Scope
from harness.context.signals import message_signals
from harness.context.vectors import VectorStore


class HybridRetriever:
    """Ranks messages by a weighted sum of signals."""

    def __init__(
        self,
        vectors: VectorStore,
        embedder: CachedEmbedder,
        ranker: Ranker | None = None,
    ) -> None:
        """Retrieve from a user's memory.

        Args:
            vectors: the memories.
            embedder: makes the query's vector.
            ranker: how signals are worked out and weighed; by default the packaged one.
        """
        self._vectors = vectors
        self._embedder = embedder
        self._ranker = ranker or packaged_ranker()

    async def retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        """The best k messages within the scope, best first."""
        vector, corpus = await self._prepare(query, scope)
        return await asyncio.to_thread(self._retrieve, query, vector, corpus, k, scope)

    async def signals(self, query: str, scope: Scope) -> tuple[list[str], dict[str, Scores]]:
        """What `retrieve` weighs: the ids of the messages in scope, and each one's signals.

        For fitting a ranker and for explaining one. Each signal is float32 [messages].
        """
        vector, corpus = await self._prepare(query, scope)
        return await asyncio.to_thread(self._explain, query, vector, corpus, scope)

    async def _prepare(self, query: str, scope: Scope) -> tuple[NDArray[np.float32], Corpus]:
        vectors, corpus = await asyncio.gather(
            self._embedder.aembed([query]),
            # Looking for what other processes wrote takes about as long as embedding does.
            asyncio.to_thread(self._vectors.corpus, scope.user_id),
        )
        return vectors[0], corpus

    def _retrieve(
        self, query: str, vector: NDArray[np.float32], corpus: Corpus, k: int, scope: Scope
    ) -> list[Hit]:
        with corpus.lock:
            within = corpus.within(scope)
            if not within.any():
                return []
            signals = self._signals(query, vector, corpus, within, scope)
            total = weigh(signals, self._ranker.weights)
            hits = [
                corpus.hit(number, float(total[number]), self._why(signals, number))
                for number in best(total, within, k)
            ]
        return self._vectors.still_kept(scope.user_id, hits)

    def _explain(
        self, query: str, vector: NDArray[np.float32], corpus: Corpus, scope: Scope
    ) -> tuple[list[str], dict[str, Scores]]:
        with corpus.lock:
            within = corpus.within(scope)
            signals = self._signals(query, vector, corpus, within, scope)
            ids = [corpus.records[number].id for number in np.flatnonzero(within)]
            return ids, {name: scores[within] for name, scores in signals.items()}

    def _signals(
        self,
        query: str,
        vector: NDArray[np.float32],
        corpus: Corpus,
        within: NDArray[np.bool_],
        scope: Scope,
    ) -> dict[str, Scores]:
        dense = similarities(self._vectors, corpus, vector, self._ranker.recipe.nearest, scope)
        return message_signals(query, corpus, dense, within, self._ranker.recipe)

    def _why(self, signals: Mapping[str, Scores], number: int) -> dict[str, float]:
        weights = self._ranker.weights
        return {
            name: round(weights[name] * float(scores[number]), 4)
            for name, scores in signals.items()
            if weights.get(name) and scores[number]
        }
