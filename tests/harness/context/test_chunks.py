"""A document's pieces: each fits, none is lost, and structure decides where they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.context.chunks import Chunk, chunk

GUIDE = """\
Before everything.

# Guide

Welcome here.

## Setup

- first
- second

```sh
# no heading
run
```

Linux
-----

Only this.

## Use

| a | b |
|---|---|
| 1 | 2 |
"""


def words(most):
    return lambda text: len(text.split()) <= most and len(text) <= 20 * most


def squeezed(text):
    return "".join(text.split())


def texts(chunks):
    return [each.text for each in chunks]


BLOCKS = st.one_of(
    st.text(max_size=60).map(lambda text: text.replace("\r", "\n")),
    st.sampled_from(
        [
            "# One",
            "## Two words",
            "Setext\n===",
            "- a\n- b c d\n  - e\n",
            "1. first\n2. second",
            "```\n# code\n\n\nmore code here\n```",
            "~~~\nnever closed",
            "    indented code",
            "> quoted words here. And more!",
            "[ref]: https://example.org",
            "| a | b |\n|---|---|\n| 1 | 2 |",
            "<div>\nhtml\n</div>",
            "---",
            "---\ntitle: x\n---",
            "One sentence. Two sentences! Three? Four words are these.",
            "averyveryverylongwordwithoutanyplacetocutitatall" * 3,
            "",
        ]
    ),
)
DOCUMENTS = st.lists(BLOCKS, max_size=8).flatmap(
    lambda blocks: st.sampled_from(["\n", "\n\n"]).map(lambda between: between.join(blocks))
)
SIZES = st.integers(1, 12)


@given(DOCUMENTS, SIZES, st.booleans())
def test_nothing_is_lost_and_nothing_is_said_twice(text, most, markdown):
    chunks = chunk(text, words(most), markdown=markdown)
    assert squeezed("".join(texts(chunks))) == squeezed(text)


@given(DOCUMENTS, SIZES, st.booleans())
def test_every_chunk_fits_and_says_something(text, most, markdown):
    fits = words(most)
    for each in chunk(text, fits, markdown=markdown):
        assert fits(each.text)
        assert each.text.strip()


@given(DOCUMENTS, SIZES, st.booleans())
def test_chunks_are_numbered_and_come_out_the_same_again(text, most, markdown):
    chunks = chunk(text, words(most), markdown=markdown)
    assert [each.number for each in chunks] == list(range(len(chunks)))
    assert chunk(text, words(most), markdown=markdown) == chunks


@given(st.lists(st.sampled_from(["a b", "c. d e", "f"]), min_size=1, max_size=9), SIZES)
def test_what_is_added_at_the_end_leaves_the_chunks_before_the_last_alone(paragraphs, most):
    text = "\n\n".join(paragraphs)
    before = chunk(text, words(most), markdown=False)
    after = chunk(f"{text}\n\nmore", words(most), markdown=False)
    assert after[: len(before) - 1] == before[:-1]


def test_sections_are_apart_and_know_their_headings():
    assert chunk(GUIDE, words(100), markdown=True) == [
        Chunk("Before everything.", (), 0),
        Chunk("# Guide\n\nWelcome here.", ("Guide",), 1),
        Chunk(
            "## Setup\n\n- first\n- second\n\n```sh\n# no heading\nrun\n```",
            ("Guide", "Setup"),
            2,
        ),
        Chunk("Linux\n-----\n\nOnly this.", ("Guide", "Linux"), 3),
        Chunk("## Use\n\n| a | b |\n|---|---|\n| 1 | 2 |", ("Guide", "Use"), 4),
    ]


def test_headings_stay_with_what_follows_them():
    chunks = chunk("# One\n\n## Two\n\nText.", words(9), markdown=True)
    assert chunks == [Chunk("# One\n\n## Two\n\nText.", ("One", "Two"), 0)]


@pytest.mark.parametrize(
    "block", ["- a b\n- c d\n- e f", "```\na b\n\nc d\n```", "a b\nc d\ne f", "> a b\n>\n> c d e"]
)
def test_a_block_is_whole_where_it_fits(block):
    chunks = chunk(f"one two three four\n\n{block}\n\nfive six", words(9), markdown=True)
    assert [block in text for text in texts(chunks)].count(True) == 1


def test_a_list_that_does_not_fit_is_cut_at_its_items():
    text = "- one two\n  three\n- four\n  - five six\n- seven eight nine ten"
    chunks = chunk(text, words(5), markdown=True)
    assert texts(chunks) == [
        "- one two\n  three",
        "- four\n  - five six",
        "- seven eight nine ten",
    ]


def test_a_paragraph_that_does_not_fit_is_cut_at_its_sentences():
    chunks = chunk("One two\nthree. Four five! Six seven eight.", words(5), markdown=True)
    assert texts(chunks) == ["One two\nthree. Four five!", "Six seven eight."]


def test_code_that_does_not_fit_is_cut_at_its_lines():
    chunks = chunk("```\na b. c d\ne f\n```", words(5), markdown=True)
    assert texts(chunks) == ["```\na b. c d", "e f\n```"]


def test_a_word_that_does_not_fit_is_cut_all_the_same():
    chunks = chunk("x" * 50, words(1), markdown=False)
    assert texts(chunks) == ["x" * 20, "x" * 20, "x" * 10]


def test_front_matter_is_no_heading():
    chunks = chunk("---\ntitle: Kites\n---\n\n# Kites\n\nFly.", words(50), markdown=True)
    assert [each.headings for each in chunks] == [(), ("Kites",)]


def test_plain_text_has_no_headings():
    chunks = chunk("# no heading\n\ntext", words(50), markdown=False)
    assert chunks == [Chunk("# no heading\n\ntext", (), 0)]


@pytest.mark.parametrize("text", ["", "  \n\n\t\n"])
@pytest.mark.parametrize("markdown", [True, False])
def test_a_blank_document_has_no_chunks(text, markdown):
    assert chunk(text, words(5), markdown=markdown) == []
