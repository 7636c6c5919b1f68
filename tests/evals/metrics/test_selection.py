import math

import numpy as np
import pytest

from evals.metrics.selection import (
    abstain_precision,
    abstain_recall,
    ece,
    recall_at,
    reliability,
    top_k_hit,
)

ONCE = np.ones((1, 4))


def test_top_k_looks_no_further_than_k():
    assert top_k_hit(["a", "b", "c"], ["c"], 2) == 0
    assert top_k_hit(["a", "b", "c"], ["c"], 3) == 1


def test_recall_is_the_share_of_wanted_tools():
    assert recall_at(["a", "x", "b"], ["a", "b"], 2) == 0.5


def test_abstention_precision_and_recall():
    abstained, none_needed = [1, 1, 0, 0], [1, 0, 1, 1]
    assert abstain_precision(abstained, none_needed)(ONCE)[0] == 0.5
    assert abstain_recall(abstained, none_needed)(ONCE)[0] == pytest.approx(1 / 3)


def test_precision_of_one_who_never_abstains_is_undefined():
    assert math.isnan(abstain_precision([0, 0, 0, 0], [1, 0, 0, 0])(ONCE)[0])


def test_calibration_error_of_a_worked_example():
    # Two bins: two at 0.95 of which one is right, two at 0.15 of which none is.
    error = ece([0.95, 0.95, 0.15, 0.15], [1, 0, 0, 0])(ONCE)[0]
    assert error == pytest.approx(0.5 * 0.45 + 0.5 * 0.15)


def test_certainty_that_is_always_right_has_no_calibration_error():
    assert ece([1.0] * 4, [1] * 4)(ONCE)[0] == 0


def test_reliability_leaves_out_empty_bins():
    bins = reliability([0.95, 0.95, 0.15, 0.15], [1, 0, 0, 0])
    assert [(b.n, b.accuracy) for b in bins] == [(2, 0.0), (2, 0.5)]
    assert bins[1].confidence == pytest.approx(0.95)
