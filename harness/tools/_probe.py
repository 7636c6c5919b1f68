"""A linear classifier of requests: which tool serves one, or none.

Similarity to a few examples follows a message's topic ("plumber") rather than what it asks for;
a classifier fitted on the same forms with many topics does not.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
WORDS_WEIGHT = 2.0  # of the word features' norm against the embedding's; measured in fit.py
FILE = "probe.npz"
_TOKEN = re.compile(r"\w+|[?/*+%=]")


def word_features(text: str) -> Counter[str]:
    """The text's words, signs and pairs of neighbours, with their counts.

    Function words stay in: "ask me" and "from now on" are what tells requests apart.
    """
    tokens = _TOKEN.findall(text.lower())
    return Counter([*tokens, *(f"{a} {b}" for a, b in pairwise(tokens))])


class Vocabulary:
    """Word features as vectors: logarithmic counts by rarity, of the length WORDS_WEIGHT."""

    def __init__(self, features: Sequence[str], rarity: Floats) -> None:
        self.features = list(features)
        self.rarity = rarity
        self._places = {feature: i for i, feature in enumerate(self.features)}

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """The features that at least two of the texts have."""
        counted = [word_features(text) for text in texts]
        having = Counter(feature for each in counted for feature in each)
        kept = sorted(feature for feature, number in having.items() if number > 1)
        rarity = [1 + math.log((1 + len(counted)) / (1 + having[feature])) for feature in kept]
        return cls(kept, np.array(rarity, np.float32))

    def vector(self, text: str) -> Floats:
        """A text's vector, float32 [features]."""
        vector = np.zeros(len(self.features), np.float32)
        for feature, count in word_features(text).items():
            place = self._places.get(feature)
            if place is not None:
                vector[place] = (1 + math.log(count)) * self.rarity[place]
        norm = float(np.linalg.norm(vector))
        return vector * np.float32(WORDS_WEIGHT / norm) if norm else vector


@dataclass(frozen=True)
class Probe:
    """Scores of classes, and how much a text looks like a request for any tool."""

    embedder: str  # whose vectors it was fitted on
    names: list[str]  # of the tools; the class after them is that of no tool
    descriptions: list[str]
    vocabulary: Vocabulary
    weights: Floats  # [classes, dimensions + features]
    biases: Floats  # [classes]
    request_weights: Floats  # [dimensions + features]
    request_bias: float

    def scores(self, texts: Sequence[str], vectors: Floats) -> tuple[Floats, Floats]:
        """How much better each tool fits texts than none does, and how much they are requests.

        Args:
            texts: a message and its parts.
            vectors: their embeddings, float32 [texts, dimensions].

        Returns:
            Log-odds against no tool, float32 [texts, tools], and the log-odds of being a request,
            float32 [texts].
        """
        words = np.stack([self.vocabulary.vector(text) for text in texts])
        features = np.hstack([vectors, words])
        classes = features @ self.weights.T + self.biases
        requests = features @ self.request_weights + np.float32(self.request_bias)
        return classes[:, :-1] - classes[:, -1:], requests

    def arrays(self) -> dict[str, Any]:
        """What `load` reads; numbers in half precision."""
        return {
            "embedder": np.array(self.embedder),
            "names": np.array(self.names),
            "descriptions": np.array(self.descriptions),
            "features": np.array(self.vocabulary.features),
            "rarity": self.vocabulary.rarity.astype(np.float16),
            "weights": self.weights.astype(np.float16),
            "biases": self.biases,
            "request_weights": self.request_weights.astype(np.float16),
            "request_bias": np.array(self.request_bias),
        }


@lru_cache(maxsize=1)
def load() -> Probe:
    """The probe that comes with the harness, fitted on its built-in tools."""
    with (
        resources.files("harness.tools").joinpath(FILE).open("rb") as file,
        np.load(file) as kept,
    ):
        return Probe(
            embedder=str(kept["embedder"]),
            names=[str(name) for name in kept["names"]],
            descriptions=[str(text) for text in kept["descriptions"]],
            vocabulary=Vocabulary(
                [str(feature) for feature in kept["features"]], kept["rarity"].astype(np.float32)
            ),
            weights=kept["weights"].astype(np.float32),
            biases=kept["biases"].astype(np.float32),
            request_weights=kept["request_weights"].astype(np.float32),
            request_bias=float(kept["request_bias"]),
        )
