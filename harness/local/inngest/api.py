"""What SDKs speak to: events, registration, and a large run's state."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from harness.local.inngest import signing
from harness.local.inngest.config import ConfigError
from harness.local.inngest.engine import Engine
from harness.local.inngest.executor import steps_of
from harness.local.inngest.intake import EventError, parse_events
from harness.local.inngest.journal import JournalError
from harness.local.inngest.syncing import SyncError

MAX_REQUEST_BYTES = 16 * 1024 * 1024

Handler = Callable[[Request], Awaitable[Response]]


class TooLarge(ValueError):
    """A body over the limit."""


def reply(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def engine_of(request: Request) -> Engine:
    """The engine of the application that is asked."""
    found: Engine = request.app.state.engine
    return found


def signed(handler: Handler) -> Handler:
    """Let in only who knows the signing key, where there is one."""

    async def checked(request: Request) -> Response:
        keys = engine_of(request).options.signing_keys
        if keys and not signing.authorized(request.headers.get("authorization"), keys):
            words = "the signing key is wrong or missing: set INNGEST_SIGNING_KEY to the engine's"
            return reply({"error": words}, 401)
        return await handler(request)

    return checked


async def send(request: Request) -> Response:
    """`POST /e/{key}`: accept one event or a list."""
    engine = engine_of(request)
    expected = engine.options.event_key
    if expected and request.path_params["key"] != expected:
        return reply({"error": "the event key is wrong", "ids": [], "status": 401}, 401)
    try:
        payloads = parse_events(await _body(request, MAX_REQUEST_BYTES))
        ids, problem = await engine.receive(
            payloads, request.headers.get("x-inngest-event-id-seed")
        )
    except TooLarge as error:
        return reply({"error": str(error), "ids": [], "status": 413}, 413)
    except EventError as error:
        return reply({"error": str(error), "ids": [], "status": 400}, 400)
    except JournalError as error:
        return reply({"error": str(error), "ids": [], "status": 503}, 503)
    if problem:
        return reply({"error": str(problem), "ids": ids, "status": 400}, 400)
    return reply({"ids": ids, "status": 200})


async def register(request: Request) -> Response:
    """`POST /fn/register`: an app says what functions it has."""
    try:
        body = orjson.loads(await _body(request, MAX_REQUEST_BYTES))
        app_id, url, functions = body["appname"], body["url"], body["functions"]
        sdk = str(body.get("sdk", ""))
    except (ValueError, KeyError, TypeError) as error:
        return reply({"error": f"the registration is malformed: {error!r}", "ok": False}, 400)
    try:
        modified = await engine_of(request).register(app_id, url, sdk, functions)
    except ConfigError as error:
        return reply({"error": str(error), "ok": False}, 400)
    except JournalError as error:
        return reply({"error": str(error), "ok": False}, 503)
    return reply({"ok": True, "modified": modified})


async def sync(request: Request) -> Response:
    """`POST /v1/apps/sync` with `{"url": …}`: make the app at an address register now."""
    try:
        url = str(orjson.loads(await _body(request, MAX_REQUEST_BYTES))["url"])
    except (ValueError, KeyError, TypeError) as error:
        return reply({"error": f"the request needs a url: {error!r}", "ok": False}, 400)
    try:
        await engine_of(request).syncer.sync(url)
    except SyncError as error:
        return reply({"error": str(error), "ok": False}, 502)
    return reply({"ok": True})


async def batch(request: Request) -> Response:
    """`GET /v0/runs/{id}/batch`: the events of a run too large for one request."""
    run = engine_of(request).machine.runs.get(request.path_params["id"])
    if run is None:
        return _unknown(request)
    return reply([orjson.Fragment(run.event.body)])


async def actions(request: Request) -> Response:
    """`GET /v0/runs/{id}/actions`: the finished steps of a run too large for one request."""
    run = engine_of(request).machine.runs.get(request.path_params["id"])
    return _unknown(request) if run is None else reply(steps_of(run.told))


def _unknown(request: Request) -> Response:
    return reply({"error": f"no unfinished run {request.path_params['id']}"}, 404)


async def _body(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise TooLarge(f"the body has {announced} bytes: {limit} are possible")
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > limit:
                raise TooLarge(f"the body has more than {limit} bytes")
    except ClientDisconnect:
        raise EventError("the body broke off") from None
    return bytes(content)


ROUTES = [
    Route("/e/{key}", send, methods=["POST"]),
    Route("/fn/register", signed(register), methods=["POST"]),
    Route("/v1/apps/sync", signed(sync), methods=["POST"]),
    Route("/v0/runs/{id}/batch", signed(batch), methods=["GET"]),
    Route("/v0/runs/{id}/actions", signed(actions), methods=["GET"]),
]
