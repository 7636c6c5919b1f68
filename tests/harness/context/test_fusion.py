import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.context.fusion import best, min_max, smooth, strength, weigh

FINITE = st.floats(-1e6, 1e6, width=32)
SCORES = arrays(np.float32, st.integers(1, 30), elements=FINITE)
UNKNOWN = arrays(np.float32, st.integers(1, 30), elements=FINITE | st.just(np.float32("nan")))


def _all(scores):
    return np.ones(len(scores), np.bool_)


@given(UNKNOWN)
def test_scaled_scores_are_between_0_and_1(scores):
    scaled = min_max(scores, _all(scores))
    assert ((scaled >= 0) & (scaled <= 1)).all()


@given(UNKNOWN)
def test_scaling_keeps_the_order(scores):
    known = ~np.isnan(scores)
    order = np.argsort(scores[known], kind="stable")
    assert (np.diff(min_max(scores, _all(scores))[known][order]) >= 0).all()


@given(SCORES, st.data())
def test_documents_out_of_scope_decide_nothing(scores, data):
    within = data.draw(arrays(np.bool_, len(scores)))
    changed = np.where(within, scores, scores + np.float32(1e6))
    assert np.array_equal(min_max(scores, within), min_max(changed, within))


def test_scores_that_are_all_the_same_say_nothing():
    assert min_max(np.array([3, 3, 3], np.float32), _all([1, 1, 1])).tolist() == [0, 0, 0]


def _in_sessions(*sessions):
    """The neighbours in conversations of these sessions, such as 0, 0, 1."""

    def neighbours(numbers, offset):
        there = numbers + offset
        inside = (there >= 0) & (there < len(sessions))
        own, other = np.array(sessions)[numbers], np.array(sessions)[np.where(inside, there, 0)]
        return np.where(inside & (own == other), there, -1)

    return neighbours


def test_a_score_is_shared_with_its_neighbours():
    scores = np.array([0, 0, 1, 0, 0], np.float32)
    shared = smooth(scores, _in_sessions(0, 0, 0, 0, 0), {0: 1.0, -1: 0.5, 1: 0.25})
    assert shared.tolist() == [0, 0.25, 1, 0.5, 0]


def test_a_score_stays_within_its_session():
    scores = np.array([0, 1, 0], np.float32)
    shared = smooth(scores, _in_sessions(0, 0, 1), {0: 1.0, -1: 0.5, 1: 0.5})
    assert shared.tolist() == [0.5, 1, 0]


@given(SCORES, st.dictionaries(st.integers(-40, 40), st.floats(0, 1, width=16), max_size=5))
def test_every_document_takes_of_each_neighbour_what_the_kernel_says(scores, kernel):
    scores = np.clip(scores, -1e3, 1e3)
    shared = smooth(scores, _in_sessions(*[0] * len(scores)), kernel)
    padded = np.pad(scores.astype(np.float64), 40)
    expected = [
        sum(weight * padded[40 + i + offset] for offset, weight in kernel.items())
        for i in range(len(scores))
    ]
    assert np.allclose(shared, expected, atol=1e-2)


def test_a_signal_without_weight_counts_nothing():
    signals = {"a": np.array([1, 0], np.float32), "b": np.array([0, 9], np.float32)}
    assert weigh(signals, {"a": 2.0}).tolist() == [2, 0]


@given(SCORES, st.integers(1, 40), st.data())
def test_the_best_are_the_k_highest_in_scope(scores, k, data):
    within = data.draw(arrays(np.bool_, len(scores)))
    chosen = best(scores, within, k)
    assert len(chosen) == min(k, within.sum())
    assert len(set(chosen)) == len(chosen)
    left = [i for i in np.flatnonzero(within) if i not in chosen]
    assert all(scores[i] <= scores[j] for i in left for j in chosen)
    assert (np.diff(scores[list(chosen)]) <= 0).all()


def test_of_equal_scores_the_later_document_wins():
    assert list(best(np.zeros(3, np.float32), _all([1, 1, 1]), 2)) == [2, 1]


def test_a_signal_is_as_strong_as_its_best_score_is_full():
    scores = np.array([1, 2], np.float32)
    assert strength(scores, _all(scores), full=8) == 0.25
    assert strength(scores, _all(scores), full=1) == 1


def test_a_signal_without_anything_to_find_has_no_strength():
    assert strength(np.zeros(2, np.float32), _all([1, 1]), full=0) == 0


@given(SCORES, st.data(), st.floats(0, 1e6))
def test_strength_is_between_0_and_1(scores, data, full):
    within = data.draw(arrays(np.bool_, len(scores)))
    assert 0 <= strength(np.abs(scores), within, full) <= 1
