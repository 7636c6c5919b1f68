"""Bootstrap intervals and paired comparisons, seeded and vectorised.

A resample is a row of counts: how often it drew each sample. A statistic is a function of those
counts, so that means, ratios, quantiles and calibration errors share one bootstrap. Samples that
share a cause, such as one conversation, are drawn, and have their signs flipped, together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
Test = Literal["McNemar", "permutation"]
RESAMPLES = 2000
PERMUTATIONS = 10_000
EXACT_UNITS = 16  # up to so many, all 2**16 arrangements are fewer than are worth sampling
LEVEL = 0.95
POWER = 0.8
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
    """B less A over the same samples: difference, interval, two-sided p and how many moved.

    `detectable` is the smallest true difference that so many samples, as spread as these, would
    show at the 5 % level four times in five; NaN where nothing moved.
    """

    difference: Interval
    p: float
    test: Test
    detectable: float
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
    member = _members(clusters)
    groups = int(member.max()) + 1
    draws = rng.integers(0, groups, size=(resamples, groups))
    return np.ascontiguousarray(_tally(draws, groups)[:, member])


def _members(clusters: Sequence[object]) -> npt.NDArray[np.int64]:
    """The number of each sample's cluster, counted from 0."""
    _, member = np.unique(np.asarray([str(label) for label in clusters]), return_inverse=True)
    return np.asarray(member, np.int64)


def _sums(values: Floats, clusters: Sequence[object] | None) -> Floats:
    """The sum of each cluster's values; the values themselves where samples stand alone."""
    if clusters is None:
        return values
    return np.asarray(np.bincount(_members(clusters), weights=values), np.float64)


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
    """A statistic of `n` samples with its 95 % expanded percentile interval.

    Percentiles are taken further out by as much as Student's t is wider than the normal, without
    which intervals over a dozen units are too narrow.

    Args:
        n: number of samples.
        statistic: maps counts of shape (resamples, n) to values of shape (resamples,); NaN where a
            resample does not define it (a precision without predictions).
        resamples: how many resamples the interval rests on.
        seed: of the resampling; the same seed gives the same interval.
        clusters: see `draw_counts`.

    Sources: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; the
    expansion: Hesterberg, What Teachers Should Know About the Bootstrap (2015), section 4.3.
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
    tail = _expanded_tail(n if clusters is None else int(_members(clusters).max()) + 1)
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(value, float(low), float(high), n)


def _expanded_tail(units: int) -> float:
    """The share of resamples to leave out on each side, of a bootstrap over so many units."""
    if units < 2:
        return 0.0
    student = stats.t.ppf((1 - LEVEL) / 2, units - 1)
    return float(stats.norm.cdf(student * np.sqrt(units / (units - 1))))


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


def share_interval(
    shares: npt.ArrayLike, *, seed: int = SEED, clusters: Sequence[object] | None = None
) -> Interval:
    """The mean of one share a sample, each from 0 to 1, with its 95 % interval.

    Where all are 0, or all are 1, no resample differs, and a bootstrap would claim certainty after
    three samples: the interval's open end is then the exact one of so many equal outcomes.

    Source: Clopper and Pearson, The Use of Confidence or Fiducial Limits, Biometrika 26 (1934).
    """
    found = mean_interval(shares, seed=seed, clusters=clusters)
    if found.value not in (0.0, 1.0):  # which the value of no samples, NaN, is not either
        return found
    units = found.n if clusters is None else int(_members(clusters).max()) + 1
    least = ((1 - LEVEL) / 2) ** (1 / units)
    low, high = (least, 1.0) if found.value else (0.0, 1 - least)
    return Interval(found.value, low, high, found.n)


def compare_paired(
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    *,
    seed: int = SEED,
    clusters: Sequence[object] | None = None,
) -> Comparison:
    """Compare two runs over the same samples, in the same order.

    The p-value is McNemar's exact test when every value is 0 or 1 and samples stand alone, and
    else a sign-flip permutation test of the mean difference.

    Args:
        before: one value a sample of run A.
        after: one value a sample of run B.
        seed: of both resamplings.
        clusters: see `draw_counts`; concerns interval, test and detectable difference.

    Raises:
        ValueError: the runs differ in length or are empty.
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    if a.shape != b.shape or a.ndim != 1 or not len(a):
        raise ValueError(f"paired runs need the same samples, at least one: {a.shape}, {b.shape}")
    moved = b - a
    wins, losses = int((moved > 0).sum()), int((moved < 0).sum())
    binary = bool(np.isin(np.concatenate([a, b]), (0.0, 1.0)).all())
    test: Test = "McNemar" if binary and clusters is None else "permutation"
    return Comparison(
        mean_interval(moved, seed=seed, clusters=clusters),
        mcnemar_p(wins, losses)
        if test == "McNemar"
        else sign_flip_p(moved, seed=seed, clusters=clusters),
        test,
        detectable_difference(moved, clusters=clusters),
        wins,
        len(moved) - wins - losses,
        losses,
    )


