"""Documents as knowledge: folders of Markdown and text, found by meaning and by words."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from chromadb.api import ClientAPI
from chromadb.api.models.Collection import Collection
from chromadb.errors import NotFoundError
from numpy.typing import NDArray

from harness.context.chunks import chunk
from harness.context.embeddings import CachedEmbedder, ChromaEmbedding, slug
from harness.context.folder import (
    GLOBS,
    Document,
    UnreadableFile,
    find_files,
    read_document,
    source_name,
)
from harness.context.minilm import token_counter
from harness.context.passages import BETWEEN, Passage, Passages, kept_passage, passage
from harness.context.retriever import Hit
from harness.context.vectors import BREADTH, PAGE, cosines

CHUNK_TOKENS = 192  # of the packaged embedder's window of 256; the rest is for the title
TITLE_TOKENS = 60
CHARS_PER_TOKEN = 8  # at most: to the embedder a word of any length can be one token
NEAREST = 200  # passages whose similarity is asked of Chroma
LOOK_EVERY_S = 5.0  # how old what a query sees may be: looking costs two requests of Chroma


@dataclass
class IndexedFolder:
    """What indexing a folder did; files, but for `chunks`."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    chunks: int = 0
    skipped: dict[str, str] = field(default_factory=dict)  # path to reason


