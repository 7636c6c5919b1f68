from hypothesis import given
from hypothesis import strategies as st

from harness.context.budget import Budget, cut

COSTS = st.lists(st.integers(1, 200), max_size=12)


class CharacterCounter:
    def count(self, text):
        return len(text)


@given(st.integers(-10, 500), st.lists(st.tuples(COSTS, st.floats(0, 1)), max_size=5))
def test_the_budget_is_never_exceeded(total, sections):
    budget = Budget(total)
    spent = 0
    for i, (costs, share) in enumerate(sections):
        spent += sum(costs[index] for index in budget.take(str(i), costs, share))
    assert spent == sum(budget.taken.values()) <= max(0, total)


@given(st.integers(0, 500), COSTS)
def test_something_is_taken_when_something_fits(total, costs):
    assert bool(Budget(total).take("all", costs)) == any(cost <= total for cost in costs)


@given(st.integers(0, 500), COSTS, st.floats(0, 1))
def test_a_section_stays_within_its_share(total, costs, share):
    budget = Budget(total)
    budget.take("one", costs, share)
    assert budget.taken["one"] <= total * share


def test_an_item_that_does_not_fit_makes_room_for_the_next():
    assert Budget(10).take("all", [4, 20, 6]) == [0, 2]


def test_a_section_may_take_again_what_is_left():
    budget = Budget(10)
    budget.take("history", [5, 5], 0.5)
    assert budget.take("history", [5]) == [0]
    assert budget.left == 0


@given(st.text(max_size=80), st.integers(0, 60))
def test_a_cut_text_fits(text, tokens):
    assert len(cut(text, tokens, CharacterCounter())) <= tokens


@given(st.text(max_size=80), st.integers(0, 100))
def test_a_text_that_fits_is_not_cut(text, tokens):
    if len(text) <= tokens:
        assert cut(text, tokens, CharacterCounter()) == text


def test_a_cut_says_so_in_the_words_given():
    assert cut("one two three", 10, CharacterCounter(), " (cut)") == "one  (cut)"
