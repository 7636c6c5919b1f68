import math

import pytest

from evals.metrics.ranking import ranking_scores, ranking_scores_of


def test_two_of_three_found_at_ranks_two_and_seven():
    ranked = ["x1", "a", "x2", "x3", "x4", "x5", "b", "x6", "x7", "x8"]
    scores = ranking_scores(ranked, ["a", "b", "c"])
    gain = 1 / math.log2(3) + 1 / math.log2(8)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert scores["recall@5"] == pytest.approx(1 / 3)
    assert scores["recall@10"] == pytest.approx(2 / 3)
    assert scores["hit@10"] == 1
    assert scores["mrr@10"] == pytest.approx(1 / 2)
    assert scores["ndcg@10"] == pytest.approx(gain / ideal)


def test_nothing_found_scores_zero():
    assert set(ranking_scores(["x", "y"], ["a"]).values()) == {0.0}


def test_a_hit_after_the_tenth_place_does_not_count():
    ranked = [f"x{i}" for i in range(10)] + ["a"]
    assert set(ranking_scores(ranked, ["a"]).values()) == {0.0}


def test_a_query_without_a_ranking_scores_zero():
    scores = ranking_scores_of({"q1": ["a"]}, {"q1": ["a"], "q2": ["b"]})
    assert scores["q1"]["recall@10"] == 1
    assert scores["q2"]["recall@10"] == 0


def test_the_order_of_the_ranking_decides_not_that_of_the_ids():
    assert ranking_scores(["b", "a"], ["b"])["mrr@10"] == 1
    assert ranking_scores(["a", "b"], ["b"])["mrr@10"] == 0.5
