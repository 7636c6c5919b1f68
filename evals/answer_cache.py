"""A model's answers, kept by what was asked: measuring again costs neither time nor money.

It stands on the wire, as a server on this machine that passes chat completions on, so that it
serves whoever asks the model: the worker of a stack, an eval, a judge. What is measured stays the
production path, with another address for its model.

    async with AnswerCache(store, upstream_of(spec)) as cache:
        served = settings_at(settings, spec, cache.url)

Only an answer that its model finished is kept. Errors, rate limits and streams that were cut are
passed on and asked for again; no header of a request is kept.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from types import TracebackType
from typing import Any, Self
from weakref import WeakValueDictionary

import httpx
import uvicorn
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from evals.answer_store import (
    AnswerStore,
    EventReader,
    KeptAnswer,
    parsed_object,
    request_key,
    whole_completion,
)
from harness.llm.models import ModelSpec
from harness.local.model import ASSET_PACKAGE
from harness.settings import Settings

Keep = Callable[[KeptAnswer], None]
SALT_HEADER = "x-answer-salt"
TAG_HEADER = "x-answer-tag"
_CACHED_PATH = "/chat/completions"
_EVENTS = "text/event-stream"
_PREFIX = "/v1"
# Of one connection, or the cache's own: passed on in neither direction.
_OWN_HEADERS = {
    "host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive",
    "upgrade", "date", "server", SALT_HEADER, TAG_HEADER,
}  # fmt: skip
_PLACES = {  # of a model's address: the setting and its variable, by who runs the model
    "local": ("local_model_url", "HARNESS_LOCAL_MODEL_URL"),
    "simulated": ("simulated_url", "HARNESS_SIMULATED_URL"),
    "openai-compatible": ("openai_base_url", "OPENAI_BASE_URL"),
}


@dataclass(frozen=True)
class Upstream:
    """The server whose answers are kept.

    Attributes:
        url: its base address, as `OPENAI_BASE_URL` is.
        who: what answers there, which a port that differs from run to run does not change.
        local: whether it is of this machine, and so not behind a proxy of the environment.
    """

    url: str
    who: str
    local: bool


@dataclass(frozen=True)
class Served:
    """One chat completion that went through.

    Attributes:
        tag: what its sender named it by, in the header `x-answer-tag`.
        request: its JSON body.
        cached: whether it was kept, from another run or from earlier in this one.
        first_ms: from the request to the first token when the answer was made.
        duration_ms: from the request to the answer's end when it was made.
    """

    tag: str
    request: dict[str, Any]
    cached: bool
    first_ms: float | None
    duration_ms: float


def upstream_of(spec: ModelSpec) -> Upstream:
    """Where a model is, and what it is known by.

    Args:
        spec: the model. A local one is known by its name and the versions of what runs it.
    """
    who = spec.base_url.rstrip("/")
    if spec.local:
        parts = (spec.provider, spec.model, _version("xllamacpp"), _version(ASSET_PACKAGE))
        who = " ".join(parts)
    return Upstream(spec.base_url.rstrip("/"), who, spec.local)


def settings_at(settings: Settings, spec: ModelSpec, url: str) -> Settings:
    """The settings with a model's address replaced."""
    field, _ = _PLACES[spec.provider]
    return settings.model_copy(update={field: url})


def environment_at(spec: ModelSpec, url: str) -> dict[str, str]:
    """The variable that gives a stack's processes this address for a model."""
    _, variable = _PLACES[spec.provider]
    return {variable: url}


