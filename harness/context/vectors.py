"""Messages and their vectors in Chroma, one collection a user."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar
from urllib.parse import urlsplit

import chromadb
import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.config import Settings as ChromaSettings
from chromadb.errors import NotFoundError
from numpy.typing import NDArray

from harness.context.cache import ExpiringCache
from harness.context.corpus import Corpus, Record
from harness.context.embeddings import ChromaEmbedding, Embedder, slug
from harness.context.retriever import Hit
from harness.errors import HarnessError

Result = TypeVar("Result")

PAGE = 500  # records a request; Chroma refuses requests past a few thousand
CACHED_USERS = 256
CACHE_TTL_S = 900.0
_PREFIX = "memory-"
_DIGEST_CHARS = 40
BREADTH = 200  # neighbours HNSW considers, unless set; at least as many as are asked for


def connect(url: str) -> ClientAPI:
    """A client of a Chroma server.

    Raises:
        HarnessError: nothing answers there.
    """
    parts = urlsplit(url)
    try:
        return chromadb.HttpClient(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or (443 if parts.scheme == "https" else 80),
            ssl=parts.scheme == "https",
            settings=ChromaSettings(anonymized_telemetry=False),
        )
    except ValueError as error:
        raise HarnessError(
            f"no Chroma server answers at {url} ({error})", "Start it, or set CHROMA_URL."
        ) from error


class VectorStore:
    """What Chroma keeps of each user's messages, and a copy in memory for the other signals.

    A collection a user rather than a filter on one: a filtered query took 37 ms at 20,000 messages
    and an unfiltered one 3 ms, and no query can reach another user's messages by mistake. Methods
    block; call them from a thread.
    """

    def __init__(self, client: ClientAPI, embedder: Embedder, breadth: int = BREADTH) -> None:
        """Use a Chroma client.

        Args:
            client: of a server, or embedded within one process.
            embedder: makes the vectors; another one's are kept apart.
            breadth: neighbours that HNSW considers in collections made from now on.
        """
        self._client = client
        self._embedder = embedder
        self._breadth = breadth
        self._adapter = ChromaEmbedding(embedder)
        self._corpora: ExpiringCache[str, Corpus] = ExpiringCache(
            CACHED_USERS, CACHE_TTL_S, "corpora"
        )
        self._collections: ExpiringCache[str, Collection] = ExpiringCache(
            CACHED_USERS, CACHE_TTL_S, "collections"
        )

    def upsert(self, user_id: str, records: Sequence[Record], vectors: NDArray[np.float32]) -> None:
        """Keep messages with their vectors; again with the same ids changes nothing."""
        for start in range(0, len(records), PAGE):
            page = records[start : start + PAGE]
            rows = vectors[start : start + PAGE]
            self._on(user_id, partial(_upsert, user_id, page, rows), create=True)
        corpus = self._corpora.get(user_id)
        if corpus is not None:
            with corpus.lock:
                corpus.add(records)

    def similar(
        self, user_id: str, vector: NDArray[np.float32], n: int, where: dict[str, Any] | None
    ) -> dict[str, float]:
        """The n messages nearest to a vector: cosine by message id."""

        return self._on(user_id, partial(cosines, vector, n, where)) or {}

    def corpus(self, user_id: str) -> Corpus:
        """The user's messages in memory, caught up with what other processes have written."""
        corpus = self._corpora.get_or_put(user_id, Corpus)
        self._corpora.put(user_id, corpus)  # its time runs from its last use
        with corpus.lock:
            if self.count(user_id) != len(corpus):
                corpus = self._catch_up(user_id, corpus)
        return corpus

    def still_kept(self, user_id: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits that no process has forgotten; if one has, the copy in memory goes.

        A copy is caught up when Chroma counts another number than it has, which one that lost as
        many messages as it gained does not.
        """
        kept = self.known(user_id, [hit.id for hit in hits])
        if len(kept) < len(hits):
            self.drop_copy(user_id)
        return [hit for hit in hits if hit.id in kept]

    def drop_copy(self, user_id: str) -> None:
        """Let the user's messages be read again at the next retrieval."""
        self._corpora.drop(user_id)

    def count(self, user_id: str) -> int:
        """How many messages of the user are kept."""
        return self._on(user_id, Collection.count) or 0

    def known(self, user_id: str, ids: Sequence[str]) -> set[str]:
        """Which of these messages are kept."""
        found: set[str] = set()
        for start in range(0, len(ids), PAGE):
            page = list(ids[start : start + PAGE])
            found.update(self._on(user_id, partial(_known, page)) or ())
        return found

    def delete_thread(self, user_id: str, thread_id: str) -> None:
        """Forget a thread's messages, whichever embedder's vectors they have."""
        for collection in self._of_every_embedder(user_id):
            with suppress(NotFoundError):
                collection.delete(where={"thread_id": thread_id})
        self._corpora.drop(user_id)

    def delete_user(self, user_id: str) -> None:
        """Forget a user's messages, whichever embedder's vectors they have."""
        for collection in self._of_every_embedder(user_id):
            with suppress(NotFoundError):
                self._client.delete_collection(collection.name)
        self._corpora.drop(user_id)
        self._collections.drop(user_id)

    def drop_others(self, user_id: str | None = None) -> int:
        """Remove the collections of other embedders, of one user or of all; answers how many."""
        own = f"{_PREFIX}{slug(self._embedder.name)}-"
        others = [
            collection.name
            for collection in self._of_every_embedder(user_id)
            if collection.name != f"{own}{collection.name[-_DIGEST_CHARS:]}"
        ]
        for name in others:
            with suppress(NotFoundError):
                self._client.delete_collection(name)
        return len(others)

    def _name(self, user_id: str) -> str:
        # Vectors of two embedders don't mix, so each has collections of its own.
        return f"{_PREFIX}{slug(self._embedder.name)}-{_digest(user_id)}"

    def _of_every_embedder(self, user_id: str | None) -> list[Collection]:
        """A user's collections, or everybody's."""
        ending = _digest(user_id) if user_id is not None else ""
        number = self._client.count_collections()
        pages = [self._client.list_collections(PAGE, start) for start in range(0, number, PAGE)]
        return [
            collection
            for page in pages
            for collection in page
            if collection.name.startswith(_PREFIX) and collection.name.endswith(ending)
        ]

    def _on(
        self, user_id: str, do: Callable[[Collection], Result], *, create: bool = False
    ) -> Result | None:
        """Do something with a user's collection; None when there is none."""
        for _ in range(2):
            collection = self._collections.get(user_id) or self._open(user_id, create=create)
            if collection is None:
                return None
            self._collections.put(user_id, collection)
            try:
                return do(collection)
            except NotFoundError:  # another process has deleted it since it was opened
                self._collections.drop(user_id)
        return None

    def _open(self, user_id: str, *, create: bool) -> Collection | None:
        name = self._name(user_id)
        if create:
            return self._client.get_or_create_collection(
                name,
                embedding_function=self._adapter,
                configuration={"hnsw": {"space": "cosine", "ef_search": self._breadth}},
            )
        try:
            return self._client.get_collection(name, embedding_function=self._adapter)
        except NotFoundError:
            return None

    def _catch_up(self, user_id: str, corpus: Corpus) -> Corpus:
        stored = set(self._on(user_id, lambda collection: collection.get(include=[])["ids"]) or ())
        if not stored.issuperset(corpus.numbers):
            corpus = Corpus()
            self._corpora.put(user_id, corpus)
        missing = sorted(stored.difference(corpus.numbers))
        found: list[Record] = []
        for start in range(0, len(missing), PAGE):
            page = partial(_records, missing[start : start + PAGE])
            found += self._on(user_id, page) or ()
        # Ids are in no order, and of messages that score the same the later one comes first.
        corpus.add(sorted(found, key=lambda record: (record.sent_at, record.order)))
        return corpus


def _digest(user_id: str) -> str:
    return hashlib.sha256(user_id.encode()).hexdigest()[:_DIGEST_CHARS]


def _known(ids: list[str], collection: Collection) -> list[str]:
    return collection.get(ids=ids, include=[])["ids"]


def cosines(
    vector: NDArray[np.float32], n: int, where: dict[str, Any] | None, collection: Collection
) -> dict[str, float]:
    """The n records of a collection nearest to a vector: cosine by id.

    Args:
        vector: float32 [dimensions].
        n: how many.
        where: which records; None for all.
        collection: one whose space is cosine.
    """
    found = collection.query(
        query_embeddings=vector[np.newaxis], n_results=n, where=where, include=["distances"]
    )
    (distances,) = found["distances"] or [[]]
    return {id_: 1.0 - distance for id_, distance in zip(found["ids"][0], distances, strict=True)}


def _upsert(
    user_id: str, page: Sequence[Record], rows: NDArray[np.float32], collection: Collection
) -> None:
    collection.upsert(
        ids=[record.id for record in page],
        embeddings=rows,
        documents=[record.text for record in page],
        metadatas=[_metadata(user_id, record) for record in page],
    )


def _records(ids: list[str], collection: Collection) -> list[Record]:
    page = collection.get(ids=ids, include=["documents", "metadatas"])
    return [
        _record(id_, text, metadata)
        for id_, text, metadata in zip(
            page["ids"], page["documents"] or [], page["metadatas"] or [], strict=True
        )
    ]


def _metadata(user_id: str, record: Record) -> dict[str, Any]:
    kept = {
        "user_id": user_id,
        "thread_id": record.thread_id,
        "order": record.order,
        "role": record.role,
        "sent_at": record.sent_at,
    }
    return kept if record.speaker is None else {**kept, "speaker": record.speaker}


def _record(id_: str, text: str, metadata: Any) -> Record:
    return Record(
        id=id_,
        text=text,
        thread_id=metadata["thread_id"],
        order=int(metadata["order"]),
        sent_at=int(metadata["sent_at"]),
        role=metadata["role"],
        speaker=metadata.get("speaker"),
    )
