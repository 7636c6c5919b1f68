"""A document that is valid under a JSON Schema."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError

_MAX_DEPTH = 24
# A branch or value with one of these names ends a conversation's tool use.
_ANSWERING = ("answer", "final", "final_answer", "reply", "respond", "none")


@dataclass(frozen=True)
class Wish:
    """What the document should say where its schema leaves room.

    Args:
        name: a tool to choose; None for an answer without one.
        arguments: the tool's arguments.
        text: the answer's text.
    """

    name: str | None
    arguments: Mapping[str, Any]
    text: str


class DocumentWriter:
    """Writes documents under one schema (the subset that structured outputs use).

    Raises:
        HarnessError: a reference is unknown or the schema recurses without an end.
    """

    def __init__(self, schema: Mapping[str, Any], wish: Wish, rng: random.Random) -> None:
        self._root = schema
        self._wish = wish
        self._rng = rng

    def write(self) -> Any:
        """A document that fulfils the wish as far as the schema lets it."""
        return self._value(self._root, "", 0)

    def _value(self, schema: Mapping[str, Any], key: str, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise HarnessError("the response schema recurses without an end")
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._enum(schema["enum"])
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self._value(self._branch(branches), key, depth + 1)
        write = self._writers().get(self._type(schema))
        return write(schema, key, depth) if write else {}

    def _writers(self) -> dict[str, Callable[[Mapping[str, Any], str, int], Any]]:
        return {
            "object": self._object,
            "array": self._array,
            "string": self._string,
            "integer": lambda schema, _key, _depth: int(self._number(schema, whole=True)),
            "number": lambda schema, _key, _depth: self._number(schema, whole=False),
            "boolean": lambda _schema, _key, _depth: self._rng.random() < 0.5,
            "null": lambda _schema, _key, _depth: None,
        }

    def _type(self, schema: Mapping[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            named = [name for name in kind if name != "null"]
            kind = named[0] if named else "null"
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "any"
        return str(kind)

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        for _ in range(_MAX_DEPTH):
            reference = schema.get("$ref")
            if reference is None:
                break
            schema = {**self._lookup(reference), **{k: v for k, v in schema.items() if k != "$ref"}}
        if "allOf" not in schema:
            return schema
        merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            for name, value in self._resolved(part).items():
                if name == "properties":
                    merged[name] = {**merged.get(name, {}), **value}
                elif name == "required":
                    merged[name] = [*merged.get(name, []), *value]
                else:
                    merged[name] = value
        return merged

    def _lookup(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or part not in found:
                raise HarnessError(f"the response schema has no {reference!r}")
            found = found[part]
        return found if isinstance(found, Mapping) else {}

    def _enum(self, values: list[Any]) -> Any:
        for preferred in (self._wish.name,) if self._wish.name else (None, *_ANSWERING):
            if preferred in values:
                return preferred
        return self._rng.choice(values)

    def _branch(self, branches: list[Mapping[str, Any]]) -> Mapping[str, Any]:
        if self._wish.name:
            wanted = [branch for branch in branches if self._names(branch, (self._wish.name,), 0)]
        else:
            wanted = [branch for branch in branches if self._names(branch, _ANSWERING, 0)]
            wanted = wanted or [branch for branch in branches if branch.get("type") == "null"]
        return wanted[0] if wanted else self._rng.choice(branches)

    def _names(self, schema: Mapping[str, Any], names: tuple[str, ...], depth: int) -> bool:
        """Whether a const, an enum or a property of the branch carries one of the names."""
        if depth > 4:
            return False
        schema = self._resolved(schema)
        if schema.get("const") in names or any(name in schema.get("enum", ()) for name in names):
            return True
        properties = schema.get("properties", {})
        if any(name in properties for name in names):
            return True
        nested = [*properties.values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
        return any(isinstance(part, Mapping) and self._names(part, names, depth + 1)
                   for part in nested)  # fmt: skip

    def _object(self, schema: Mapping[str, Any], key: str, depth: int) -> dict[str, Any]:
        properties: Mapping[str, Any] = schema.get("properties", {})
        wished = self._wish.arguments
        if wished and all(name in properties for name in wished):
            # This is where the tool's arguments go.
            known = dict(wished)
        elif wished and not properties and key in ("arguments", "parameters", "args", "input"):
            return dict(wished)
        else:
            known = {}
        required = schema.get("required", ())
        document = {}
        for name, part in properties.items():
            if name in known:
                document[name] = known[name]
            elif name in required:
                document[name] = self._value(part, name, depth + 1)
        return document

    def _array(self, schema: Mapping[str, Any], key: str, depth: int) -> list[Any]:
        items = schema.get("items", {})
        least = int(schema.get("minItems", 0))
        count = max(least, min(1, int(schema.get("maxItems", 1))))
        return [self._value(items, key, depth + 1) for _ in range(count)]

    def _string(self, schema: Mapping[str, Any], _key: str, _depth: int) -> str:
        text = self._wish.text
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        text = text.ljust(least, ".")
        return text if most is None else text[: int(most)]

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float:
        step = float(schema.get("multipleOf", 1 if whole else 0))
        nudge = step or 0.001
        low = float(schema.get("minimum", schema.get("exclusiveMinimum", -nudge) + nudge))
        high = float(schema.get("maximum", schema.get("exclusiveMaximum", low + 10) - nudge))
        drawn = self._rng.uniform(low, max(low, high))
        if not step:
            return round(drawn, 3) if low <= round(drawn, 3) <= high else drawn
        first = -(-low // step) * step
        return first + max(0, (drawn - first) // step) * step
