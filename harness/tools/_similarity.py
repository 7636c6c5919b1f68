"""How near texts are to tools: to their descriptions, their examples, their words."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.context.analysis import terms
from harness.context.bm25 import LexicalIndex
from harness.context.embeddings import CachedEmbedder
from harness.tools.registry import ToolSpec

Floats = NDArray[np.float32]
TAU = 0.05  # of the mean over examples: low, so that the nearest ones count most
# Of the mean over what a description says: a long one has more that is beside the point.
DESCRIBED_TAU = 0.1
MOST_SENTENCES = 16  # of a description; what a tool does stands early in it
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


class Pool:
    """Requests that tools served, by tool."""

    def __init__(self, tools: Sequence[str], vectors: Floats) -> None:
        """Group requests.

        Args:
            tools: each request's tool.
            vectors: of the requests, float32 [len(tools), dimensions].
        """
        names, owners = np.unique(np.array(tools, dtype=str), return_inverse=True)
        order = np.argsort(owners, kind="stable")
        self.tools: list[str] = names.tolist()
        self.vectors = vectors[order]
        self.owners: NDArray[np.int64] = owners[order].astype(np.int64)
        self.counts = np.bincount(self.owners, minlength=len(self.tools)).astype(np.float32)
        self._starts = np.searchsorted(self.owners, np.arange(len(self.tools)))

    def nearness(self, vectors: Floats, tau: float = TAU) -> Floats:
        """Sums of exp(cosine / tau) over each tool's requests, as a share of one that is the same.

        Args:
            vectors: of texts, float32 [texts, dimensions].
            tau: the lower, the more the nearest ones count.

        Returns:
            float32 [texts, tools].
        """
        if not self.tools:
            return np.empty((len(vectors), 0), np.float32)
        near = np.exp((vectors @ self.vectors.T - 1) / tau)
        return np.asarray(np.add.reduceat(near, self._starts, axis=1), np.float32)


class Signals(NamedTuple):
    """Each tool's nearness to each text, float32 [texts, tools].

    Attributes:
        description: the pooled cosine of the tool's name and of each sentence of its description.
        near: the examples' summed nearness (see `Pool`); 0 where there are none.
        words: BM25 in words that no other tool has: each such word that a tool has counts about 1.
            As a share of what the text could get, a long message's words would count too little.
    """

    description: Floats
    near: Floats
    words: Floats


class SimilarityIndex:
    """Descriptions and examples of tools, embedded and indexed by word."""

    def __init__(self, specs: Sequence[ToolSpec], vectors: Mapping[str, Floats]) -> None:
        """Index tools; `of` also embeds them.

        Args:
            specs: of the tools.
            vectors: of every text of theirs.
        """
        self.vectors = dict(vectors)
        width = len(next(iter(vectors.values()))) if vectors else 0
        places = {spec.name: place for place, spec in enumerate(specs)}
        said = [(spec.name, piece) for spec in specs for piece in _pieces(spec)]
        self._said = Pool([name for name, _ in said], _rows(vectors, [p for _, p in said], width))
        self._described = np.array([places[name] for name in self._said.tools], np.int64)
        shown = [(spec.name, each.request) for spec in specs for each in spec.examples]
        self._pool = Pool(
            [name for name, _ in shown], _rows(vectors, [request for _, request in shown], width)
        )
        self._shown = np.array([places[name] for name in self._pool.tools], np.int64)
        self.counts = np.zeros(len(specs), np.float32)  # of examples
        self.counts[self._shown] = self._pool.counts
        self._words = LexicalIndex()
        for spec in specs:
            self._words.add(terms(_all_words(spec)))

    @classmethod
    async def of(
        cls,
        specs: Sequence[ToolSpec],
        embedder: CachedEmbedder,
        known: Mapping[str, Floats] | None = None,
    ) -> "SimilarityIndex":
        """Embed what there is to know of the tools, but for what is known already."""
        known = known or {}
        texts = [piece for spec in specs for piece in _pieces(spec)]
        texts += [example.request for spec in specs for example in spec.examples]
        missing = [text for text in dict.fromkeys(texts) if text not in known]
        fresh = dict(zip(missing, await embedder.aembed(missing), strict=True))
        vectors = {text: fresh[text] if text in fresh else known[text] for text in texts}
        return await asyncio.to_thread(cls, specs, vectors)  # thousands of tools take a second

    def signals(self, texts: Sequence[str], vectors: Floats) -> Signals:
        """How near each tool is to each text.

        Args:
            texts: the parts of a message.
            vectors: their embeddings, float32 [texts, dimensions].
        """
        near = np.zeros((len(texts), len(self.counts)), np.float32)
        near[:, self._shown] = self._pool.nearness(vectors)
        described = np.empty_like(near)
        said = self._said.nearness(vectors, DESCRIBED_TAU) / self._said.counts
        described[:, self._described] = 1 + DESCRIBED_TAU * np.log(said)
        words = np.stack([self._words.score(terms(text)) for text in texts])
        words /= self._words.rarest
        return Signals(described, near, words)


def _rows(vectors: Mapping[str, Floats], texts: list[str], width: int) -> Floats:
    return np.array([vectors[text] for text in texts], np.float32).reshape(len(texts), width)


def _pieces(spec: ToolSpec) -> list[str]:
    """What is compared with a message one by one: the tool's name, and each sentence about it."""
    sentences = [piece for piece in _SENTENCE.split(spec.description) if len(piece.split()) > 2]
    return [_spaced(spec.name), *(sentences[:MOST_SENTENCES] or [spec.description])]


def _spaced(name: str) -> str:
    return re.sub(r"[_\W]+|(?<=[a-z])(?=[A-Z])", " ", name).strip()


def _all_words(spec: ToolSpec) -> str:
    properties = spec.parameters.get("properties", {})
    arguments = [
        f"{name} {field.get('description', '') if isinstance(field, dict) else ''}"
        for name, field in properties.items()
    ]
    requests = [example.request for example in spec.examples]
    return _spaced(" ".join([spec.name, *arguments])) + " ".join([" ", spec.description, *requests])
