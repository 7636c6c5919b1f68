"""What the workspace must hold afterwards."""

from typing import Literal, Self

from pydantic import Field, model_validator

from evals.scorers.outcome import Outcome, Scorer
from evals.scorers.words import holds


class File(Scorer):
    """1 when a file of the workspace holds a phrase, or is not there where it must not be.

    Attributes:
        path: in the workspace, by slashes.
        holds: a phrase of it, compared as by `contains`; None where it need only be there.
        absent: whether it must not be there.
    """

    scorer: Literal["file"] = "file"
    path: str = Field(pattern=r"^[^/.][^/]*(/[^/.][^/]*)+$")
    holds: str | None = Field(None, min_length=1)
    absent: bool = False

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        if self.absent and self.holds is not None:
            raise ValueError("a file that must be absent holds nothing")
        return self

    def score(self, outcome: Outcome) -> float:
        """1 or 0.

        Raises:
            ValueError: the workspace is out of reach.
        """
        if outcome.workspace is None:
            raise ValueError(f"{self.path}: there is no workspace to look into")
        file = outcome.workspace / self.path
        if not file.is_file():
            return float(self.absent)
        if self.holds is None:
            return float(not self.absent)
        return float(holds(file.read_text("utf-8", "replace"), self.holds))
