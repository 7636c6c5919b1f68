import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scorers.words import bare, holds, normalised


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("Without a trace of WALNUTS.", "walnut", True),
        ("a goat", "oat", False),
        ("It is 120.", "12", False),
        ("It is 12.", "12", True),
        ("on  the\nninth", "on the ninth", True),
        ("It’s “here”", "it's", True),
        ("Sat 7:00–14:30", "7:00-14:30", True),
        ("reduced", "red", True),
        ("hundred", "red", False),
    ],
)
def test_a_phrase_begins_at_a_word_and_digits_end_it(text, phrase, found):
    assert holds(text, phrase) is found


@given(st.text(), st.text())
def test_a_text_holds_itself_whatever_stands_around_it(text, around):
    if normalised(text):
        assert holds(f"{around} {text} {around}", text)


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize("text", ["Yes", " yes. ", "**Yes!**", '"Yes"', "`YES`"])
def test_emphasis_quotes_and_a_full_stop_make_no_other_text(text):
    assert bare(text) == "yes"
