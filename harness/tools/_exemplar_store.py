"""Exemplars in Chroma, one collection an owner. Everything here blocks; call it from a thread."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.errors import NotFoundError
from numpy.typing import NDArray

from harness.context.embeddings import ChromaEmbedding, Embedder
from harness.tools._similarity import Pool

PAGE = 500  # records a request; Chroma refuses requests past a few thousand
LABELLED = "labelled"  # the owner of what an operator labelled


@dataclass(frozen=True)
class Exemplar:
    """A request that a tool served; `at` is when it was made, in milliseconds UTC."""

    id: str
    text: str
    tool: str
    at: int = 0
    thread_id: str = ""


def owner_of(user_id: str) -> str:
    """A user as the owner of a collection; never the owner `LABELLED`."""
    return hashlib.sha256(user_id.encode()).hexdigest()[:40]


NOTHING = Pool([], np.empty((0, 0), np.float32))


class ExemplarStore:
    """Keeps, reads and removes the exemplars of owners."""

    def __init__(self, client: ClientAPI, embedder: Embedder) -> None:
        self._client = client
        self._embedder = embedder
        self._adapter = ChromaEmbedding(embedder)

    def add(self, owner: str, exemplars: Sequence[Exemplar], vectors: NDArray[np.float32]) -> None:
        """Keep exemplars; again with the same ids changes nothing."""
        collection = self._client.get_or_create_collection(
            self._name(owner),
            embedding_function=self._adapter,
            configuration={"hnsw": {"space": "cosine"}},
        )
        for start in range(0, len(exemplars), PAGE):
            page = exemplars[start : start + PAGE]
            collection.upsert(
                ids=[each.id for each in page],
                embeddings=vectors[start : start + PAGE],
                documents=[each.text for each in page],
                metadatas=[
                    {"tool": each.tool, "at": each.at, "thread_id": each.thread_id} for each in page
                ],
            )

    def keep_newest(self, owner: str, tools: Sequence[str], most: int) -> None:
        """Remove the oldest exemplars of tools that have more than so many."""
        collection = self._open(owner)
        if collection is None:
            return
        for tool in tools:
            found = collection.get(where={"tool": tool}, include=["metadatas"])
            times = [(_number(each, "at"), id_) for each, id_ in _rows(found)]
            if len(times) > most:
                collection.delete(ids=[id_ for _, id_ in sorted(times)[:-most]])

    def keep_only(self, owner: str, ids: set[str]) -> None:
        """Remove the exemplars that are not among these."""
        collection = self._open(owner)
        if collection is None:
            return
        gone = [id_ for id_ in collection.get(include=[])["ids"] if id_ not in ids]
        for start in range(0, len(gone), PAGE):
            collection.delete(ids=gone[start : start + PAGE])

    def pool(self, owner: str) -> Pool:
        """All exemplars of an owner."""
        tools: list[str] = []
        vectors: list[NDArray[np.float32]] = []
        collection = self._open(owner)
        while collection is not None:
            page = collection.get(
                include=["embeddings", "metadatas"], limit=PAGE, offset=len(tools)
            )
            tools += [str(each["tool"]) for each, _ in _rows(page)]
            if page["embeddings"] is not None and len(page["embeddings"]):
                vectors.append(np.asarray(page["embeddings"], np.float32))
            if len(page["ids"]) < PAGE:
                break
        return Pool(tools, np.concatenate(vectors)) if vectors else NOTHING

    def delete_thread(self, owner: str, thread_id: str) -> None:
        """Remove what a thread left."""
        collection = self._open(owner)
        if collection is not None:
            collection.delete(where={"thread_id": thread_id})

    def delete(self, owner: str) -> None:
        """Remove all that an owner has."""
        with suppress(NotFoundError):
            self._client.delete_collection(self._name(owner))

    def _name(self, owner: str) -> str:
        # Vectors of two embedders don't mix, so each has collections of its own.
        return f"exemplars-{self._embedder.name}-{owner}"

    def _open(self, owner: str) -> Collection | None:
        try:
            return self._client.get_collection(self._name(owner), embedding_function=self._adapter)
        except NotFoundError:
            return None


def _rows(found: Any) -> list[tuple[dict[str, Any], str]]:
    return list(zip(found["metadatas"] or [], found["ids"], strict=True))


def _number(metadata: dict[str, Any], name: str) -> int:
    return int(metadata[name])
