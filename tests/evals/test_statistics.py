import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evals.statistics import (
    bootstrap,
    compare_paired,
    draw_counts,
    holm,
    mcnemar_p,
    mean_interval,
    quantile_statistic,
    ratio_statistic,
    sign_flip_p,
)

values = st.lists(st.floats(0, 1), min_size=2, max_size=40)


@settings(max_examples=30, deadline=None)
@given(values)
def test_a_mean_lies_within_its_interval_and_the_interval_within_the_data(column):
    interval = mean_interval(column)
    assert min(column) - 1e-9 <= interval.low <= interval.high <= max(column) + 1e-9
    assert interval.low - 1e-9 <= interval.value <= interval.high + 1e-9 or len(set(column)) > 1
    assert interval.value == pytest.approx(np.mean(column))


@settings(max_examples=20, deadline=None)
@given(values)
def test_one_seed_gives_one_interval(column):
    assert mean_interval(column, seed=3) == mean_interval(column, seed=3)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 20))
def test_a_resample_draws_as_many_as_there_are(n, resamples):
    counts = draw_counts(n, resamples, np.random.default_rng(0))
    assert counts.shape == (resamples, n)
    assert (counts.sum(axis=1) == n).all()


def test_samples_of_a_cluster_are_drawn_together():
    counts = draw_counts(6, 50, np.random.default_rng(0), ["a", "a", "b", "b", "b", "c"])
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts[:, 2] == counts[:, 3]).all()
    assert (counts[:, 0] != counts[:, 5]).any()


def test_clusters_widen_the_interval_of_values_they_share():
    column = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0, 0.0], 20)
    clusters = np.repeat(np.arange(6), 20).tolist()
    alone, together = mean_interval(column), mean_interval(column, clusters=clusters)
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_the_interval_agrees_with_scipys_percentile_bootstrap():
    column = np.random.default_rng(1).gamma(2.0, size=80)
    theirs = stats.bootstrap(
        (column,), np.mean, n_resamples=5000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    ours = mean_interval(column)
    assert ours.low == pytest.approx(theirs.low, abs=0.03)
    assert ours.high == pytest.approx(theirs.high, abs=0.03)


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        interval = mean_interval((rng.random(60) < 0.7).astype(float))
        covered += interval.low <= 0.7 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_no_samples_have_no_value():
    interval = mean_interval([])
    assert math.isnan(interval.value)
    assert interval.n == 0


def test_the_median_of_resamples_is_one_of_the_values():
    column = [1.0, 5.0, 9.0, 20.0]
    interval = bootstrap(4, quantile_statistic(column, 0.5))
    assert interval.value == 5.0
    assert interval.low in column
    assert interval.high in column


@pytest.mark.parametrize(("q", "expected"), [(0.5, 10.0), (0.95, 19.0), (1.0, 20.0)])
def test_quantiles_of_twenty_values(q, expected):
    assert bootstrap(20, quantile_statistic(np.arange(1.0, 21.0), q)).value == expected


def test_a_ratio_over_nothing_is_undefined_but_does_not_spoil_the_interval():
    interval = bootstrap(3, ratio_statistic([1, 0, 0], [1, 0, 0]))
    assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)


def test_wins_ties_and_losses_are_counted():
    result = compare_paired([0.2, 0.5, 0.9, 0.4], [0.3, 0.5, 0.1, 0.8])
    assert (result.wins, result.ties, result.losses) == (2, 1, 1)
    assert result.difference.value == pytest.approx(-0.075)


def test_a_run_compared_with_itself_differs_in_nothing():
    result = compare_paired([0.0, 1.0, 0.5], [0.0, 1.0, 0.5])
    assert result.p == 1
    assert (result.difference.low, result.difference.high) == (0, 0)


def test_a_clear_improvement_is_significant_and_its_interval_excludes_zero():
    rng = np.random.default_rng(0)
    before = rng.random(60) * 0.5
    result = compare_paired(before, before + 0.1 + rng.random(60) * 0.1)
    assert result.p < 0.001
    assert result.difference.low > 0


def test_zeros_and_ones_are_compared_by_mcnemars_test():
    before = [0.0] * 12 + [1.0] * 8
    after = [1.0] * 9 + [0.0] * 3 + [1.0] * 6 + [0.0] * 2
    assert compare_paired(before, after).p == pytest.approx(mcnemar_p(9, 2))


def test_mcnemars_exact_p_of_a_worked_example():
    # 2 against 9 discordant pairs: 2 * (1 + 11 + 55) / 2**11.
    assert mcnemar_p(9, 2) == pytest.approx(2 * 67 / 2048)


def test_the_permutation_p_agrees_with_all_arrangements():
    moved = np.array([0.3, -0.1, 0.4, 0.2, 0.05, 0.6])
    signs = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    exact = (np.abs(signs @ moved) >= moved.sum() - 1e-12).mean()
    assert sign_flip_p(moved) == pytest.approx(exact, abs=0.01)


def test_runs_of_different_samples_cannot_be_paired():
    with pytest.raises(ValueError, match="same samples"):
        compare_paired([1.0], [1.0, 0.0])


def test_holms_adjustment_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
