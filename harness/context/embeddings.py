"""Embedders, and what makes one safe to use from an event loop."""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
from chromadb.api.types import Embeddable, EmbeddingFunction, Embeddings
from numpy.typing import NDArray

from harness.context.cache import ExpiringCache
from harness.context.minilm import MiniLMEmbedder
from harness.errors import HarnessError
from harness.settings import Settings

CACHED_TEXTS = 8192  # about 12 MB at 384 dimensions
CACHE_TTL_S = 3600.0
SLICE = 16  # texts a turn of the worker, so that a query waits for no more than these

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their cosine."""

    @property
    def name(self) -> str:
        """What tells this embedder's vectors from another's."""

    @property
    def dimensions(self) -> int:
        """How long a vector is."""

    def embed(self, texts: list[str]) -> Vectors:
        """The texts' unit vectors, float32 [len(texts), dimensions]."""


class CachedEmbedder:
    """An embedder that remembers texts it has seen and never blocks the event loop.

    Vectors are kept by the text's hash, in a cache with a bound and an expiry; the work runs on one
    thread, in slices, so that a query does not wait for a whole batch of documents.
    """

    def __init__(
        self, inner: Embedder, max_texts: int = CACHED_TEXTS, ttl_s: float = CACHE_TTL_S
    ) -> None:
        self._inner = inner
        self.cache: ExpiringCache[bytes, Vectors] = ExpiringCache(max_texts, ttl_s)
        self._worker = ThreadPoolExecutor(1, "embedder")

    @property
    def name(self) -> str:
        """The inner embedder's name."""
        return self._inner.name

    @property
    def dimensions(self) -> int:
        """The inner embedder's vector length."""
        return self._inner.dimensions

    def embed(self, texts: list[str]) -> Vectors:
        """The texts' unit vectors; blocks, so inside an event loop use `aembed`."""
        return self._worker.submit(self._embed, texts).result()

    async def aembed(self, texts: list[str]) -> Vectors:
        """The texts' unit vectors, worked out on the embedder's own thread."""
        loop = asyncio.get_running_loop()
        # Texts of like length go together: a slice is padded to its longest.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for start in range(0, len(texts), SLICE):
            chosen = order[start : start + SLICE]
            part = [texts[i] for i in chosen]
            vectors[chosen] = await loop.run_in_executor(self._worker, self._embed, part)
        return vectors

    def close(self) -> None:
        """Let the worker thread end."""
        self._worker.shutdown()

    def _embed(self, texts: list[str]) -> Vectors:
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        missing: dict[bytes, list[int]] = {}
        for i, text in enumerate(texts):
            key = hashlib.sha256(text.encode("utf-8", "replace")).digest()
            known = None if key in missing else self.cache.get(key)
            if known is None:
                missing.setdefault(key, []).append(i)
            else:
                vectors[i] = known
        if missing:
            fresh = self._inner.embed([texts[places[0]] for places in missing.values()])
            for (key, places), vector in zip(missing.items(), fresh, strict=True):
                vectors[places] = vector
                self.cache.put(key, vector.copy())
        return vectors


class ChromaEmbedding(EmbeddingFunction[Embeddable]):
    """An embedder as Chroma's embedding function.

    Always pass it, to `get_collection` too: without one Chroma falls back to its default, which
    downloads a model.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def __call__(self, input: Embeddable) -> Embeddings:
        """The documents' vectors."""
        return list(self._embedder.embed([str(document) for document in input]))

    @staticmethod
    def name() -> str:
        """Chroma's registry name; it keeps no configuration of ours, so one serves all."""
        return "harness"

    def get_config(self) -> dict[str, Any]:
        """What Chroma stores with the collection."""
        return {"embedder": self._embedder.name}

    @staticmethod
    def build_from_config(config: dict[str, Any]) -> "ChromaEmbedding":
        """One that knows its embedder's name alone, and says so when it is used.

        Chroma makes it of what a collection keeps; embedding with some other model instead would
        go unnoticed.
        """
        return ChromaEmbedding(_Absent(config["embedder"]))


class _Absent:
    """The place of an embedder that was not given."""

    dimensions = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def embed(self, texts: list[str]) -> Vectors:
        raise HarnessError(
            f"a collection of the embedder {self.name} was opened without it",
            "Pass the embedding function to get_collection.",
        )


EMBEDDERS: dict[str, Callable[[Settings], Embedder]] = {
    "minilm": lambda settings: MiniLMEmbedder(settings.home / "cache", settings.embedder_threads),
}


def build_embedder(settings: Settings) -> CachedEmbedder:
    """The embedder that the settings name.

    Raises:
        HarnessError: there is no embedder of that name.
    """
    build = EMBEDDERS.get(settings.embedder)
    if build is None:
        raise HarnessError(
            f"HARNESS_EMBEDDER is {settings.embedder!r}", f"Use one of: {', '.join(EMBEDDERS)}."
        )
    return CachedEmbedder(build(settings))
