from harness.context.analysis import date_words, terms, words


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
