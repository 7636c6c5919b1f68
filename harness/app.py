"""Puts the parts together: the API with chat's routes, the worker with the Inngest endpoint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from importlib import import_module
from importlib.util import find_spec

import inngest.fast_api
from fastapi import FastAPI, Response
from fastapi.middleware.cors import CORSMiddleware

from harness.chat.answers import answer_errors
from harness.chat.authenticate_user import Authenticator
from harness.chat.feature_flags import ConvexFlagProvider, FeatureFlags
from harness.chat.middleware import BodyLimit, RequestIds
from harness.chat.parts import OldFlow, Parts
from harness.chat.rate_limit import RateLimiter
from harness.chat.routes import ROUTERS
from harness.chat.send_message import Sending
from harness.chat.trigger_inngest_event import EventSender, close_client
from harness.events import MessageSent
from harness.jobs.client import create_client
from harness.jobs.shortcut import Shortcut
from harness.models import Ack
from harness.settings import Settings, get_settings
from harness.store import Store, Subscriber
from harness.telemetry.logs import configure_logs
from harness.telemetry.metrics import exposition

RETRY_S = 1.5  # a sender is told to come back sooner than a job gives up
_JSON_ESCAPE = 6  # bytes that JSON may take for one byte of text: \u0000
_OTHER_FIELDS = 8192
_OLD_FLOW = "harness.chat.inline"
_SERVE_PATH = "/api/inngest"  # the SDK's default


def create_api(settings: Settings) -> FastAPI:
    """The request side: takes messages, and answers about threads and preferences.

    Args:
        settings: of the deployment.

    Raises:
        HarnessError: the settings can't be worked with.
    """
    authenticator = Authenticator.from_settings(settings)
    limiter = RateLimiter(settings.rate_limit, settings.rate_limit_url)
    writes = RateLimiter(settings.rate_limit, settings.rate_limit_url)
    key = settings.convex_deploy_key.get_secret_value() if settings.convex_deploy_key else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as closing:
            store = await closing.enter_async_context(
                Store(settings.convex_url, key, retry_s=RETRY_S)
            )
            subscriber = await closing.enter_async_context(
                Subscriber(settings.convex_url, admin_key=key)
            )
            provider = ConvexFlagProvider()
            following = asyncio.create_task(provider.follow(subscriber), name="feature-flags")
            closing.push_async_callback(_stop, following)
            old_flow = _old_flow(settings)
            if old_flow is not None:
                closing.push_async_callback(old_flow.aclose)
            client = create_client(settings)
            closing.push_async_callback(close_client, client)
            sending = Sending(
                settings=settings,
                store=store,
                limiter=limiter,
                flags=FeatureFlags(provider),
                events=EventSender(client),
                inline=old_flow is not None,
            )
            app.state.parts = Parts(authenticator, sending, writes, old_flow)
            yield

    app = FastAPI(
        title="Harness chat API",
        version="1",
        description="Takes messages for background jobs; answers arrive through Convex.",
        lifespan=lifespan,
    )
    answer_errors(app, [route for router in ROUTERS for route in router.routes])
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "X-Request-ID", "traceparent"],
        expose_headers=["Retry-After", "X-Request-ID"],
    )
    max_bytes = settings.max_text_bytes * _JSON_ESCAPE + _OTHER_FIELDS
    app.add_middleware(BodyLimit, max_bytes=max_bytes)
    app.add_middleware(RequestIds)
    for router in ROUTERS:
        app.include_router(router)
    return app


def create_worker(settings: Settings) -> FastAPI:
    """The job side: serves the Inngest functions at /api/inngest.

    Args:
        settings: of the deployment.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        from harness.jobs import functions
        from harness.services import build_services

        async with await build_services(settings) as services:
            services.selector.start()
            inngest.fast_api.serve(app, services.inngest, functions(services))
            yield
            await close_client(services.inngest)

    app = FastAPI(title="Harness worker", version="1", lifespan=lifespan)
    app.add_middleware(Shortcut, paths=[_SERVE_PATH])

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Answers as long as the process lives; the functions are served by then."""
        return {"status": "ok"}

    @app.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics of this process."""
        body, content_type = exposition()
        return Response(body, media_type=content_type)

    return app


def api() -> FastAPI:
    """The API of the process's environment, for `uvicorn --factory`."""
    return create_api(_configured())


def worker() -> FastAPI:
    """The worker of the process's environment, for `uvicorn --factory`."""
    return create_worker(_configured())


def _configured() -> Settings:
    settings = get_settings()
    configure_logs(settings.log_level, as_json=settings.log_json)
    return settings


def _old_flow(settings: Settings) -> OldFlow | None:
    """The old flow, as long as its module is there: the one place that knows of it."""
    if find_spec(_OLD_FLOW) is None:
        return None
    return _LateOldFlow(settings)


class _LateOldFlow:
    """Imports the old flow at its first message: the model's and the memory's code take seconds."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._flow: OldFlow | None = None

    async def answer(self, ack: Ack, sent: MessageSent) -> AsyncIterator[bytes]:
        if self._flow is None:
            module = await asyncio.to_thread(import_module, _OLD_FLOW)
            self._flow = self._flow or module.InlineFlow(self._settings)
        return await self._flow.answer(ack, sent)

    async def aclose(self) -> None:
        if self._flow is not None:
            await self._flow.aclose()


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
