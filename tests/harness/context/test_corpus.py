import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.context.corpus import NONE, SESSION_GAP_MS, Corpus, Record
from harness.context.retriever import Scope

# Messages of two threads as they may arrive: any order, now and then a long gap before one.
ARRIVALS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12)), unique=True, max_size=20)
GAPS = st.lists(st.booleans(), min_size=13, max_size=13)


def _record(thread, order, sent_at, text="hello"):
    return Record(f"{thread}{order}", text, thread, order, sent_at, "user")


def _times(gaps):
    times, now = [], 0
    for gap in gaps:
        now += SESSION_GAP_MS + 1 if gap else 1000
        times.append(now)
    return times


@given(ARRIVALS, GAPS, st.data())
def test_neighbours_are_those_of_the_conversation_however_messages_arrive(arrivals, gaps, data):
    times = _times(gaps)
    corpus = Corpus()
    for thread, order in arrivals:
        corpus.add([_record(thread, order, times[order])])
        if data.draw(st.booleans()):
            assert len(corpus.sessions) == len(corpus)  # a retrieval between two arrivals
    everyone = np.arange(len(corpus))
    before, after = corpus.neighbours(everyone, -1), corpus.neighbours(everyone, 1)
    for thread, order in arrivals:
        number = corpus.numbers[f"{thread}{order}"]
        earlier = [o for t, o in arrivals if t == thread and o < order]
        expected = NONE
        if earlier and times[order] - times[max(earlier)] <= SESSION_GAP_MS:
            expected = corpus.numbers[f"{thread}{max(earlier)}"]
            assert after[expected] == number
        assert before[number] == expected


@given(ARRIVALS, GAPS)
def test_messages_share_a_session_exactly_if_neighbours_lead_from_one_to_the_other(arrivals, gaps):
    times = _times(gaps)
    corpus = Corpus()
    corpus.add([_record(thread, order, times[order]) for thread, order in arrivals])
    before, sessions = corpus.neighbours(np.arange(len(corpus)), -1), corpus.sessions
    firsts = {}
    for number in range(len(corpus)):
        first = number
        while before[first] != NONE:
            first = before[first]
        firsts.setdefault(int(sessions[number]), set()).add(int(first))
    assert all(len(found) == 1 for found in firsts.values())
    assert len({first for found in firsts.values() for first in found}) == len(firsts)


def test_the_second_neighbour_is_the_neighbours_neighbour():
    corpus = Corpus()
    corpus.add([_record("a", order, order) for order in range(3)])
    everyone = np.arange(3)
    assert corpus.neighbours(everyone, -2).tolist() == [NONE, NONE, 0]
    assert corpus.neighbours(everyone, 2).tolist() == [2, NONE, NONE]
    assert corpus.neighbours(everyone, 0).tolist() == [0, 1, 2]


def test_what_is_added_again_stays_as_it_is():
    corpus = Corpus()
    corpus.add([_record("a", 0, 0, "one"), _record("a", 0, 0, "two")])
    assert [record.text for record in corpus.records] == ["one"]


def test_a_scope_of_an_unknown_thread_lets_nothing_through():
    corpus = Corpus()
    corpus.add([_record("a", 0, 0)])
    assert not corpus.within(Scope(user_id="u", thread_id="b")).any()
