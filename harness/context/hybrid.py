"""Retrieval by several signals at once."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.context.analysis import terms
from harness.context.corpus import Corpus
from harness.context.dense import similarities
from harness.context.embeddings import CachedEmbedder
from harness.context.fusion import Scores, best, min_max, smooth, strength, weigh
from harness.context.retriever import Hit, Scope
from harness.context.vectors import VectorStore


@dataclass(frozen=True)
class Recipe:
    """The weights of the signals; README.md says what each was measured to bring."""

    weights: Mapping[str, float] = field(
        default_factory=lambda: {"lexical": 1.0, "dense": 0.75, "session": 0.4}
    )
    # What a message gets of its neighbours' lexical and dense scores, by their offset.
    kernel: Mapping[int, float] = field(
        default_factory=lambda: {-2: 0.3, -1: 0.2, 0: 1.0, 1: 0.1, 2: 0.1}
    )
    # The share of the most that a query's words could score, from which on words count whole.
    full_match: float = 0.4
    session_k1: float = 1.5
    session_b: float = 0.4
    nearest: int = 200  # messages whose similarity is asked of Chroma


class HybridRetriever:
    """Lexical and dense scores, shared among neighbours, with their session's."""

    def __init__(
        self, vectors: VectorStore, embedder: CachedEmbedder, recipe: Recipe | None = None
    ) -> None:
        self._vectors = vectors
        self._embedder = embedder
        self._recipe = recipe or Recipe()

    async def retrieve(self, query: str, k: int, scope: Scope) -> list[Hit]:
        """The best k messages within the scope, best first."""
        (vector,) = await self._embedder.aembed([query])
        return await asyncio.to_thread(self._retrieve, query, vector, k, scope)

    def _retrieve(self, query: str, vector: NDArray[np.float32], k: int, scope: Scope) -> list[Hit]:
        corpus = self._vectors.corpus(scope.user_id)
        with corpus.lock:
            within = corpus.within(scope)
            if not within.any():
                return []
            dense = similarities(self._vectors, corpus, vector, self._recipe.nearest, scope)
            signals = self._signals(query, corpus, dense, within)
            total = weigh(signals, self._recipe.weights)
            return [
                corpus.hit(number, float(total[number]), self._why(signals, number))
                for number in best(total, within, k)
            ]

    def _signals(
        self, query: str, corpus: Corpus, dense: Scores, within: NDArray[np.bool_]
    ) -> dict[str, Scores]:
        recipe = self._recipe
        query_terms = terms(query)
        layout = corpus.layout()
        place = np.argsort(layout.order)

        def shared(scores: Scores) -> Scores:
            return smooth(scores[layout.order], layout.sessions, recipe.kernel)[place]

        lexical = corpus.lexical.score(query_terms)
        full = recipe.full_match * corpus.lexical.ceiling(query_terms)
        words = strength(lexical, within, full)
        by_session = corpus.lexical.score_groups(
            query_terms, layout.sessions[place], recipe.session_k1, recipe.session_b
        )
        return {
            "lexical": shared(words * min_max(lexical, within)),
            "dense": shared(min_max(dense, within)),
            "session": words * min_max(by_session[layout.sessions[place]], within),
        }

    def _why(self, signals: Mapping[str, Scores], number: int) -> dict[str, float]:
        weights = self._recipe.weights
        return {
            name: round(weights[name] * float(scores[number]), 4)
            for name, scores in signals.items()
            if weights.get(name) and scores[number]
        }
