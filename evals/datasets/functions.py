"""The functions of a case as tools that a model is offered, checked as any tool's calls are."""

import re
from collections.abc import Mapping
from typing import Any

from evals.datasets.records import CallCase, DatasetError
from evals.metrics.bfcl_checker import language_of
from harness.errors import HarnessError
from harness.models import Effect
from harness.tools.registry import Registry, ToolSpec, schema_tool

NAME_CHARS = 64  # that models take
# BFCL's types in JSON Schema's words, as its own handlers of models translate them.
_TYPES = {
    "integer": "integer", "number": "number", "float": "number", "string": "string",
    "boolean": "boolean", "array": "array", "tuple": "array", "dict": "object",
    "object": "object", "any": "string",
}  # fmt: skip


class OfferedFunctions:
    """What a case offers; nothing of it runs.

    Args:
        case: whose functions they are.

    Attributes:
        registry: knows what arguments each takes.

    Raises:
        DatasetError: a function's parameters are no schema, or two have the same name.
    """

    def __init__(self, case: CallCase) -> None:
        self.registry = Registry()
        self._names: dict[str, str] = {}
        literal = language_of(case) if language_of(case) != "python" else None
        for function in case.functions:
            name = re.sub(r"[^A-Za-z0-9_-]", "_", function["name"])[:NAME_CHARS]
            if name in self._names:
                raise DatasetError(f"case {case.id!r}: two functions are named {name!r}")
            self._names[name] = function["name"]
            spec = ToolSpec(
                name=name,
                description=function["description"],
                parameters=as_schema(_described(function["parameters"], literal)),
                effect=Effect.READ,
            )
            try:
                self.registry.add(schema_tool(spec, _never))
            except HarnessError as error:
                raise DatasetError(f"case {case.id!r}: {error}") from error

    @property
    def specs(self) -> list[ToolSpec]:
        """The tools, in the order of the case."""
        return self.registry.specs()

    def own_name(self, name: str) -> str:
        """What the set calls a tool; a name that no tool has stays as it is."""
        return self._names.get(name, name)


def _never(**_: Any) -> None:
    raise NotImplementedError("the functions of a set are offered and never run")


def as_schema(node: Mapping[str, Any]) -> dict[str, Any]:
    """A description of parameters as JSON Schema; a type that is unknown or missing is a string."""
    kept = {key: value for key, value in node.items() if _has_form(key, value)}
    kept["type"] = _TYPES.get(node.get("type", "any"), "string")
    if "properties" in kept:
        kept["properties"] = {name: as_schema(each) for name, each in kept["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(kept.get(inner), Mapping):
            kept[inner] = as_schema(kept[inner])
    return kept


def _has_form(key: str, value: Any) -> bool:
    """Whether a keyword has the form that JSON Schema gives it; a set may use it in another."""
    forms = {"required": list, "enum": list, "properties": Mapping, "format": str, "pattern": str}
    return isinstance(value, forms.get(key, object)) and key != "optional"


def _described(parameters: Mapping[str, Any], language: str | None) -> Mapping[str, Any]:
    """Parameters as a model is told them: another language's values are written as literals."""
    if language is None:
        return parameters
    written = {}
    for name, field in parameters["properties"].items():
        kind, items = field.get("type", "any"), field.get("items", {}).get("type")
        of = f" of {items}" if items else ""
        description = (
            f"{field.get('description', '')} ({language} {kind}{of}, written as a literal)"
        )
        written[name] = {"type": "string", "description": description}
    return {**parameters, "properties": written}
