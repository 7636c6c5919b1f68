import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.context.bm25 import LexicalIndex

WORDS = st.lists(st.sampled_from("abcdef"), max_size=12)


def _index(*documents, **settings):
    index = LexicalIndex(**settings)
    for document in documents:
        index.add(document)
    return index


def test_scores_are_those_of_the_formula():
    index = _index(["a", "a", "b"], ["b"], k1=1.2, b=0.75)
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    norm = 1.2 * (1 - 0.75 + 0.75 * 3 / 2)
    assert index.score(["a"]) == pytest.approx([idf * 2 * 2.2 / (2 + norm), 0])


def test_a_rare_word_counts_more_than_a_common_one():
    index = _index(["a", "x"], ["a", "y"], ["a", "z"])
    assert index.score(["x"])[0] > index.score(["a"])[0]


def test_an_empty_index_scores_nothing():
    assert len(LexicalIndex().score(["a"])) == 0


def test_a_group_scores_as_one_long_document():
    grouped = _index(["a", "b"], ["a"], ["c"]).score_groups(["a"], np.array([0, 0, 1]), 1.2, 0.5)
    joined = _index(["a", "b", "a"], ["c"], k1=1.2, b=0.5).score(["a"])
    assert grouped == pytest.approx(joined)


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS)
def test_adding_one_by_one_scores_as_adding_all_at_once(documents, query):
    grown = LexicalIndex()
    for document in documents:
        grown.add(document)
        grown.score(query)
    assert np.array_equal(grown.score(query), _index(*documents).score(query))


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS)
def test_no_score_passes_the_ceiling(documents, query):
    index = _index(*documents)
    assert (index.score(query) <= index.ceiling(query) + 1e-4).all()


@given(st.lists(WORDS, min_size=1, max_size=8), st.sampled_from("abc"))
def test_no_word_adds_more_than_the_rarest(documents, word):
    index = _index(*documents)
    assert (index.score([word]) <= index.rarest + 1e-4).all()


@given(st.lists(WORDS, min_size=1, max_size=8), WORDS)
def test_only_documents_with_a_word_of_the_query_score(documents, query):
    scores = _index(*documents).score(query)
    assert [bool(set(document) & set(query)) for document in documents] == list(scores > 0)
