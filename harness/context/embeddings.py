"""Embedders, and what makes one safe to use from an event loop."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from chromadb.api.types import Embeddable, EmbeddingFunction, Embeddings
from numpy.typing import NDArray

from harness.context.cache import ExpiringCache
from harness.context.chroma_embedder import ChromaFunctionEmbedder
from harness.context.minilm import MiniLMEmbedder
from harness.context.openai_embedder import BATCH, OpenAIEmbedder
from harness.context.vector_file import VectorFile
from harness.errors import HarnessError
from harness.settings import Settings
from harness.telemetry.metrics import count_lookup

CACHED_TEXTS = 8192  # about 12 MB at 384 dimensions
CACHE_TTL_S = 3600.0
SLICE = 16  # texts a turn of the worker, so that a query waits for no more than these
REMOTE_THREADS = 8  # an endpoint's answers are waited for side by side
SLUG_CHARS = 12  # of Chroma's 63 for a collection's name

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their cosine."""

    @property
    def name(self) -> str:
        """What tells this embedder's vectors from another's."""

    @property
    def dimensions(self) -> int | None:
        """How long a vector is; None for one that only its first answer tells."""

    def embed(self, texts: list[str]) -> Vectors:
        """The texts' unit vectors, float32 [len(texts), dimensions]."""


class NamedEmbedder(Embedder, Protocol):
    """An embedder that a setting can name."""

    @property
    def version(self) -> str:
        """Another one whenever a text gets another vector than before."""

    def close(self) -> None:
        """Close its connections."""


def slug(name: str) -> str:
    """An embedder's name for a collection or a file: at most 12 of `[A-Za-z0-9_-]`.

    A name that is short and plain stays as it is; another one gets a digest behind an underscore,
    which no plain name has, so that two names never share a slug.
    """
    if re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9-]{{0,{SLUG_CHARS - 1}}}", name):
        return name
    digest = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode().lower()
    readable = re.sub(r"[^A-Za-z0-9]", "", name)[:3] or "any"
    return f"{readable}_{digest}"[:SLUG_CHARS]


