import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evals.statistics import (
    bootstrap,
    compare_paired,
    detectable_difference,
    draw_counts,
    holm,
    mcnemar_p,
    mean_interval,
    mean_statistic,
    quantile_statistic,
    ratio_statistic,
    share_interval,
    sign_flip_p,
    standard_error,
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


def test_clustered_intervals_cover_where_intervals_over_samples_do_not():
    rng = np.random.default_rng(6)
    clusters = np.repeat(np.arange(12), 15)
    covered = {"clustered": 0, "alone": 0}
    for _ in range(200):
        # Conversations differ as much as the questions within one.
        column = rng.normal(size=12)[clusters] + rng.normal(size=180)
        for name, labels in (("clustered", clusters.tolist()), ("alone", None)):
            interval = bootstrap(180, mean_statistic(column), resamples=400, clusters=labels)
            covered[name] += interval.low <= 0 <= interval.high
    assert 0.90 <= covered["clustered"] / 200 <= 0.99
    assert covered["alone"] / 200 < 0.6


@pytest.mark.parametrize("n", [1, 3, 12, 400])
def test_shares_that_are_all_alike_leave_as_much_open_as_their_number_does(n):
    exact = stats.binomtest(n, n).proportion_ci(method="exact")
    all_right, none_right = share_interval([1.0] * n), share_interval([0.0] * n)
    assert (all_right.low, all_right.high) == pytest.approx((exact.low, exact.high))
    assert (none_right.low, none_right.high) == pytest.approx((0, 1 - exact.low))


def test_alike_shares_of_one_conversation_count_as_one():
    alone, together = share_interval([1.0] * 6), share_interval([1.0] * 6, clusters=["a"] * 6)
    assert together.low == pytest.approx(0.025)
    assert alone.low > 0.5


def test_other_shares_have_the_interval_of_their_mean():
    column = [1.0, 0.0, 1.0, 0.5]
    assert share_interval(column) == mean_interval(column)
    assert math.isnan(share_interval([]).low)


def test_intervals_of_few_samples_that_are_nearly_always_right_cover_where_a_bootstrap_cannot():
    rng = np.random.default_rng(13)
    covered = {share_interval: 0, mean_interval: 0}
    for _ in range(200):
        column = (rng.random(12) < 0.95).astype(float)
        for interval in covered:
            found = interval(column)
            covered[interval] += found.low <= 0.95 <= found.high
    assert covered[share_interval] / 200 >= 0.9
    assert covered[mean_interval] / 200 < 0.6


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(15), 4).tolist()])
def test_intervals_of_paired_differences_cover_and_their_test_is_wrong_as_rarely_as_it_says(
    clusters,
):
    rng = np.random.default_rng(14)
    covered = rejected = 0
    for _ in range(100):
        before = rng.random(60)
        shift = 0 if clusters is None else rng.normal(size=15)[clusters]
        found = compare_paired(before, before + shift + rng.normal(size=60), clusters=clusters)
        covered += found.difference.low <= 0 <= found.difference.high
        rejected += found.p < 0.05
    assert covered / 100 >= 0.88
    assert rejected / 100 <= 0.12


def test_intervals_of_a_median_cover_it():
    rng = np.random.default_rng(15)
    median = stats.gamma(2.0).median()
    found = [
        bootstrap(80, quantile_statistic(rng.gamma(2.0, size=80), 0.5), resamples=400)
        for _ in range(200)
    ]
    assert sum(each.low <= median <= each.high for each in found) / 200 >= 0.9


def test_the_percentiles_of_few_units_are_taken_as_far_out_as_students_t():
    column = np.random.default_rng(7).normal(size=10)
    interval = bootstrap(10, mean_statistic(column), resamples=20_000)
    half = stats.t.ppf(0.975, 9) * stats.sem(column)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)


def test_repeats_of_a_sample_add_no_certainty_where_they_agree():
    column = np.random.default_rng(8).random(40)
    repeated = mean_interval(np.tile(column, 3), clusters=list(range(40)) * 3)
    once = mean_interval(column, clusters=list(range(40)))
    assert (repeated.low, repeated.high) == pytest.approx((once.low, once.high))


def test_the_standard_error_is_scipys_where_samples_stand_alone():
    column = np.random.default_rng(9).random(50)
    assert standard_error(column) == pytest.approx(stats.sem(column))


def test_the_standard_error_of_equal_clusters_is_that_of_their_means():
    column = np.random.default_rng(10).random(60)
    error = standard_error(column, clusters=np.repeat(np.arange(12), 5).tolist())
    assert error == pytest.approx(stats.sem(column.reshape(12, 5).mean(axis=1)))


def test_the_detectable_difference_of_many_samples_is_blooms_multiple_of_the_error():
    column = np.random.default_rng(11).normal(size=5000)
    assert detectable_difference(column) == pytest.approx(2.80 * stats.sem(column), rel=0.002)


def test_a_difference_that_is_just_detectable_is_detected_four_times_in_five():
    rng = np.random.default_rng(12)
    noise = rng.normal(size=(2000, 25))
    found = stats.ttest_1samp(noise + detectable_difference(noise.ravel()) * np.sqrt(2000), 0, 1)
    assert (found.pvalue < 0.05).mean() == pytest.approx(0.8, abs=0.04)


def test_where_nothing_moved_no_difference_is_said_to_be_detectable():
    assert math.isnan(compare_paired([1.0, 0.0], [1.0, 0.0]).detectable)


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


def test_mcnemars_exact_p_of_agrestis_approval_ratings():
    # Agresti, Categorical Data Analysis: 150 turned away, 86 turned towards; p from statsmodels.
    assert mcnemar_p(86, 150) == pytest.approx(3.7159361395713866e-05)


def test_the_permutation_p_of_darwins_maize_is_fishers():
    # Fisher, The Design of Experiments, section 21: 1,726 of 32,768 arrangements.
    eighths = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
    assert sign_flip_p(eighths) == 1726 / 32768


def test_the_permutation_p_agrees_with_scipys():
    moved = np.random.default_rng(3).normal(0.1, 1, size=200)
    theirs = stats.permutation_test(
        (moved, np.zeros(200)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=20_000,
        rng=np.random.default_rng(4),
    )
    assert sign_flip_p(moved) == pytest.approx(theirs.pvalue, abs=0.015)


def test_signs_within_a_cluster_are_flipped_together():
    moved = [0.2, 0.1, 0.3, 0.2, 0.1, 0.4]
    # All six point one way, but they are two conversations: 2 of 4 arrangements are as extreme.
    assert sign_flip_p(moved, clusters=["a", "a", "a", "b", "b", "b"]) == 0.5
    assert sign_flip_p(moved) == 2 / 64


def test_zeros_and_ones_of_shared_conversations_are_not_compared_as_if_alone():
    result = compare_paired([0.0] * 6, [1.0] * 6, clusters=["a", "a", "a", "b", "b", "b"])
    assert (result.test, result.p) == ("permutation", 0.5)


def test_runs_of_different_samples_cannot_be_paired():
    with pytest.raises(ValueError, match="same samples"):
        compare_paired([1.0], [1.0, 0.0])


def test_holms_adjustment_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holms_adjustment_agrees_with_statsmodels():
    given = [0.001, 0.8, 0.021, 0.02, 0.021, 0.0004, 0.3]
    assert holm(given) == pytest.approx([0.006, 0.8, 0.1, 0.1, 0.1, 0.0028, 0.6])
