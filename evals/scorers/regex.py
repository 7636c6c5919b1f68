"""A regular expression that the answer must match."""

from typing import Literal

import re2
from pydantic import field_validator

from evals.scorers.outcome import Outcome, Scorer


class Regex(Scorer):
    """1 when the pattern is found in the answer.

    The syntax is RE2's, whose time is linear in the text: https://github.com/google/re2/wiki/Syntax
    """

    scorer: Literal["regex"] = "regex"
    pattern: str

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            re2.compile(pattern)
        except re2.error as error:
            raise ValueError(f"{pattern!r} is no RE2 pattern: {error}") from None
        return pattern

    def score(self, outcome: Outcome) -> float:
        """1 or 0."""
        return float(re2.search(self.pattern, outcome.answer) is not None)
