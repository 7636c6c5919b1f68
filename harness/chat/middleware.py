"""What every request passes: an id of its own, and a limit on its body."""

import asyncio
import re
import secrets
from contextlib import suppress

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from harness.chat.answers import error_response
from harness.chat.errors import ApiError, ErrorCode

_DISCARD_BYTES = 4 * 1024 * 1024
_DISCARD_S = 2.0
_GIVEN = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """ASGI middleware: takes the caller's X-Request-ID or makes one, and answers it.

    Args:
        app: the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request under its id."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given if _GIVEN.fullmatch(given) else secrets.token_hex(8).encode()

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                message = {**message, "headers": [*headers, (b"x-request-id", request_id)]}
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id.decode()):
            await self._app(scope, receive, labelled)


class BodyLimit:
    """ASGI middleware that stops reading a request once its body passes a limit.

    Args:
        app: the application.
        max_bytes: the largest body that is read.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, reading no more of it than the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await self._refuse(receive, send)
            return
        await self._read_within(scope, receive, send)

    async def _read_within(self, scope: Scope, receive: Receive, send: Send) -> None:
        read, answering = 0, False

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > self._max_bytes:
                    raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        try:
            await self._app(scope, limited, noted)
        except _TooLarge:
            if answering:
                raise
            await self._refuse(receive, send)

    async def _refuse(self, receive: Receive, send: Send) -> None:
        response = error_response(
            ApiError(
                ErrorCode.TOO_LARGE,
                f"the body has more than {self._max_bytes} bytes",
                "send a shorter text",
                # What is left of the body would be read as the next request.
                {"Connection": "close"},
            )
        )
        await send(
            {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": response.raw_headers,
            }
        )
        body = {"type": "http.response.body", "body": response.body}
        await send({**body, "more_body": True})
        await _discard(receive)
        await send({**body, "body": b""})


async def _discard(receive: Receive) -> None:
    """Throw away what is still coming, within bounds.

    A connection closed on a sender in the middle is reset, and the answer lost with it.
    """
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_DISCARD_S):
            while discarded < _DISCARD_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


class _TooLarge(BaseException):
    """Not an Exception: the framework would answer it as a malformed body."""
