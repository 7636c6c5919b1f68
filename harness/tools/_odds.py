"""Log-odds that a tool serves a text better than none does."""

from collections.abc import Sequence
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from harness.tools._clauses import Parts
from harness.tools._probe import Probe
from harness.tools._similarity import TAU, SimilarityIndex
from harness.tools.registry import ToolSpec
from harness.tools.votes import HALVED_BY, Votes

Floats = NDArray[np.float32]
WEIGHTS_FILE = "selection.json"
# An exemplar this near (cosine) is of the same request, so it speaks for its tool also where the
# packaged classifier knows better than similarity.
SAME = 0.7


class SimilarityWeights(BaseModel):
    """Log-odds of a tool from its nearness to a text."""

    example: float
    description: float
    words: float
    bias: float


class ProbeWeights(BaseModel):
    """Log-odds of a tool from the classifier's."""

    scale: float
    bias: float


class SelectionWeights(BaseModel):
    """What calibration/fit.py fits; a tool is judged by the first three that can be.

    Attributes:
        version: of this file.
        probe: of a tool that the classifier was fitted on.
        shown: of one with examples or exemplars.
        described: of one with a description alone.
        request: how much it counts that a text looks like a request at all.
        size: how much the logarithm of the number of tools counts against each: the more there
            are, the nearer the nearest is by chance.
        need: how much all the tools' odds together count against none. Below 1, as many tools
            that resemble each other speak for one need: a nested logit (McFadden 1978).
    """

    version: int
    probe: ProbeWeights
    shown: SimilarityWeights
    described: SimilarityWeights
    request: float
    size: float
    need: float


@lru_cache(maxsize=1)
def load_weights() -> SelectionWeights:
    """The weights that come with the harness."""
    text = resources.files("harness.tools").joinpath(WEIGHTS_FILE).read_text("utf-8")
    return SelectionWeights.model_validate_json(text)


class Catalogue:
    """The tools that are selected among, ready to be compared with; replaced as a whole."""

    def __init__(
        self, specs: Sequence[ToolSpec], index: SimilarityIndex, probe: Probe, *, usable: bool
    ) -> None:
        """Put the tools together.

        Args:
            specs: of the tools.
            index: of the same.
            probe: the packaged classifier.
            usable: whether it was fitted on vectors of the embedder that is used.
        """
        self.names = [spec.name for spec in specs]
        self.index = index
        self._places = {name: place for place, name in enumerate(self.names)}
        self._probe = probe
        self._usable = usable
        # A tool of the same name may be another one: only its own description tells.
        fitted = list(zip(probe.names, probe.descriptions, strict=True)) if usable else []
        numbers = {both: number for number, both in enumerate(fitted)}
        known = [
            (place, numbers[spec.name, spec.description])
            for place, spec in enumerate(specs)
            if (spec.name, spec.description) in numbers
        ]
        self._known, self._classes = np.array(known, np.int64).reshape(-1, 2).T

    def log_odds(
        self, parts: Parts, vectors: Floats, votes: Votes, weights: SelectionWeights
    ) -> Floats:
        """Of each tool against none for each part of a message.

        Args:
            parts: of the message.
            vectors: their embeddings, float32 [parts, dimensions].
            votes: what was served before says.
            weights: of all that counts.

        Returns:
            float32 [parts, tools].
        """
        texts = parts.texts
        signals = self.index.signals(texts, vectors)
        near, counts = signals.near, self.index.counts.copy()
        votes.add_nearness(vectors, self._places, near, counts)
        with np.errstate(divide="ignore"):
            pooled = 1 + TAU * np.log(near / np.maximum(counts, 1))
        has = counts > 0
        shown, described = weights.shown, weights.described
        fading = HALVED_BY / (HALVED_BY + counts - self.index.counts)
        odds = np.where(has, shown.description, described.description) * signals.description
        odds += np.where(has, shown.words, described.words) * signals.words
        odds *= fading
        odds += np.where(has, shown.example * pooled + shown.bias, described.bias)
        odds -= weights.size * np.log(len(self.names))
        if self._usable:
            classes, requests = self._probe.scores(texts, vectors)
            # A message asks by any of its sentences, and asks for what another one of them says.
            requests[: parts.sentences] = requests[: parts.sentences].max()
            odds += weights.request * requests[:, None]
            served = np.maximum(pooled[:, self._known] - SAME, 0)
            known = weights.probe.scale * classes[:, self._classes] + weights.probe.bias
            odds[:, self._known] = known + shown.example * served
        # The probe knows whole messages: a sentence that sets the scene it takes for another one.
        votes.add_log_odds(vectors[:1], self._places, odds[: parts.sentences])
        votes.add_log_odds(vectors[parts.sentences :], self._places, odds[parts.sentences :])
        return odds.astype(np.float32, copy=False)