class CachedEmbedder:
    """An embedder that remembers texts it has seen and never blocks the event loop.

    Vectors are kept by the text's hash: in memory with a bound and an expiry, and behind that in a
    file. The work runs on threads of its own, in slices, so that a query does not wait for a whole
    batch of documents.

    Args:
        inner: does the work.
        max_texts: how many are kept in memory; 0 keeps none.
        ttl_s: how long, in seconds.
        file: where vectors outlive the process; None for nowhere.
        slice_texts: texts a call of `inner`.
        threads: how many calls of `inner` run at once.
        on_close: closes what `inner` holds.
    """

    def __init__(
        self,
        inner: Embedder,
        max_texts: int = CACHED_TEXTS,
        ttl_s: float = CACHE_TTL_S,
        *,
        file: VectorFile | None = None,
        slice_texts: int = SLICE,
        threads: int = 1,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._inner = inner
        self.cache: ExpiringCache[bytes, Vectors] = ExpiringCache(max_texts, ttl_s, "embeddings")
        self._remembers = max_texts > 0
        self._file = file
        self._slice = slice_texts
        self._worker = ThreadPoolExecutor(threads, "embedder")
        self._on_close = on_close

    @property
    def name(self) -> str:
        """The inner embedder's name."""
        return self._inner.name

    @property
    def dimensions(self) -> int | None:
        """The inner embedder's vector length."""
        return self._inner.dimensions

    def embed(self, texts: list[str]) -> Vectors:
        """The texts' unit vectors; blocks, so inside an event loop use `aembed`."""
        return self._worker.submit(self._embed, texts).result()

    async def aembed(self, texts: list[str]) -> Vectors:
        """The texts' unit vectors, worked out on the embedder's own thread."""
        if not texts:
            return self._none()
        loop = asyncio.get_running_loop()
        # Texts of like length go together: a slice is padded to its longest.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        parts = []
        for start in range(0, len(texts), self._slice):
            part = [texts[i] for i in order[start : start + self._slice]]
            parts.append(await loop.run_in_executor(self._worker, self._embed, part))
        return self._joined(parts)[np.argsort(order)]

    def close(self) -> None:
        """Let the worker threads end, and close what the embedder and its file hold."""
        self._worker.shutdown()
        if self._on_close is not None:
            self._on_close()
        if self._file is not None:
            self._file.close()

    def _embed(self, texts: list[str]) -> Vectors:
        if not texts:
            return self._none()
        # Half a surrogate pair is nothing that an embedder takes.
        encoded = [text.encode("utf-8", "replace") for text in texts]
        keys = [hashlib.sha256(text).digest() for text in encoded]
        distinct = dict(zip(keys, encoded, strict=True))
        known = self._recall(list(distinct))
        missing = [key for key in distinct if key not in known]
        if missing:
            fresh = self._inner.embed([distinct[key].decode() for key in missing])
            made = {key: vector.copy() for key, vector in zip(missing, fresh, strict=True)}
            if self._file is not None:
                self._file.keep(made)
            self._remember(made)
            known |= made
        return self._joined([known[key][np.newaxis] for key in keys])

    def _recall(self, keys: list[bytes]) -> dict[bytes, Vectors]:
        """The vectors that are kept of these texts; what the file had is in memory from now on."""
        known = dict[bytes, Vectors]()
        if self._remembers:
            looked_up = ((key, self.cache.get(key)) for key in keys)
            known = {key: vector for key, vector in looked_up if vector is not None}
        missing = [key for key in keys if key not in known]
        if self._file is not None and missing:
            found = self._file.find(missing)
            for key in missing:
                count_lookup("embeddings-disk", key in found)
            self._remember(found)
            known |= found
        return known

    def _remember(self, vectors: dict[bytes, Vectors]) -> None:
        if self._remembers:
            for key, vector in vectors.items():
                self.cache.put(key, vector)

    def _none(self) -> Vectors:
        return np.empty((0, self.dimensions or 0), np.float32)

    def _joined(self, parts: list[Vectors]) -> Vectors:
        lengths = sorted({part.shape[1] for part in parts})
        if len(lengths) > 1:
            raise HarnessError(
                f"the embedder {self.name} gives vectors of {lengths[-1]} dimensions, "
                f"and {lengths[0]} at another time",
                "Its model has changed: give the new one a name of its own, or delete "
                "HARNESS_HOME/cache/embeddings-*.",
            )
        return np.concatenate(parts)


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


@dataclass(frozen=True)
class _Kind:
    """How to make an embedder, from the settings and what stands behind its kind's colon."""

    build: Callable[[Settings, str], NamedEmbedder]
    slice_texts: int = SLICE
    threads: int = 1


EMBEDDERS: dict[str, _Kind] = {
    "minilm": _Kind(lambda settings, _: _minilm(settings)),
    "openai:MODEL": _Kind(OpenAIEmbedder, slice_texts=BATCH, threads=REMOTE_THREADS),
    "chroma:NAME": _Kind(ChromaFunctionEmbedder),
}


def build_embedder(settings: Settings) -> CachedEmbedder:
    """The embedder that the settings name.

    Raises:
        HarnessError: there is no embedder of that name, or it can't be made.
    """
    kind, colon, model = settings.embedder.partition(":")
    found = next((name for name in EMBEDDERS if name.partition(":")[:2] == (kind, colon)), None)
    if found is None:
        raise HarnessError(
            f"HARNESS_EMBEDDER is {settings.embedder!r}", f"Use one of: {', '.join(EMBEDDERS)}."
        )
    made = EMBEDDERS[found]
    inner = made.build(settings, model)
    kept = f"embeddings-{slug(inner.name)}-{inner.version}.sqlite"
    on_disk = settings.embedding_cache == "disk"
    return CachedEmbedder(
        inner,
        0 if settings.embedding_cache == "off" else CACHED_TEXTS,
        file=VectorFile(settings.home / "cache" / kept) if on_disk else None,
        slice_texts=made.slice_texts,
        threads=made.threads,
        on_close=inner.close,
    )


def _minilm(settings: Settings) -> MiniLMEmbedder:
    return MiniLMEmbedder(settings.home / "cache", settings.embedder_threads)
