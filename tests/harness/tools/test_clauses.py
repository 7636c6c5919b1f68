import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tools._clauses import MOST_CLAUSES, MOST_SENTENCES, goes_on, parts_of


def test_one_clause_is_looked_at_whole():
    assert parts_of("Just this one").texts == ["Just this one"]


def test_a_message_is_looked_at_whole_by_sentence_and_by_clause():
    text = "Check the mail, then call Ann. Water the roses and pay the bill!"
    parts = parts_of(text)
    assert parts.texts[: parts.sentences] == [
        text,
        "Check the mail, then call Ann.",
        "Water the roses and pay the bill!",
    ]
    assert parts.texts[parts.sentences :] == [
        "Check the mail",
        "call Ann.",
        "Water the roses",
        "pay the bill!",
    ]


def test_the_last_sentences_count():
    parts = parts_of(" ".join(f"Do S{i}." for i in range(50)))
    assert parts.texts[-1] == "Do S49."
    assert parts.sentences == 1 + MOST_SENTENCES


@given(st.text())
def test_any_text_has_itself_as_its_first_part_and_not_too_many_others(text):
    parts = parts_of(text)
    assert parts.texts[0] == text
    assert 1 <= parts.sentences <= 1 + MOST_SENTENCES
    assert len(parts.texts) <= parts.sentences + MOST_CLAUSES


@pytest.mark.parametrize(
    "text", ["and in Tokyo?", "do it again", "What about the other one?", "same for Oslo please"]
)
def test_what_leaves_its_request_to_the_message_before_goes_on(text):
    assert goes_on(text)


@pytest.mark.parametrize(
    "text",
    ["Thanks, that was all.", "What time is it in Oslo?", "and " * 30, ""],
)
def test_what_stands_for_itself_does_not(text):
    assert not goes_on(text)