def mcnemar_p(wins: int, losses: int) -> float:
    """Two-sided exact McNemar test on the discordant pairs.

    Source: McNemar, Psychometrika 12 (1947); exact form: a binomial test at 1/2.
    """
    if wins + losses == 0:
        return 1.0
    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue)


def sign_flip_p(
    differences: npt.ArrayLike,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = SEED,
    clusters: Sequence[object] | None = None,
) -> float:
    """Two-sided p of a mean difference of 0, by flipping the signs of paired differences.

    Exact where few units moved; else the observed arrangement is counted as one of those drawn, so
    that p is never 0.

    Args:
        differences: one value a sample, B less A.
        permutations: how many arrangements are drawn where there are too many to try all.
        seed: of the drawing.
        clusters: see `draw_counts`; the signs of a cluster are flipped together.

    Sources: Fisher, The Design of Experiments (1935), section 21; Phipson and Smyth, Statistical
    Applications in Genetics and Molecular Biology 9 (2010).
    """
    moved = _sums(np.asarray(differences, np.float64), clusters)
    moved = moved[moved != 0]  # what stays when its sign is flipped changes no arrangement's rank
    least = abs(moved.sum()) - 1e-9 * np.abs(moved).sum()
    if len(moved) <= EXACT_UNITS:
        arrangements = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        return float((np.abs((2.0 * arrangements - 1) @ moved) >= least).mean())
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // len(moved))
    extreme = 0
    for start in range(0, permutations, block):
        rows = min(block, permutations - start)
        flipped = rng.integers(0, 2, size=(rows, len(moved)), dtype=np.int8).astype(np.float64)
        extreme += int((np.abs(2 * (flipped @ moved) - moved.sum()) >= least).sum())
    return (extreme + 1) / (permutations + 1)


def standard_error(values: npt.ArrayLike, *, clusters: Sequence[object] | None = None) -> float:
    """The standard error of a mean of one value a sample; NaN for a single unit.

    Source: the linearised variance of a cluster sample's mean, Cochran, Sampling Techniques (1977),
    section 9A.1.
    """
    column = np.asarray(values, np.float64)
    away = _sums(column - column.mean(), clusters)
    units = len(away)
    if units < 2:
        return float("nan")
    return float(np.sqrt(units / (units - 1) * (away**2).sum()) / len(column))


def detectable_difference(
    differences: npt.ArrayLike, *, clusters: Sequence[object] | None = None
) -> float:
    """The smallest true difference that this design shows at the 5 % level with 80 % power.

    Args:
        differences: one value a sample, B less A; their spread is what decides.
        clusters: see `draw_counts`.

    Source: Bloom, Minimum Detectable Effects, Evaluation Review 19 (1995).
    """
    error = standard_error(differences, clusters=clusters)
    if not error > 0:
        return float("nan")
    units = len(np.asarray(differences)) if clusters is None else len(set(map(str, clusters)))
    multiple = stats.t.ppf((1 + LEVEL) / 2, units - 1) + stats.t.ppf(POWER, units - 1)
    return float(multiple * error)


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