class Knowledge:
    """Chunks of documents in one Chroma collection for all users.

    Args:
        client: of a Chroma server, or embedded within one process.
        embedder: makes the vectors; another one's are in a collection of their own.
        look_every_s: how long a query may miss what another process has indexed, in seconds.
    """

    def __init__(
        self, client: ClientAPI, embedder: CachedEmbedder, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self.name = f"knowledge-{slug(embedder.name)}"
        self._client = client
        self._embedder = embedder
        self._adapter = ChromaEmbedding(embedder)
        self._look_every_s = look_every_s
        self._lock = Lock()
        self._looked_at: float | None = None
        self._read: _Read | None = None

    async def retrieve(self, query: str, k: int) -> list[Hit]:
        """The k passages that serve a query best, best first.

        Args:
            query: what to search for, as a person writes it.
            k: how many.
        """
        if k < 1 or not query.strip():
            return []
        read = await asyncio.to_thread(self._current)
        if read is None or not len(read.passages):
            return []
        (vector,) = await self._embedder.aembed([query])
        return await asyncio.to_thread(read.rank, query, vector, k)

    async def index_folder(
        self,
        folder: Path,
        source: str | None = None,
        globs: Sequence[str] = GLOBS,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> IndexedFolder:
        """Make the documents of a source be those of a folder; what is the same costs nothing.

        It may be interrupted: run again, it goes on with the file it was at.

        Args:
            folder: its Markdown and text files are the documents.
            source: a name that is the same whenever this folder is indexed; by default its path.
            globs: which files, relative to the folder.
            on_progress: told the number of files done, and of all.

        Raises:
            HarnessError: there is no such folder, or a pattern is none.
        """
        name = source or source_name(folder)
        files = await asyncio.to_thread(find_files, folder, globs)
        kept = await asyncio.to_thread(self._hashes, name)
        result = IndexedFolder()
        gone = set(kept).difference(file.relative_to(folder).as_posix() for file in files)
        try:
            for number, file in enumerate(files):
                await self._index_file(folder, file, name, kept, result)
                on_progress(number + 1, len(files))
            for path in sorted(gone):
                await asyncio.to_thread(self._delete, name, path)
                result.removed += 1
        finally:
            if result.new or result.changed or result.removed:
                await asyncio.to_thread(self._tell)
        return result

    async def _index_file(
        self, folder: Path, file: Path, source: str, kept: dict[str, str], result: IndexedFolder
    ) -> None:
        path = file.relative_to(folder).as_posix()
        try:
            document = await asyncio.to_thread(read_document, folder, file, source)
        except UnreadableFile as unreadable:
            result.skipped[path] = str(unreadable)
            return
        before = kept.get(path)
        if before == document.hash or (before is None and not document.text.strip()):
            result.unchanged += 1
            return
        result.chunks += await self._put(document)
        if before is None:
            result.new += 1
        else:
            result.changed += 1

    async def _put(self, document: Document) -> int:
        """Keep a document in place of what was kept of it before; answers its number of chunks."""
        chunks = await asyncio.to_thread(
            chunk, document.text, self._fits, markdown=document.markdown
        )
        passages = [passage(document, each, len(chunks)) for each in chunks]
        vectors = await self._embedder.aembed([self._spoken(each) for each in passages])
        await asyncio.to_thread(self._replace, document, passages, vectors)
        return len(passages)

    def _replace(
        self, document: Document, passages: list[Passage], vectors: NDArray[np.float32]
    ) -> None:
        collection = self._open()
        for start in range(0, len(passages), PAGE):
            page = passages[start : start + PAGE]
            collection.upsert(
                ids=[each.id for each in page],
                embeddings=vectors[start : start + PAGE],
                documents=[each.text for each in page],
                metadatas=[each.metadata() for each in page],
            )
        # A document that was longer before has left chunks behind.
        self._delete(document.source, document.path, {"number": {"$gte": len(passages)}})

    def _delete(self, source: str, path: str, *conditions: dict[str, Any]) -> None:
        where: Any = {"$and": [{"source": source}, {"path": path}, *conditions]}
        self._open().delete(where=where)

    def _tell(self) -> None:
        """Let every process that has read the collection see that it is another now."""
        self._open().modify(metadata={"version": time.time_ns()})
        self._looked_at = None

    def _hashes(self, source: str) -> dict[str, str]:
        """The hash of every document of a source by its path; an empty one for a document that is
        not whole, since its indexing was interrupted."""
        documents: dict[str, list[Passage]] = {}
        for each in _all(self._open(), {"source": source}):
            documents.setdefault(each.path, []).append(each)
        return {path: _whole(passages) for path, passages in documents.items()}

    def _current(self) -> "_Read | None":
        """The collection in memory, read again when it has changed; None when there is none."""
        with self._lock:
            now = time.monotonic()
            if self._looked_at is None or now - self._looked_at >= self._look_every_s:
                self._look()
                self._looked_at = now
            return self._read

    def _look(self) -> None:
        try:
            collection = self._client.get_collection(self.name, embedding_function=self._adapter)
            version = (collection.id, collection.metadata, collection.count())
            if self._read is None or self._read.version != version:
                self._read = _Read(collection, version, Passages(_all(collection)))
        except NotFoundError:
            self._read = None

    def _open(self) -> Collection:
        return self._client.get_or_create_collection(
            self.name,
            embedding_function=self._adapter,
            configuration={"hnsw": {"space": "cosine", "ef_search": BREADTH}},
        )

    @cached_property
    def _count(self) -> Callable[[str], int]:
        return token_counter()

    def _fits(self, text: str) -> bool:
        return len(text) <= CHUNK_TOKENS * CHARS_PER_TOKEN and self._count(text) <= CHUNK_TOKENS

    def _spoken(self, each: Passage) -> str:
        """The passage as it is embedded: where it stands belongs to its meaning."""
        title = each.title
        while self._count(title) > TITLE_TOKENS:
            # The innermost heading says most.
            title = title.partition(BETWEEN)[2] or title[: len(title) // 2]
        return f"{title}\n{each.text}"


@dataclass(frozen=True)
class _Read:
    """The collection as it was read: what changes with its content, and the content."""

    collection: Collection
    version: object
    passages: Passages

    def rank(self, query: str, vector: NDArray[np.float32], k: int) -> list[Hit]:
        near = cosines(vector, min(NEAREST, len(self.passages)), None, self.collection)
        return self.passages.rank(query, near, k)


def _all(collection: Collection, where: Any = None) -> Iterator[Passage]:
    start = 0
    while True:
        page = collection.get(
            where=where, include=["documents", "metadatas"], limit=PAGE, offset=start
        )
        rows = zip(page["ids"], page["documents"] or [], page["metadatas"] or [], strict=True)
        yield from (kept_passage(*row) for row in rows)
        if len(page["ids"]) < PAGE:
            return
        start += PAGE


def _whole(passages: list[Passage]) -> str:
    hashes = {each.hash for each in passages}
    return hashes.pop() if len(hashes) == 1 and len(passages) == passages[0].of else ""
