"""Phrases that must, or must not, stand in the answer."""

from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator

from evals.scorers.outcome import Outcome, Scorer
from evals.scorers.words import holds

Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Contains(Scorer):
    """1 when all of some phrases, one of others and none of yet others stand in the answer.

    What counts as standing there is said at `evals.scorers.words.holds`.
    """

    scorer: Literal["contains"] = "contains"
    all: tuple[Phrase, ...] = ()
    any: tuple[Phrase, ...] = ()
    none: tuple[Phrase, ...] = ()

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not (self.all or self.any or self.none):
            raise ValueError("give phrases in all, any or none")
        return self

    def score(self, outcome: Outcome) -> float:
        """1 or 0."""

        def found(phrase: str) -> bool:
            return holds(outcome.answer, phrase)

        wanted = all(map(found, self.all)) and (not self.any or any(map(found, self.any)))
        return float(wanted and not any(map(found, self.none)))
