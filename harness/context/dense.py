"""Similarity of meaning, by Chroma."""

import asyncio
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.context.corpus import Corpus
from harness.context.embeddings import CachedEmbedder
from harness.context.fusion import Scores, best
from harness.context.retriever import Hit, Scope
from harness.context.vectors import VectorStore


def similarities(
    vectors: VectorStore, corpus: Corpus, vector: NDArray[np.float32], n: int, scope: Scope
) -> Scores:
    """The cosine of the n nearest messages, NaN for the others, float32 [messages]."""
    scores = np.full(len(corpus), np.nan, np.float32)
    # Those excluded may be among the nearest, so as many more are asked for.
    wanted = min(n + len(scope.exclude), len(corpus))
    if wanted:
        found = vectors.similar(scope.user_id, vector, wanted, _where(scope))
        known = [id_ for id_ in found if id_ in corpus.numbers]
        scores[[corpus.numbers[id_] for id_ in known]] = [found[id_] for id_ in known]
        if len(known) < len(found):  # the copy lags behind what another process did
            vectors.drop_copy(scope.user_id)
    return scores


class DenseRetriever:
    """The nearest messages by cosine."""

    def __init__(self, vectors: VectorStore, embedder: CachedEmbedder) -> None:
        self._vectors = vectors
        self._embedder = embedder

    async def retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        """The k nearest messages within the scope."""
        (vector,) = await self._embedder.aembed([query])
        return await asyncio.to_thread(self._retrieve, vector, k, scope)

    def _retrieve(self, vector: NDArray[np.float32], k: int, scope: Scope) -> list[Hit]:
        corpus = self._vectors.corpus(scope.user_id)
        with corpus.lock:
            scores = similarities(self._vectors, corpus, vector, k, scope)
            within = corpus.within(scope) & ~np.isnan(scores)
            return [
                corpus.hit(number, float(scores[number]), {"dense": float(scores[number])})
                for number in best(scores, within, k)
            ]


def _where(scope: Scope) -> dict[str, Any] | None:
    wanted: list[dict[str, Any]] = []
    if scope.thread_id is not None:
        wanted.append({"thread_id": scope.thread_id})
        if scope.before_order is not None:
            wanted.append({"order": {"$lt": scope.before_order}})
    if scope.sent_before is not None:
        wanted.append({"sent_at": {"$lt": scope.sent_before}})
    if len(wanted) < 2:
        return wanted[0] if wanted else None
    return {"$and": wanted}
