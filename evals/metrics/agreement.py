"""How far two raters agree on yes and no."""

import numpy as np
import numpy.typing as npt

from evals.statistics import Floats, Statistic, mean_statistic


def agreement(first: npt.ArrayLike, second: npt.ArrayLike) -> Statistic:
    """The share of samples on which both say the same.

    Args:
        first: 0/1 a sample, by one rater; NaN where it said nothing, which agrees with neither.
        second: 0/1 a sample, by the other.
    """
    return mean_statistic(np.asarray(first, np.float64) == np.asarray(second, np.float64))


def cohen_kappa(first: npt.ArrayLike, second: npt.ArrayLike) -> Statistic:
    """Agreement beyond chance: 0 where it is what chance gives to such shares, 1 where whole.

    NaN where both raters say one and the same thing of all samples.

    Args:
        first: 0/1 a sample, by one rater.
        second: 0/1 a sample, by the other.

    Source: Cohen, A coefficient of agreement for nominal scales (1960).
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    both = (one == two).astype(np.float64)

    def kappa(counts: Floats) -> Floats:
        drawn = counts.sum(axis=1)
        observed, yes_one, yes_two = (counts @ column / drawn for column in (both, one, two))
        chance = yes_one * yes_two + (1 - yes_one) * (1 - yes_two)
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond: Floats = np.where(chance < 1, (observed - chance) / (1 - chance), np.nan)
        return beyond

    return kappa
