from collections import Counter

import numpy as np
import pytest

from evals.datasets.loader import load_conversations
from evals.datasets.overlap import shared_stems
from evals.datasets.sessions import sessions_of
from evals.metrics.ranking import ranking_scores
from harness.context.analysis import terms
from harness.context.bm25 import LexicalIndex


@pytest.fixture(scope="module")
def conversations():
    return load_conversations(split="all")


def _shares_words(conversations, question):
    texts = {turn.id: turn.text for turn in conversations.threads[question.thread]}
    return bool(shared_stems(question.text, [texts[i] for i in question.evidence]))


def _first_by_bm25(index, turns, question, k):
    best = np.argsort(-index.score(terms(question.text)), kind="stable")[:k]
    return [turns[number].id for number in best]


def test_at_least_ten_threads_are_long(conversations):
    assert sum(len(turns) >= 200 for turns in conversations.threads.values()) >= 10


def test_at_least_three_test_threads_are_long():
    threads = load_conversations(split="test").threads
    assert sum(len(turns) >= 200 for turns in threads.values()) >= 3


def test_there_are_enough_questions(conversations):
    assert len(conversations.questions) >= 300


def test_the_test_split_alone_has_enough_questions():
    assert len(load_conversations(split="test").questions) >= 66


@pytest.mark.parametrize("split", ["tune", "test"])
def test_half_of_the_questions_share_no_content_word_with_their_evidence(split):
    data = load_conversations(split=split)
    shares = [_shares_words(data, question) for question in data.questions]
    assert 0.5 <= shares.count(False) / len(shares) <= 0.7


def test_splits_share_no_thread():
    tune, test = load_conversations(split="tune"), load_conversations(split="test")
    assert not set(tune.threads) & set(test.threads)


def test_all_is_both_splits(conversations):
    tune, test = load_conversations(split="tune"), load_conversations(split="test")
    assert {q.id for q in conversations.questions} == {
        q.id for part in (tune, test) for q in part.questions
    }


def test_a_thread_has_several_sittings_over_weeks(conversations):
    for turns in conversations.threads.values():
        assert sessions_of(turns)[-1] >= 5
        assert turns[-1].sent_at - turns[0].sent_at > 21 * 24 * 3600 * 1000


def test_times_of_a_thread_only_grow(conversations):
    for turns in conversations.threads.values():
        times = [turn.sent_at for turn in turns]
        assert times == sorted(set(times))


def test_every_category_is_asked_about(conversations):
    counted = Counter(question.category for question in conversations.questions)
    assert set(counted) == {"single", "multi", "temporal", "preference", "update"}


def test_only_multi_questions_need_several_messages_among_single_and_multi(conversations):
    for question in conversations.questions:
        if question.category in ("single", "multi"):
            assert (len(question.evidence) > 1) == (question.category == "multi"), question.id


def test_no_message_is_said_twice_at_length(conversations):
    for turns in conversations.threads.values():
        long = [turn.text for turn in turns if len(turn.text) > 25]
        assert len(long) == len(set(long))


def test_words_alone_leave_much_of_the_evidence_unfound(conversations):
    recalls = []
    for thread, turns in conversations.threads.items():
        index = LexicalIndex()
        for turn in turns:
            index.add(terms(turn.text))
        recalls += [
            ranking_scores(_first_by_bm25(index, turns, question, 5), question.evidence)["recall@5"]
            for question in conversations.questions
            if question.thread == thread
        ]
    assert len(recalls) == len(conversations.questions)
    assert np.mean(recalls) < 0.6


def test_ids_count_the_messages_of_a_thread(conversations):
    for thread, turns in conversations.threads.items():
        assert [turn.id for turn in turns] == [
            f"{thread}-{number:03d}" for number in range(1, len(turns) + 1)
        ]
