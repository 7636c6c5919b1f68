"""JSON in the answer that must be valid under a schema."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import harness._jsonschema  # noqa: F401  isort: skip  before jsonschema is imported
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import Field, field_validator

from evals.scorers.outcome import Outcome, Scorer


class JsonSchema(Scorer):
    """1 when the first JSON object or array of the answer is valid under the schema.

    It may stand alone, in a code block or in a sentence. The dialect is JSON Schema 2020-12.
    """

    scorer: Literal["json-schema"] = "json-schema"
    json_schema: dict[str, Any] = Field(alias="schema")

    @field_validator("json_schema")
    @classmethod
    def _is_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ValueError(f"no JSON Schema: {error.message}") from None
        return schema

    def score(self, outcome: Outcome) -> float:
        """1 or 0."""
        found = next(json_values(outcome.answer), None)
        if found is None:
            return 0.0
        return float(Draft202012Validator(self.json_schema).is_valid(found))


def json_values(text: str) -> Iterator[dict[str, Any] | list[Any]]:
    """The JSON objects and arrays that stand in a text, in order."""
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at] in "{[":
            try:
                value, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                at += 1
                continue
            yield value
        else:
            at += 1
