"""Whether a call's arguments are what its tool takes."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

Check = Callable[[Mapping[str, Any]], dict[str, Any]]
_MOST_PROBLEMS = 8  # that a model is told at once
_PROBLEM_CHARS = 300  # a schema's own words may be long


class WrongArguments(ValueError):
    """What is wrong with arguments, in words for the model that gave them."""


def model_check(model: type[BaseModel]) -> Check:
    """The check against a pydantic model, which also gives the arguments their types."""

    def check(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return dict(model.model_validate(dict(arguments)))
        except ValidationError as error:
            problems = error.errors(include_url=False, include_context=False)
            raise _wrong((problem["loc"], problem["msg"]) for problem in problems) from error

    return check


def schema_check(schema: Mapping[str, Any]) -> Check:
    """The check against a JSON Schema.

    Raises:
        WrongArguments: it is no schema.
    """
    # A tool of this process needs neither, and they cost a worker's start its time.
    from jsonschema import SchemaError
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise WrongArguments(f"it is no JSON Schema: {error.message[:_PROBLEM_CHARS]}") from error
    # Without a registry of its own a validator fetches what a schema refers to.
    validator = kind(schema, registry=Registry())

    def check(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            problems = list(validator.iter_errors(dict(arguments)))
        except Unresolvable as error:
            raise WrongArguments(
                f"its schema refers to {error.ref!r}, which is not in it"
            ) from error
        if problems:
            raise _wrong((problem.absolute_path, problem.message) for problem in problems)
        return dict(arguments)

    return check


def _wrong(problems: Any) -> WrongArguments:
    told = [
        f"{'.'.join(str(part) for part in where) or 'arguments'}: {what[:_PROBLEM_CHARS]}"
        for where, what in problems
    ]
    more = [f"and {len(told) - _MOST_PROBLEMS} more"] if len(told) > _MOST_PROBLEMS else []
    return WrongArguments("; ".join(told[:_MOST_PROBLEMS] + more))
