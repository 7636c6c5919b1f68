"""Where the pages are."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from harness.local.inngest.api import engine_of, signed
from harness.local.inngest.ids import now_ms
from harness.local.inngest.page import _details, _lists
from harness.local.inngest.page._frame import CHANGES, page
from harness.local.inngest.page._markup import Html, tag

LOOK_S = 0.25  # while somebody looks at a page; otherwise nothing runs
# Nothing in a page comes from elsewhere, and no text in it can make it otherwise.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
        " connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
}


async def functions(request: Request) -> Response:
    """`GET /`."""
    engine = engine_of(request)
    unfinished = Counter(run.function_id for run in engine.machine.runs.values())
    skipped = engine.machine.admission.skipped
    return _answer(_lists.functions(engine.journal.reader, unfinished, skipped))


async def runs(request: Request) -> Response:
    """`GET /runs`."""
    return _answer(_lists.runs(engine_of(request).journal.reader, dict(request.query_params)))


async def run(request: Request) -> Response:
    """`GET /runs/{id}`."""
    reader = engine_of(request).journal.reader
    return _found(request, _details.run(reader, request.path_params["id"], now_ms()))


async def events(request: Request) -> Response:
    """`GET /events`."""
    return _answer(_lists.events(engine_of(request).journal.reader, dict(request.query_params)))


async def event(request: Request) -> Response:
    """`GET /events/{id}`, by the internal id or the sender's."""
    reader = engine_of(request).journal.reader
    return _found(request, _details.event(reader, request.path_params["id"]))


async def changes(request: Request) -> Response:
    """`GET /page/changes`: a server-sent event whenever the journal has changed."""
    reader = engine_of(request).journal.reader

    async def told() -> AsyncIterator[str]:
        seen = None
        while not await request.is_disconnected():
            (version,) = reader.execute("PRAGMA data_version").fetchone()
            if version != seen:
                seen = version
                yield "data: changed\n\n"
            await asyncio.sleep(LOOK_S)

    return StreamingResponse(told(), media_type="text/event-stream", headers=_HEADERS)


def _found(request: Request, content: Html | None) -> Response:
    if content is not None:
        return _answer(content)
    words = tag("p", f"There is no {request.path_params['id']} here.")
    return _answer(page("Not found", words), 404)


def _answer(content: Html, status: int = 200) -> Response:
    return HTMLResponse(content, status, headers=_HEADERS)


ROUTES = [
    Route("/", signed(functions), methods=["GET"]),
    Route("/runs", signed(runs), methods=["GET"]),
    Route("/runs/{id}", signed(run), methods=["GET"]),
    Route("/events", signed(events), methods=["GET"]),
    Route("/events/{id:path}", signed(event), methods=["GET"]),
    Route(CHANGES, signed(changes), methods=["GET"]),
]
