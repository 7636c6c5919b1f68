"""How near a message is to tools: to their descriptions, their examples, their words."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.context.analysis import terms
from harness.context.bm25 import LexicalIndex
from harness.context.embeddings import CachedEmbedder
from harness.tools.registry import ToolSpec

Floats = NDArray[np.float32]
TAU = 0.05  # of the mean over examples: low, so that the nearest ones count most


class SimilarityIndex:
    """Descriptions and examples of tools, embedded and indexed by word."""

    def __init__(self, specs: Sequence[ToolSpec], descriptions: Floats, examples: Floats) -> None:
        self._descriptions = descriptions
        self._examples = examples
        counts = [len(spec.examples) for spec in specs]
        self.has_examples = np.array(counts, np.int64) > 0
        self._starts = np.concatenate([[0], np.cumsum(counts)])[:-1][self.has_examples]
        self._counts = np.array(counts, np.float32)[self.has_examples]
        self._words = LexicalIndex()
        for spec in specs:
            self._words.add(terms(_all_words(spec)))

    @classmethod
    async def of(cls, specs: Sequence[ToolSpec], embedder: CachedEmbedder) -> "SimilarityIndex":
        """Embed what there is to know of the tools."""
        described = [f"{_spaced(spec.name)}. {spec.description}" for spec in specs]
        requests = [example.request for spec in specs for example in spec.examples]
        return cls(specs, await embedder.aembed(described), await embedder.aembed(requests))

    def signals(self, text: str, vector: Floats) -> dict[str, Floats]:
        """Each tool's nearness to a text, float32 [tools] each.

        Args:
            text: the message or a part of it.
            vector: its embedding, float32 [dimensions].

        Returns:
            `description`: cosine; `example`: log-mean-exp of the cosines, the description's where
            there are none; `words`: BM25 as a share of the most that the text could get, 0–1.
        """
        description = self._descriptions @ vector
        example = description.copy()
        if len(self._starts):
            near = np.exp((self._examples @ vector - 1) / TAU)
            mean = np.add.reduceat(near, self._starts) / self._counts
            example[self.has_examples] = 1 + TAU * np.log(mean)
        query = terms(text)
        most = self._words.ceiling(query)
        words = self._words.score(query) / most if most else np.zeros_like(description)
        return {"description": description, "example": example, "words": words}


def _spaced(name: str) -> str:
    return re.sub(r"[_\W]+|(?<=[a-z])(?=[A-Z])", " ", name).strip()


def _all_words(spec: ToolSpec) -> str:
    properties = spec.parameters.get("properties", {})
    arguments = [f"{name} {field.get('description', '')}" for name, field in properties.items()]
    requests = [example.request for example in spec.examples]
    return _spaced(" ".join([spec.name, *arguments])) + " ".join([" ", spec.description, *requests])
