"""Retrieval by words."""

import asyncio

from harness.context.analysis import terms
from harness.context.fusion import best
from harness.context.retriever import Hit, Scope
from harness.context.vectors import VectorStore


class LexicalRetriever:
    """The best messages by BM25; those that share no word with the query are not hits."""

    def __init__(self, vectors: VectorStore) -> None:
        self._vectors = vectors

    async def retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        """The k best messages within the scope."""
        return await asyncio.to_thread(self._retrieve, query, k, scope)

    def _retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        corpus = self._vectors.corpus(scope.user_id)
        with corpus.lock:
            scores = corpus.lexical.score(terms(query))
            within = corpus.within(scope) & (scores > 0)
            hits = [
                corpus.hit(number, float(scores[number]), {"lexical": float(scores[number])})
                for number in best(scores, within, k)
            ]
        return self._vectors.still_kept(scope.user_id, hits)
