"""What requests that were served before say of a new one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.tools._similarity import Pool

Floats = NDArray[np.float32]
LEAST = 3  # exemplars of a tool that the probe judges; with fewer it is worse than similarity
# Measured on MetaTool's exemplars: the probe's log-odds are far too sure of themselves.
TRUST = 0.05
# What is believed of the classes before any exemplar, in exemplars: one that sits at the mean of
# all, and a spread in each dimension such as requests for one tool have (a mean cosine of 0.4).
PRIOR_MEAN = 1.0
PRIOR_SPREAD = 1000.0
SPREAD = 0.6


class VoteProbe:
    """A linear discriminant of tools with one covariance for all (Fisher 1936), in closed form.

    It is fitted in milliseconds, so it may be fitted anew whenever an exemplar comes.
    """

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
        weights, biases = _discriminant(vectors[kept], owners, counts[enough])
        return cls(names[enough].tolist(), weights, biases)

    def log_odds(self, vectors: Floats) -> Floats:
        """Of each tool against the mean of all requests, float32 [texts, tools]."""
        return vectors @ self._weights + self._biases


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
        """Add the probe's log-odds, as far as they are to be trusted, to float32 [texts, tools]."""
        if self.probe is not None:
            chosen, at = _placed(self.probe.tools, places)
            odds[:, at] += TRUST * self.probe.log_odds(vectors)[:, chosen]


def _placed(
    tools: Sequence[str], places: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    found = [(i, places[tool]) for i, tool in enumerate(tools) if tool in places]
    both = np.array(found, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _discriminant(
    vectors: Floats, owners: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    dimensions = vectors.shape[1]
    centre = vectors.mean(0)
    sums = np.zeros((len(counts), dimensions), np.float32)
    np.add.at(sums, owners, vectors)
    apart = vectors - (sums / counts[:, None])[owners]
    scatter = apart.T @ apart + PRIOR_SPREAD * SPREAD / dimensions * np.eye(dimensions)
    spread = scatter / (len(vectors) - len(counts) + PRIOR_SPREAD)
    means = (sums + PRIOR_MEAN * centre) / (counts + PRIOR_MEAN)[:, None]
    weights = np.linalg.solve(spread, (means - centre).T)
    biases = -0.5 * ((means + centre).T * weights).sum(0)
    return weights.astype(np.float32), biases.astype(np.float32)
