import pytest

from harness.context.analysis import asks_for_time, date_words, names_time, terms, words


def test_function_and_question_words_are_left_out():
    assert terms("What did you say about the boat?") == ["boat"]


def test_forms_of_a_word_are_one_term():
    assert terms("painting painted paints") == ["paint"] * 3


def test_accents_and_case_do_not_matter():
    assert words("Café ÜBER") == words("cafe uber")


def test_a_text_of_function_words_alone_keeps_them():
    assert terms("Who are you?") != []


def test_a_day_is_written_out():
    assert date_words(1_683_504_000_000) == "Monday 8 May 2023"


@pytest.mark.parametrize(
    "text", ["We left last Friday", "on the 3rd", "It was 2025", "at 8:40", "two weeks ago"]
)
def test_a_text_that_names_a_time_is_known(text):
    assert names_time(text)


@pytest.mark.parametrize("text", ["We left", "room 12", "the mayor's dayroom", ""])
def test_a_text_without_a_time_names_none(text):
    assert not names_time(text)


@pytest.mark.parametrize(
    ("query", "asks"),
    [("When did we leave?", True), ("Which day was it?", True), ("Whenever was it?", False)],
)
def test_a_question_for_a_time_is_known(query, asks):
    assert asks_for_time(query) is asks
