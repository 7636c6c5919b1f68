"""The one place where Convex's documents become the domain's types."""

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from harness.store.errors import StoreError

Shape = TypeVar("Shape")


@lru_cache(maxsize=128)
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def from_convex(shape: type[Shape], value: Any, path: str) -> Shape:
    """Read a Convex value as one of the domain's types.

    Args:
        shape: the type, or a list or page of it.
        value: what the function answered; numbers are floats.
        path: the function's name, for the error.

    Raises:
        StoreError: `INTERNAL` when the functions and this code disagree.
    """
    try:
        result: Shape = _adapter(cast(Hashable, shape)).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "a value"
        raise StoreError("INTERNAL", f"{path} answered {where}: {first['msg']}") from error
    return result


def to_convex(value: BaseModel) -> dict[str, Any]:
    """Write one of the domain's types as a Convex object; what is None is left out."""
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


def given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what is None: an optional argument of a function is absent, never null."""
    return {name: value for name, value in arguments.items() if value is not None}
