"""The whole answer is one of some texts."""

from typing import Annotated, Literal

from pydantic import Field

from evals.scorers.outcome import Outcome, Scorer
from evals.scorers.words import bare


class Exact(Scorer):
    """1 when the answer is one of the texts; case, spacing, quotes and a full stop do not count."""

    scorer: Literal["exact"] = "exact"
    texts: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)

    def score(self, outcome: Outcome) -> float:
        """1 or 0."""
        return float(bare(outcome.answer) in {bare(text) for text in self.texts})