class AnswerCache:
    """A server that passes requests on to a model's and keeps its whole answers.

    Equal requests at the same time are asked once. A request may carry `x-answer-salt`, which
    tells apart answers to what is else the same request, and `x-answer-tag`, for `on_served`.

    Args:
        store: where answers are kept.
        upstream: who is asked.
        on_served: told of each whole chat completion, just before its end is sent.

    Attributes:
        salt: of requests that carry none.
        hits: answers that were kept.
        misses: answers that the model was asked for, whole or not.
    """

    def __init__(
        self,
        store: AnswerStore,
        upstream: Upstream,
        on_served: Callable[[Served], None] | None = None,
    ) -> None:
        self.salt = "0"
        self.hits = self.misses = 0
        self._store = store
        self._upstream = upstream
        self._on_served = on_served
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(
            timeout=None,  # who asks knows how long to wait
            trust_env=not self._upstream.local,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        )
        self._socket = socket.create_server(("127.0.0.1", 0))  # takes connections from here on
        # A stream that its model cuts is cut for who asked, too, which is no news for a log.
        config = uvicorn.Config(self, log_level="critical", lifespan="off")
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.should_exit = self._server.force_exit = True
        await self._serving
        self._socket.close()
        await self._client.aclose()

    @property
    def url(self) -> str:
        """What to give as the model's base address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}{_PREFIX}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as an ASGI application."""
        request = Request(scope, receive)
        body = await request.body()
        path = request.url.path.removeprefix(_PREFIX)
        cacheable = request.method == "POST" and path == _CACHED_PATH
        asked = parsed_object(body) if cacheable else None
        if asked is None:
            await self._pass_on(request, path, body, send)
            return
        salt = request.headers.get(SALT_HEADER, self.salt)
        key = request_key(self._upstream.who, path, asked, salt)
        tag = request.headers.get(TAG_HEADER, "")
        async with self._asking.setdefault(key, asyncio.Lock()):
            kept = self._store.get(key)
            if kept is None:
                self.misses += 1
                keep = partial(self._keep, key, tag, asked)
                await self._pass_on(request, path, body, send, keep)
                return
        self.hits += 1
        self._tell(Served(tag, asked, True, kept.first_ms, kept.duration_ms))
        await Response(kept.body, media_type=kept.content_type)(scope, receive, send)

    def _keep(self, key: str, tag: str, asked: dict[str, Any], answer: KeptAnswer) -> None:
        self._store.put(key, answer)
        self._tell(Served(tag, asked, False, answer.first_ms, answer.duration_ms))

    def _tell(self, served: Served) -> None:
        if self._on_served is not None:
            self._on_served(served)

    async def _pass_on(
        self, request: Request, path: str, body: bytes, send: Send, keep: Keep | None = None
    ) -> None:
        query = f"?{request.url.query}" if request.url.query else ""
        headers = [
            (name, value) for name, value in request.headers.items() if name not in _OWN_HEADERS
        ]
        asking = self._client.stream(
            request.method,
            self._upstream.url + path + query,
            content=body,
            headers=[*headers, ("accept-encoding", "identity")],
        )
        recording = _Recording(keep)
        try:
            async with asking as answer:
                passed = StreamingResponse(recording.follow(answer), answer.status_code)
                passed.raw_headers = [
                    (name.lower(), value)
                    for name, value in answer.headers.raw
                    if name.decode().lower() not in _OWN_HEADERS
                ]
                await passed(request.scope, request.receive, send)
        except httpx.TransportError as error:
            if recording.begun:
                raise  # which cuts the answer here too
            told = {"message": f"the model's server: {type(error).__name__}", "type": "unreachable"}
            await JSONResponse({"error": told}, 502)(request.scope, request.receive, send)


class _Recording:
    """Writes down an answer that is passed on, and hands it over once it is whole.

    Args:
        keep: takes it before its end is passed on; None for an answer of no interest.

    Attributes:
        begun: whether its sender has begun to answer.
    """

    def __init__(self, keep: Keep | None) -> None:
        self.begun = False
        self._keep = keep
        self._started = time.monotonic()
        self._events = EventReader()
        self._first_ms: float | None = None
        self._body = b""

    async def follow(self, answer: httpx.Response) -> AsyncIterator[bytes]:
        """The answer's pieces as they come."""
        self.begun = True
        content_type = answer.headers.get("content-type", "")
        if answer.status_code != httpx.codes.OK:
            self._keep = None
        streamed = content_type.startswith(_EVENTS)
        async for piece in answer.aiter_raw():
            if self._keep is not None:
                self._body += piece
                if streamed:
                    self._feed(piece)
                    if self._events.whole:
                        self._hand_over(content_type)
            yield piece
        if self._keep is not None and not streamed and whole_completion(self._body):
            self._hand_over(content_type)

    def _feed(self, piece: bytes) -> None:
        self._events.feed(piece)
        if self._first_ms is None and self._events.first_token:
            self._first_ms = self._past_ms()

    def _hand_over(self, content_type: str) -> None:
        if self._keep is not None:
            keep, self._keep = self._keep, None
            body = self._body.decode("utf-8", "replace")
            keep(
                KeptAnswer(
                    content_type=content_type,
                    body=body,
                    first_ms=self._first_ms,
                    duration_ms=self._past_ms(),
                )
            )

    def _past_ms(self) -> float:
        return (time.monotonic() - self._started) * 1000


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the command's


def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
