"""Chunks of documents in memory, as far as scoring needs them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.context.analysis import terms
from harness.context.bm25 import LexicalIndex
from harness.context.chunks import Chunk
from harness.context.folder import Document
from harness.context.fusion import best, min_max, strength, weigh
from harness.context.retriever import Hit

BETWEEN = " › "  # a document's path and its headings
ROLE = "document"

# Set by hand, as those of messages were at first: there is no labelled set of documents yet.
WEIGHTS = {"lexical": 1.0, "dense": 0.75}
FULL_MATCH = 0.4


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk of a document as knowledge keeps it.

    Attributes:
        title: the document's path and the headings that the chunk stands under.
        number: its place in the document.
        of: how many chunks the document has.
        hash: the document's.
        modified_at: the document's, in milliseconds UTC.
    """

    id: str
    text: str
    title: str
    source: str
    path: str
    number: int
    of: int
    hash: str
    modified_at: int

    def metadata(self) -> dict[str, Any]:
        """What Chroma keeps beside the text."""
        return {
            "title": self.title,
            "source": self.source,
            "path": self.path,
            "number": self.number,
            "of": self.of,
            "hash": self.hash,
            "modified_at": self.modified_at,
        }

    def hit(self, score: float, why: dict[str, float]) -> Hit:
        """The passage as something retrieved; its document stands for the thread."""
        return Hit(
            id=self.id,
            source="document",
            text=self.text,
            score=score,
            why=why,
            thread_id=self.path,
            order=self.number,
            sent_at=self.modified_at,
            role=ROLE,
            title=self.title,
        )


def passage(document: Document, chunk: Chunk, of: int) -> Passage:
    """A chunk of a document; its id is the same whenever the document is indexed."""
    place = hashlib.sha256(f"{document.source}\0{document.path}".encode()).hexdigest()[:32]
    return Passage(
        id=f"{place}-{chunk.number}",
        text=chunk.text,
        title=BETWEEN.join([document.path, *chunk.headings]),
        source=document.source,
        path=document.path,
        number=chunk.number,
        of=of,
        hash=document.hash,
        modified_at=document.modified_at,
    )


def kept_passage(id_: str, text: str, metadata: Any) -> Passage:
    """A passage of what Chroma keeps."""
    return Passage(
        id=id_,
        text=text,
        title=metadata["title"],
        source=metadata["source"],
        path=metadata["path"],
        number=int(metadata["number"]),
        of=int(metadata["of"]),
        hash=metadata["hash"],
        modified_at=int(metadata["modified_at"]),
    )


class Passages:
    """Passages with a lexical index over their titles and texts; never changed once made."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = list(passages)
        self._numbers = {each.id: number for number, each in enumerate(self._passages)}
        self._lexical = LexicalIndex()
        for each in self._passages:
            self._lexical.add(terms(f"{each.title} {each.text}"))

    def __len__(self) -> int:
        return len(self._passages)

    def rank(self, query: str, cosines: Mapping[str, float], k: int) -> list[Hit]:
        """The best passages, best first.

        Args:
            query: as a person writes it.
            cosines: of the passages nearest in meaning, by id.
            k: how many.
        """
        everything = np.ones(len(self), np.bool_)
        dense = np.full(len(self), np.nan, np.float32)
        for id_, cosine in cosines.items():
            if id_ in self._numbers:
                dense[self._numbers[id_]] = cosine
        asked = terms(query)
        lexical = self._lexical.score(asked)
        words = strength(lexical, everything, FULL_MATCH * self._lexical.ceiling(asked))
        signals = {
            "lexical": words * min_max(lexical, everything),
            "dense": min_max(dense, everything),
        }
        total = weigh(signals, WEIGHTS)
        return [
            self._passages[number].hit(
                float(total[number]),
                {
                    name: round(WEIGHTS[name] * float(scores[number]), 4)
                    for name, scores in signals.items()
                    if scores[number]
                },
            )
            for number in best(total, everything, k)
        ]
