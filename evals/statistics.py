"""Bootstrap intervals and paired comparisons, seeded and vectorised.

A resample is a row of counts: how often it drew each sample. A statistic is a function of those
counts, so that means, ratios, quantiles and calibration errors share one bootstrap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
RESAMPLES = 2000
PERMUTATIONS = 10_000
LEVEL = 0.95
SEED = 20_240_229
_BLOCK = 4_000_000  # counts held in memory at once: 32 MB


@dataclass(frozen=True)
class Interval:
    """A statistic of `n` samples with its 95 % interval; all NaN when there is no sample."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Comparison:
    """B less A over the same samples: difference, interval, two-sided p and how many moved."""

    difference: Interval
    p: float
    wins: int
    ties: int
    losses: int


def draw_counts(
    n: int, resamples: int, rng: np.random.Generator, clusters: Sequence[object] | None = None
) -> Floats:
    """Counts of bootstrap resamples: float array of shape (resamples, n).

    Args:
        n: number of samples.
        resamples: number of rows.
        rng: the source of randomness.
        clusters: one label a sample; samples of a cluster are then drawn together, which is right
            where they share a cause, such as one conversation.
    """
    if clusters is None:
        draws = rng.integers(0, n, size=(resamples, n))
        return _tally(draws, n)
    _, member = np.unique(np.asarray([str(label) for label in clusters]), return_inverse=True)
    groups = int(member.max()) + 1
    draws = rng.integers(0, groups, size=(resamples, groups))
    return np.ascontiguousarray(_tally(draws, groups)[:, member])


def _tally(draws: npt.NDArray[np.int64], n: int) -> Floats:
    rows = np.arange(len(draws))[:, None] * n
    flat = np.bincount((draws + rows).ravel(), minlength=len(draws) * n)
    return flat.reshape(len(draws), n).astype(np.float64)


def bootstrap(
    n: int,
    statistic: Statistic,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    clusters: Sequence[object] | None = None,
) -> Interval:
    """A statistic of `n` samples with its 95 % percentile interval.

    Args:
        n: number of samples.
        statistic: maps counts of shape (resamples, n) to values of shape (resamples,); NaN where a
            resample does not define it (a precision without predictions).
        resamples: how many resamples the interval rests on.
        seed: of the resampling; the same seed gives the same interval.
        clusters: see `draw_counts`.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    value = float(statistic(np.ones((1, n)))[0])
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // n)
    drawn: list[Floats] = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn.append(statistic(draw_counts(n, rows, rng, clusters)))
    values = np.concatenate(drawn)
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(value, float("nan"), float("nan"), n)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def mean_statistic(values: npt.ArrayLike) -> Statistic:
    """The mean of one value a sample."""
    column = np.asarray(values, np.float64)
    return lambda counts: counts @ column / counts.sum(axis=1)


def ratio_statistic(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Statistic:
    """The sum of one column over the sum of another; NaN where the latter is 0."""
    top, bottom = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)

    def ratio(counts: Floats) -> Floats:
        below = counts @ bottom
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(below > 0, (counts @ top) / below, np.nan)

    return ratio


def quantile_statistic(values: npt.ArrayLike, q: float) -> Statistic:
    """The smallest value that at least a share `q` of the samples does not exceed."""
    column = np.asarray(values, np.float64)
    order = np.argsort(column, kind="stable")

    def quantile(counts: Floats) -> Floats:
        reached = np.cumsum(counts[:, order], axis=1)
        # The tolerance keeps 0.95 x 20 = 19.000000000000004 from asking for the 20th of 20.
        wanted = q * reached[:, -1:] * (1 - 1e-12)
        chosen: Floats = column[order[np.argmax(reached >= wanted, axis=1)]]
        return chosen

    return quantile


def mean_interval(
    values: npt.ArrayLike, *, seed: int = SEED, clusters: Sequence[object] | None = None
) -> Interval:
    """The mean of one value a sample with its 95 % bootstrap interval."""
    column = np.asarray(values, np.float64)
    return bootstrap(len(column), mean_statistic(column), seed=seed, clusters=clusters)


def compare_paired(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    seed: int = SEED,
    clusters: Sequence[object] | None = None,
) -> Comparison:
    """Compare two runs over the same samples, in the same order.

    The p-value is McNemar's exact test when every value is 0 or 1, and else a sign-flip
    permutation test of the mean difference.

    Args:
        before: one value a sample of run A.
        after: one value a sample of run B.
        seed: of both resamplings.
        clusters: see `draw_counts`; concerns the interval.

    Raises:
        ValueError: the runs differ in length or are empty.
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"paired runs need the same samples, at least one: {a.shape}, {b.shape}")
    moved = b - a
    wins, losses = int((moved > 0).sum()), int((moved < 0).sum())
    binary = bool(np.isin(np.concatenate([a, b]), (0.0, 1.0)).all())
    p = mcnemar_p(wins, losses) if binary else sign_flip_p(moved, seed=seed)
    difference = mean_interval(moved, seed=seed, clusters=clusters)
    return Comparison(difference, p, wins, len(moved) - wins - losses, losses)


def mcnemar_p(wins: int, losses: int) -> float:
    """Two-sided exact McNemar test on the discordant pairs.

    Source: McNemar, Psychometrika 12 (1947); exact form: a binomial test at 1/2.
    """
    if wins + losses == 0:
        return 1.0
    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue)


def sign_flip_p(
    differences: npt.ArrayLike, *, permutations: int = PERMUTATIONS, seed: int = SEED
) -> float:
    """Two-sided p of a mean difference of 0, by flipping the signs of paired differences.

    Source: Fisher's randomization test; the observed arrangement is counted as one of them, so
    that p is never 0 (Phipson and Smyth, 2010).
    """
    moved = np.asarray(differences, np.float64)
    observed = abs(moved.sum())
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(1, len(moved)))
    extreme = 0
    for start in range(0, permutations, block):
        rows = min(block, permutations - start)
        signs = rng.integers(0, 2, size=(rows, len(moved))) * 2.0 - 1.0
        extreme += int((np.abs(signs @ moved) >= observed * (1 - 1e-12)).sum())
    return (extreme + 1) / (permutations + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of several p-values, in their order.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
