"""Texts as scorers compare them: neither case, nor spacing, nor the form of quotes counts."""

import re
import unicodedata

_QUOTES = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "‑": "-", "–": "-"})
_EMPHASIS = re.compile(r"[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")
_EDGES = " \"'.!"


def normalised(text: str) -> str:
    """A text in folded case, with single spaces and plain quotes and hyphens."""
    plain = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    return " ".join(plain.casefold().split())


def bare(text: str) -> str:
    """A normalised text without emphasis, quotes around it and its full stop."""
    return _EMPHASIS.sub("", normalised(text)).strip(_EDGES)


def holds(text: str, phrase: str) -> bool:
    """Whether a phrase stands in a text, both normalised.

    It begins where a word does, so that "oat" is not in "goat"; it may end within a word, so that
    "walnut" is in "walnuts", unless it ends with a digit, so that "12" is not in "120".

    Args:
        text: of any form.
        phrase: what is looked for, not empty.
    """
    wanted = normalised(phrase)
    start = r"(?<!\w)" if wanted[0].isalnum() else ""
    end = r"(?![\d])" if wanted[-1].isdigit() else ""
    return re.search(f"{start}{re.escape(wanted)}{end}", normalised(text)) is not None
