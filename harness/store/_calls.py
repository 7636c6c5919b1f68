"""Typed calls of Convex functions, for whoever the connection is authorized as."""

from typing import Any, TypeVar

from harness.store._documents import from_convex, given
from harness.store._http import ConvexHttp

Shape = TypeVar("Shape")


class Calls:
    """What every caller of Convex shares: one function call, one typed answer.

    Args:
        http: the deployment, authorized as the caller.
    """

    def __init__(self, http: ConvexHttp) -> None:
        self._http = http

    async def _ask(self, shape: type[Shape], path: str, arguments: dict[str, Any]) -> Shape:
        return from_convex(shape, await self._http.query(path, given(arguments)), path)

    async def _find(self, shape: type[Shape], path: str, arguments: dict[str, Any]) -> Shape | None:
        value = await self._http.query(path, given(arguments))
        return None if value is None else from_convex(shape, value, path)

    async def _change(
        self, shape: type[Shape], path: str, arguments: dict[str, Any], *, repeatable: bool = True
    ) -> Shape:
        value = await self._http.mutation(path, given(arguments), repeatable=repeatable)
        return from_convex(shape, value, path)

    async def _do(self, path: str, arguments: dict[str, Any], *, repeatable: bool = True) -> None:
        await self._http.mutation(path, given(arguments), repeatable=repeatable)
