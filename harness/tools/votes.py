"""What requests that were served before say of a new one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from harness.tools._similarity import Pool
from harness.tools._softmax import fit_softmax

Floats = NDArray[np.float32]
LEAST = 3  # exemplars of a tool that the probe judges; with fewer it is worse than similarity
# The next four were chosen on MetaTool's tuning split; the README has what each does.
TRUST = 0.8  # in the probe's log-odds
MOST_AGAINST = 3.0  # log-odds that the probe may have against a tool: it has seen little of it
# So many votes halve what a tool's description counts: what it did serve says more.
HALVED_BY = 4.0
PENALTY = 0.1  # of a weight's square, against one exemplar's loss
PASSES = 20  # over the exemplars; more gain nothing
FEWEST_PASSES = 5
# Exemplars times tools that all passes may come to: what a deployment with very many costs is
# bounded, by a fit that stops earlier.
WORK = 25_000_000


class VoteProbe:
    """Logistic regression of tools on the embeddings of the requests that they served."""

    def __init__(self, tools: list[str], weights: Floats, biases: Floats) -> None:
        self.tools = tools
        self._weights = weights  # [dimensions, tools]
        self._biases = biases

    @classmethod
    def fit(cls, pools: Sequence[Pool]) -> "VoteProbe | None":
        """Fit on the requests of all pools; None while fewer than two tools have enough."""
        pools = [pool for pool in pools if pool.tools]
        tools = [tool for pool in pools for tool in pool.tools]
        names, numbers = np.unique(np.array(tools, dtype=str), return_inverse=True)
        starts = np.cumsum([0, *(len(pool.tools) for pool in pools)])
        owners = np.concatenate(
            [numbers[start + pool.owners] for start, pool in zip(starts, pools, strict=False)]
            or [np.empty(0, np.int64)]
        )
        counts = np.bincount(owners, minlength=len(names))
        enough = counts >= LEAST
        if enough.sum() < 2:
            return None
        vectors = np.concatenate([pool.vectors for pool in pools])
        kept = enough[owners]
        _, owners = np.unique(owners[kept], return_inverse=True)
        tools = names[enough].tolist()
        passes = int(np.clip(WORK // (len(owners) * len(tools)), FEWEST_PASSES, PASSES))
        weights = fit_softmax(
            vectors[kept], owners, len(tools), penalty=PENALTY, passes=passes
        ).astype(np.float32)
        return cls(tools, weights[:, :-1].T, weights[:, -1])

    def log_odds(self, vectors: Floats) -> Floats:
        """Of each tool against a guess among those that the probe knows, float32 [texts, tools].

        So a tool that it does not know is worth a guess, 0: the surer it is of one, the less.
        """
        scores = vectors @ self._weights + self._biases
        scores -= logsumexp(scores, axis=1, keepdims=True)
        return np.asarray(scores + math.log(len(self.tools)), np.float32)


@dataclass(frozen=True)
class Votes:
    """Pools of served requests, and the probe once it is fitted."""

    pools: tuple[Pool, ...] = ()
    probe: VoteProbe | None = None

    def add_nearness(
        self, vectors: Floats, places: Mapping[str, int], near: Floats, counts: Floats
    ) -> None:
        """Add each tool's nearness and number of requests to those of its examples.

        Args:
            vectors: of texts, float32 [texts, dimensions].
            places: each tool's place below; tools that are not there have no vote.
            near: float32 [texts, tools], added to.
            counts: float32 [tools], added to.
        """
        for pool in self.pools:
            chosen, at = _placed(pool.tools, places)
            near[:, at] += pool.nearness(vectors)[:, chosen]
            counts[at] += pool.counts[chosen]

    def add_log_odds(self, vectors: Floats, places: Mapping[str, int], odds: Floats) -> None:
        """Add the probe's log-odds, as far as they are to be trusted.

        Args:
            vectors: of texts, float32 [texts, dimensions]; one alone is added to every row.
            places: each tool's place below; tools that are not there have no vote.
            odds: float32 [texts, tools], added to.
        """
        if self.probe is not None:
            chosen, at = _placed(self.probe.tools, places)
            says = np.maximum(self.probe.log_odds(vectors)[:, chosen], -MOST_AGAINST)
            odds[:, at] += TRUST * says


def _placed(
    tools: Sequence[str], places: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    found = [(i, places[tool]) for i, tool in enumerate(tools) if tool in places]
    both = np.array(found, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]
