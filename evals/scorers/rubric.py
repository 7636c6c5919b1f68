"""What a model judges the answer by."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Rubric(BaseModel):
    """A statement that a good answer makes true; see `evals.judging`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scorer: Literal["rubric"] = "rubric"
    rubric: str = Field(min_length=1)
