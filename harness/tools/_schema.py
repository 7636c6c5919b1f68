"""JSON Schema of arguments, in the plain form that models and grammars read best."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter

# Titles and defaults say nothing to a model, and a grammar counts out a bound on a text's length
# character by character. Arguments are validated against the bounds all the same.
LEFT_OUT = frozenset({"title", "default", "minLength", "maxLength"})


def model_schema(arguments: type[BaseModel]) -> dict[str, Any]:
    """A model's JSON Schema in short; what has a default is optional."""
    schema = arguments.model_json_schema()
    properties = {
        name: {key: value for key, value in field.items() if key not in LEFT_OUT}
        for name, field in schema.get("properties", {}).items()
    }
    plain: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
    if "$defs" in schema:
        plain["$defs"] = schema["$defs"]
    return plain


def result_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a return type, for documentation; empty when it may be anything."""
    return TypeAdapter(kind).json_schema(mode="serialization")


def with_choices(schema: Mapping[str, Any], choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A schema whose named properties may only be one of the given values.

    Args:
        schema: of a tool's arguments.
        choices: the values of each property; one without any stays free.
    """
    properties = {
        name: {**field, "enum": list(choices[name])} if choices.get(name) else field
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": properties}
