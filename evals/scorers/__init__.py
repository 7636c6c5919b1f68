"""Scorers by name: each a rule with parameters, read from a case's `scores`."""

from typing import Annotated

from pydantic import Field

from evals.scorers.contains import Contains
from evals.scorers.exact import Exact
from evals.scorers.file import File
from evals.scorers.json_schema import JsonSchema
from evals.scorers.number import Number
from evals.scorers.outcome import Outcome, Scorer
from evals.scorers.regex import Regex
from evals.scorers.rubric import Rubric
from evals.scorers.tools import Tools

__all__ = [
    "RULES", "AnyScorer", "Contains", "Exact", "File", "JsonSchema", "Number", "Outcome", "Regex",
    "Rubric", "Scorer", "Tools",
]  # fmt: skip

# By the names that cases and figures use; a rubric, which needs a model, stands apart.
RULES: dict[str, type[Scorer]] = {
    "exact": Exact,
    "contains": Contains,
    "regex": Regex,
    "json-schema": JsonSchema,
    "number": Number,
    "tools": Tools,
    "file": File,
}

AnyScorer = Annotated[
    Exact | Contains | Regex | JsonSchema | Number | Tools | File | Rubric,
    Field(discriminator="scorer"),
]
