import contextlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.chat.errors import ApiError, ErrorCode
from harness.chat.validate import clean_text

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


def refused(text: str, max_bytes: int = 64 * 1024) -> ErrorCode:
    with pytest.raises(ApiError) as refusal:
        clean_text(text, max_bytes)
    return refusal.value.code


def kept(text: str, max_bytes: int = 64 * 1024) -> str | None:
    with contextlib.suppress(ApiError):
        return clean_text(text, max_bytes)
    return None


@given(ANY_TEXT)
def test_cleaned_text_is_normal_printable_and_stays_as_it_is(text):
    cleaned = kept(text)
    if cleaned is None:
        return
    assert unicodedata.is_normalized("NFC", cleaned)
    assert not [c for c in cleaned if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    assert cleaned == cleaned.strip() != ""
    assert clean_text(cleaned, 64 * 1024) == cleaned


@given(ANY_TEXT, st.integers(1, 300))
def test_what_is_kept_never_exceeds_the_limit(text, max_bytes):
    cleaned = kept(text, max_bytes)
    if cleaned is None:
        return
    assert len(cleaned.encode()) <= max_bytes


def test_line_ends_become_newlines_and_tabs_stay():
    assert clean_text("a\r\nb\rc\td", 100) == "a\nb\nc\td"


def test_control_characters_are_removed():
    assert clean_text("a\x00b\x1b[31mc\x7f\x9f", 100) == "ab[31mc"


def test_letters_are_composed():
    assert clean_text("cafe\u0301", 100) == "café"


def test_markup_is_text():
    assert clean_text("<b>1 < 2</b>", 100) == "<b>1 < 2</b>"


def test_the_limit_counts_bytes():
    assert clean_text("é" * 50, 100) == "é" * 50
    assert refused("é" * 51, 100) is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("text", ["", "  \n\t", "\x00\x01", "\u2028"], ids=ascii)
def test_text_of_nothing_is_refused(text):
    assert refused(text) is ErrorCode.EMPTY_TEXT


def test_half_of_a_surrogate_pair_is_refused():
    assert refused("a\ud83d") is ErrorCode.INVALID_REQUEST
