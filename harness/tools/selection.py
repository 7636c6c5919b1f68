"""Which tools to offer for a message, and whether any at all."""

import asyncio
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from harness.context.embeddings import CachedEmbedder
from harness.tools import _probe
from harness.tools._similarity import SimilarityIndex
from harness.tools.registry import ToolSpec

Floats = NDArray[np.float32]
WEIGHTS_FILE = "selection.json"
NEEDED_FROM = 0.5  # probability that the best tool serves better than none
MARGIN = 2.0  # log-odds behind the best; a tool further behind is not offered
MOST_PARTS = 6  # of a message that are looked at one by one
MOST_SCORES = 20  # that a selection reports


class Candidate(BaseModel):
    """A tool to offer; `score` is the probability that it serves better than none, 0–1."""

    name: str
    score: float


class Selection(BaseModel):
    """The tools to offer, best first; none when `needed` is false."""

    candidates: list[Candidate]
    needed: bool
    scores: dict[str, float]
    why: str


class SimilarityWeights(BaseModel):
    """Log-odds of a tool from its nearness to a message."""

    example: float
    description: float
    words: float
    request: float
    bias: float


class ProbeWeights(BaseModel):
    """Log-odds of a tool from the classifier's."""

    scale: float
    bias: float


class SelectionWeights(BaseModel):
    """What calibration/fit.py fits; a tool is judged by the first of these that can be."""

    version: int
    probe: ProbeWeights  # a tool that the classifier was fitted on
    shown: SimilarityWeights  # one with examples
    described: SimilarityWeights  # one with a description alone


@lru_cache(maxsize=1)
def load_weights() -> SelectionWeights:
    """The weights that come with the harness."""
    text = resources.files("harness.tools").joinpath(WEIGHTS_FILE).read_text("utf-8")
    return SelectionWeights.model_validate_json(text)


class ToolSelector:
    """Scores tools for a message: by a classifier those it knows, by similarity the others."""

    def __init__(
        self,
        embedder: CachedEmbedder,
        specs: Sequence[ToolSpec],
        *,
        probe: _probe.Probe | None = None,
        weights: SelectionWeights | None = None,
    ) -> None:
        """Select among tools.

        Args:
            embedder: makes the vectors.
            specs: of the tools.
            probe: another classifier than the packaged one.
            weights: others than the packaged ones.
        """
        self._embedder = embedder
        self._specs = list(specs)
        self._probe = probe or _probe.load()
        self._weights = weights or load_weights()
        # A tool of the same name may be another one: only its own description tells.
        fitted = dict(zip(self._probe.names, self._probe.descriptions, strict=True))
        places = {name: i for i, name in enumerate(self._probe.names)}
        usable = embedder.name == self._probe.embedder
        self._places = np.array(
            [
                places[spec.name] if usable and fitted.get(spec.name) == spec.description else -1
                for spec in self._specs
            ],
            np.int64,
        )
        self._others = [spec for spec, place in zip(specs, self._places, strict=True) if place < 0]
        self._index: SimilarityIndex | None = None
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Embed what is compared with; done at the first selection otherwise."""
        async with self._preparing:
            if self._index is None:
                self._index = await SimilarityIndex.of(self._others, self._embedder)

    async def update(self, specs: Sequence[ToolSpec]) -> None:
        """Select among other tools from now on.

        Args:
            specs: of all the tools there are now.
        """
        fresh = ToolSelector(self._embedder, specs, probe=self._probe, weights=self._weights)
        await fresh.prepare()
        self._specs, self._places = fresh._specs, fresh._places
        self._others, self._index = fresh._others, fresh._index

    async def select(self, text: str, k: int) -> Selection:
        """The tools to offer for a message.

        Args:
            text: the message.
            k: at most so many.
        """
        if not self._specs or not text.strip():
            return Selection(candidates=[], needed=False, scores={}, why="nothing to choose from")
        await self.prepare()
        parts = message_parts(text)
        vectors = await self._embedder.aembed(parts)
        # A message may ask for several things, or for one among much else.
        odds = np.max([self.log_odds(*each) for each in zip(parts, vectors, strict=True)], axis=0)
        return self._choose(odds, k)

    def log_odds(self, text: str, vector: Floats) -> Floats:
        """Log-odds of each tool against none for a text, float32 [tools]."""
        assert self._index is not None
        classes, request = self._probe.scores(text, vector)
        odds = np.empty(len(self._specs), np.float32)
        known = self._places >= 0
        probe = self._weights.probe
        odds[known] = probe.scale * classes[self._places[known]] + probe.bias
        if self._others:
            signals = self._index.signals(text, vector)
            shown = _weighted(self._weights.shown, signals, request)
            described = _weighted(self._weights.described, signals, request)
            odds[~known] = np.where(self._index.has_examples, shown, described)
        return odds

    def _choose(self, odds: Floats, k: int) -> Selection:
        order = np.argsort(-odds, kind="stable")
        best = float(odds[order[0]])
        chance = _probability(best)
        scores = {
            self._specs[i].name: round(_probability(float(odds[i])), 4) for i in order[:MOST_SCORES]
        }
        needed = chance >= NEEDED_FROM
        offered = [i for i in order[:k] if odds[i] >= best - MARGIN] if needed else []
        name = self._specs[order[0]].name
        verdict = "offered" if needed else "not offered"
        return Selection(
            candidates=[
                Candidate(name=self._specs[i].name, score=_probability(float(odds[i])))
                for i in offered
            ],
            needed=needed,
            scores=scores,
            why=f"{name} serves better than no tool with probability {chance:.2f}: {verdict}",
        )


def message_parts(text: str) -> list[str]:
    """A message, and each of its sentences when there are several."""
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]
    if len(sentences) < 2:
        return [text]
    # What is asked for stands last more often than first.
    return [text, *sentences[-(MOST_PARTS - 1) :]]


def _weighted(weights: SimilarityWeights, signals: dict[str, Floats], request: float) -> Floats:
    odds = np.full(len(signals["words"]), weights.request * request + weights.bias, np.float32)
    odds += weights.example * signals["example"]
    odds += weights.description * signals["description"]
    odds += weights.words * signals["words"]
    return odds


def _probability(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))
