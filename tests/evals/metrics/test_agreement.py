import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from evals.metrics.agreement import agreement, cohen_kappa


def of_all(statistic, n):
    return float(statistic(np.ones((1, n)))[0])


def ratings(both, first_only, second_only, neither):
    """The two raters' columns of a two-by-two table."""
    table = [(1, 1)] * both + [(1, 0)] * first_only + [(0, 1)] * second_only + [(0, 0)] * neither
    return tuple(zip(*table, strict=True))


@pytest.mark.parametrize(
    ("table", "observed", "kappa"),
    [
        # Viera and Garrett, Understanding Interobserver Agreement: The Kappa Statistic,
        # Family Medicine 37(5), 2005, table 1.
        ((15, 5, 10, 70), 0.85, 0.57),
        # Two readers of 50 grant proposals, en.wikipedia.org/wiki/Cohen's_kappa.
        ((20, 5, 10, 15), 0.7, 0.4),
    ],
)
def test_published_worked_examples(table, observed, kappa):
    first, second = ratings(*table)
    assert of_all(agreement(first, second), sum(table)) == pytest.approx(observed)
    assert of_all(cohen_kappa(first, second), sum(table)) == pytest.approx(kappa, abs=0.005)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs):
    first, second = zip(*pairs, strict=True)
    mine = of_all(cohen_kappa(first, second), len(pairs))
    if len({*first, *second}) < 2:  # undefined, where scikit-learn warns
        assert math.isnan(mine)
    else:
        assert mine == pytest.approx(cohen_kappa_score(first, second), abs=1e-9)


def test_a_rater_who_says_nothing_agrees_with_neither():
    assert of_all(agreement([math.nan, 1], [1, 1]), 2) == 0.5
