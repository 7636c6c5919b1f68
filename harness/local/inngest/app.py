"""The engine as an ASGI application."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from harness.local.inngest import api, control, graphql, inspection, page
from harness.local.inngest.engine import Engine, Options
from harness.local.inngest.journal import JournalError

log = logging.getLogger(__name__)

# The writer thread must get the interpreter soon after the loop gives it work.
_SWITCH_INTERVAL_S = 0.0005


def create_app(
    options: Options, stop: Callable[[JournalError], None] = lambda error: None
) -> Starlette:
    """The engine's application; it starts and stops with the application's lifespan.

    Args:
        options: where its database is and how it runs.
        stop: called when the journal broke: the process must end, nothing is accepted any more.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        engine = Engine(options, stop)
        app.state.engine = engine
        engine.resume()
        try:
            yield
        finally:
            await asyncio.shield(engine.close())

    return Starlette(
        routes=[
            Route("/health", _health, methods=["GET"]),
            *api.ROUTES,
            *inspection.ROUTES,
            *control.ROUTES,
            *graphql.ROUTES,
            *page.ROUTES,
        ],
        lifespan=lifespan,
    )


async def _health(request: Request) -> Response:
    return api.reply({"status": 200, "message": "OK"})
