"""A message taken apart: its sentences, its clauses, and whether it goes on from the one before."""

import re
from dataclasses import dataclass

MOST_SENTENCES = 5
MOST_CLAUSES = 8
MOST_WORDS = 12  # of a message that leaves its request to the one before

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE = re.compile(r"(?<=[.!?;])\s+|\n+|,\s+|\s+(?:and then|and|then)\s+", re.IGNORECASE)
_LEADING = re.compile(r"^(?:and|then|also)\s+", re.IGNORECASE)
_GOES_ON = re.compile(
    r"^(?:and|or|now|then|also|next|what about|how about|same)\b"
    r"|\b(?:again|once more|as well|too|instead|likewise)\b[.!?]*$"
    r"|\b(?:do|try|repeat) (?:it|that|this|the same)\b"
    r"|\bthe (?:same|other|next|last|previous) one\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parts:
    """What of a message is judged: `texts` holds the whole first, then sentences, then clauses.

    Attributes:
        texts: the parts; a message of one sentence or one clause has none of the kind.
        sentences: how many of `texts` are the whole or a sentence.
    """

    texts: list[str]
    sentences: int


def parts_of(text: str) -> Parts:
    """A message, its sentences and its clauses, where there are several.

    What is asked for stands last more often than first, so the last ones are kept.
    """
    sentences = _pieces(_SENTENCE, text)[-MOST_SENTENCES:]
    clauses = [piece for piece in _pieces(_CLAUSE, text) if " " in piece][-MOST_CLAUSES:]
    several = sentences if len(sentences) > 1 else []
    if clauses == several or len(clauses) < 2:
        clauses = several
    return Parts([text, *several, *clauses], 1 + len(several))


def goes_on(text: str) -> bool:
    """Whether a message leaves to the one before what it asks for: "and in Tokyo?"."""
    return len(text.split()) <= MOST_WORDS and _GOES_ON.search(text.strip()) is not None


def _pieces(separator: re.Pattern[str], text: str) -> list[str]:
    pieces = [_LEADING.sub("", piece.strip()) for piece in separator.split(text)]
    return [piece for piece in pieces if piece]
