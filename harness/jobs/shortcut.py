"""The way of Inngest's calls to the SDK, past FastAPI's routing.

Routing, dependencies and exit stacks, none of which the SDK's handlers use, are a fifth to a third
of the processor time of a call whose step is empty (`loadtest/README.md` has the figures).
"""

from collections.abc import Awaitable, Callable, Collection

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

Handler = Callable[[Request], Awaitable[Response]]


class Shortcut:
    """ASGI middleware of a FastAPI application: hands requests to the SDK's handlers at once.

    Args:
        app: takes all other requests.
        paths: where `inngest.fast_api.serve` serves functions.
    """

    def __init__(self, app: ASGIApp, paths: Collection[str]) -> None:
        self._app = app
        self._paths = frozenset(paths)
        self._handlers: dict[tuple[str, str], Handler] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["path"] in self._paths:
            handler = self._handler(scope)
            if handler:
                answer = await handler(Request(scope, receive))
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _handler(self, scope: Scope) -> Handler | None:
        method, path = scope["method"], scope["path"]
        found = self._handlers.get((method, path))
        if found is None:
            for route in scope["app"].routes:
                if (
                    isinstance(route, APIRoute)
                    and route.path == path
                    and method in (route.methods or ())
                ):
                    found = self._handlers[method, path] = route.endpoint
        return found
