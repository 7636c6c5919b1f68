"""A number that must stand in the answer, within a tolerance."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from evals.scorers.outcome import Outcome, Scorer

# A minus belongs to a number unless a word or a bracket ends right before it: "3-5" has no -5.
_NUMBER = re.compile(
    r"((?<![\w)])[-−])?[$€£]?"
    r"(?<![\w.])(\d{1,3}(?:[,\u00a0\u202f]\d{3})+(?!\d)|\d+|(?=\.\d))"
    r"((?:\.\d+)?(?:[eE][-+]?\d+)?)"
)
_BETWEEN_THOUSANDS = re.compile(r"[,\u00a0\u202f]")
SLACK = 1e-9  # relative; of numbers that are equal but for their last bits


class Number(Scorer):
    """1 when a number of the answer is within a tolerance of the wanted one.

    Any number counts, since people and models show their working: give no value that stands in the
    question. Numbers are read as English writes them: 1,234.5.

    Attributes:
        value: what is wanted.
        absolute: how far off it may be.
        relative: how far off it may be, as a share of the value; the wider of the two counts.
    """

    scorer: Literal["number"] = "number"
    value: float = Field(allow_inf_nan=False)
    absolute: float = Field(0.0, ge=0, allow_inf_nan=False)
    relative: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _relative_to_something(self) -> Self:
        if self.relative and not self.value:
            raise ValueError("relative to 0 there is no tolerance; give absolute")
        return self

    def score(self, outcome: Outcome) -> float:
        """1 or 0."""
        return float(any(map(self.accepts, numbers_in(outcome.answer))))

    def accepts(self, number: float) -> bool:
        """Whether a number is near enough."""
        reach = max(self.absolute, max(self.relative, SLACK) * abs(self.value))
        return abs(number - self.value) <= reach


def numbers_in(text: str) -> list[float]:
    """The numbers that stand in a text as digits, in order."""
    found = []
    for sign, whole, rest in _NUMBER.findall(text):
        value = float(_BETWEEN_THOUSANDS.sub("", whole) + rest)
        found.append(-value if sign else value)
    return found
