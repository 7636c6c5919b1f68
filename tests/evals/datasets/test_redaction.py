import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.datasets.redaction import KINDS, Redactor, refuse_region
from harness.errors import HarnessError

PEOPLE = ("Ada Lovelace", "Søren Aabye Kierkegaard")
FOUND = [
    ("email", "ada.l+news@mail.example.co.uk"),
    ("email", "jürgen@beispiel.de"),
    ("url", "https://ada:hunter2@example.com/private?x=1"),
    ("url", "postgres://app:s3cret@db.internal:5432/app"),
    ("url", "https://example.com/reset?lang=de&token=abc"),
    ("key", "sk-proj-abcdefghijklmnop1234"),
    ("key", "ghp_16C7e42F292c6912E7710c838347Ae178B4a"),
    ("key", "AKIAIOSFODNN7EXAMPLE"),
    ("key", "xoxb-2401-2401-abcdefghij"),
    ("key", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
    ("key", "q7Rw2LkZp9XvB4mTn8Ys3Dh6"),
    ("key", "9f86d081884c7d659a2feaa0c55ad015"),
    ("key", "-----BEGIN PRIVATE KEY-----\nMIIB\nVgIB\n-----END PRIVATE KEY-----"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "gb82west12345698765432"),
    ("card", "4111 1111 1111 1111"),
    ("card", "378282246310005"),
    ("phone", "+49 30 901820"),
    ("phone", "+1 (650) 253-0000"),
    ("ip", "203.0.113.7"),
    ("ip", "2001:db8::8a2e:370:7334"),
    ("number", "0171 9284 771"),
    ("number", "AB 12345678"[3:]),
    ("name", "Ada Lovelace"),
    ("name", "ada lovelace"),
    ("name", "Kierkegaard"),
]
PLAIN = [
    "See you on 2026-05-03 at 14:30, or 3.5.2026 perhaps.",
    "Pi is 3.14159265358979, and 12 times 3400 is 40800.",
    "std::vector and http://127.0.0.1:8000/docs?page=2 and ::1",
    "Read evals/datasets/redaction.py before version 2.14.0.",
    "My password is safe, the token ring is not, and @property is a decorator.",
    "The adage of a mermaid: lovely laces.",
    "internationalization-configuration_of_everything",
    "",
]


def redactor(**more):
    return Redactor(PEOPLE, **more)


@pytest.mark.parametrize(("kind", "value"), FOUND)
def test_what_identifies_somebody_is_replaced_by_its_kind(kind, value):
    assert redactor().redact(f"So: {value}, please") == f"So: [{kind}-1], please"


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_dates_and_amounts_stay(text):
    assert redactor().redact(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("password: hunter2!", "password: [key-1]"),
        ("my PIN is 4711", "my PIN is [key-1]"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer [key-1]"),
    ],
)
def test_what_stands_behind_a_word_for_a_secret_goes_and_the_word_stays(text, left):
    assert redactor().redact(text) == left


def test_the_same_thing_has_the_same_name_in_every_text_and_others_another():
    made = redactor(region="DE")
    assert made.redact("ada@x.org or bo@x.org") == "[email-1] or [email-2]"
    assert made.redact("Write to ADA@x.org") == "Write to [email-1]"
    assert made.redact("Ada, not Søren, is Lovelace") == "[name-1], not [name-2], is [name-1]"
    assert made.name("Ada Lovelace") == "[name-1]"
    assert made.redact("030 901820 is +4930901820") == "[phone-1] is [phone-1]"
    assert made.distinct == {"email": 2, "name": 2, "phone": 1}
    assert made.counts["email"] == 3


@pytest.mark.parametrize(("kind", "value"), FOUND)
def test_a_kept_kind_stays_whole(kind, value):
    text = f"So: {value}, please"
    assert redactor(keep=[kind]).redact(text) == text


def test_part_of_a_name_counts_only_where_it_is_written_as_one():
    made = Redactor(["Will Rose"])
    assert made.redact("I will plant a rose, Will.") == "I will plant a rose, [name-1]."


def test_of_two_that_overlap_nothing_stays():
    made = redactor()
    text = made.redact("https://x.example/?key=ada@example.org&c=4111111111111111 thanks")
    assert text == "[url-1] thanks"


def test_an_unknown_region_is_told():
    refuse_region("DE")
    refuse_region(None)
    with pytest.raises(HarnessError, match="'XX' is no country"):
        refuse_region("XX")


WORDS = st.lists(st.sampled_from(["the", "kiln", "is", "hot", "we", ",", ".", "!", "(so)", "\n"]))


@given(st.lists(st.tuples(WORDS, st.sampled_from(FOUND)), max_size=6), WORDS)
def test_nothing_planted_survives_and_the_words_around_it_do(pieces, end):
    text = "".join(f"{' '.join(words)} {value} " for words, (_, value) in pieces) + " ".join(end)
    out = redactor().redact(text)
    for _, (_, value) in pieces:
        assert value not in out
    left = re.sub(r"\[[a-z]+-\d+\]", "", out).split()
    assert left == [word for words, _ in [*pieces, (end, None)] for word in " ".join(words).split()]


@given(
    st.lists(st.one_of(st.text(max_size=30), st.sampled_from([v for _, v in FOUND])), max_size=5)
)
def test_what_was_redacted_once_has_nothing_left_to_redact(pieces):
    once = redactor().redact(" ".join(pieces))
    assert redactor().redact(once) == once


@given(st.text(), st.sets(st.sampled_from(KINDS)))
def test_any_text_can_be_redacted(text, keep):
    redactor(keep=keep, region="US").redact(text)
