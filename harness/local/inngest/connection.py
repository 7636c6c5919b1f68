"""An HTTP/1.1 connection of a client: one request at a time, its answer in memory.

Read by llhttp (`httptools`) straight from the transport. A general client's streams, middlewares,
cookies and URL objects were half of the engine's processor time.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_HEAD_BYTES = 64 * 1024
_NO_BODY = {204, 304}


class HttpError(Exception):
    """A request that got no whole answer; its text goes on after the address."""


class Unreachable(HttpError):
    """Nothing took the connection, so the request was not made."""


class TimedOut(HttpError):
    """There was no answer in time."""


class TooLarge(HttpError):
    """The answer has more bytes than the caller takes."""


@dataclass(slots=True)
class Response:
    """An answer.

    Attributes:
        headers: by name in small letters; of one that is repeated, the last.
    """

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Connection(asyncio.Protocol):
    """One connection; also takes what the parser finds.

    Args:
        max_bytes: of an answer's body.
        lost: called when it is closed, by whichever side.

    Attributes:
        reusable: whether it can carry another request.
        idle_since: when its last answer was whole, by the loop's clock.
    """

    def __init__(self, max_bytes: int, lost: Callable[["Connection"], None]) -> None:
        self.reusable = False
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._max_bytes = max_bytes
        self._lost = lost
        self._parser = HttpResponseParser(self)
        self._waiting: asyncio.Future[Response] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin()

    def send(self, head: bytes, body: bytes, timeout_s: float) -> "asyncio.Future[Response]":
        """Send a request; its answer, within so many seconds, or an `HttpError`.

        Whoever stops waiting for it must close the connection.
        """
        self._timer = self._loop.call_later(timeout_s, self._expire, timeout_s)
        self._waiting = self._loop.create_future()
        self._transport.writelines((head, body))
        return self._waiting

    def close(self) -> None:
        """Drop the connection, and what is still on its way."""
        self.reusable = False
        if self._timer:
            self._timer.cancel()
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """The app said something."""
        if self._waiting is None:  # nobody asked
            self.close()
            return
        if not self._whole_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(HttpError(f"broke the call off: its answer is no HTTP/1.1 ({error})"))
            self.close()
        if not self._whole_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(
                HttpError(f"broke the call off: more than {MAX_HEAD_BYTES} bytes of headers")
            )

    def eof_received(self) -> None:
        """The app says no more; that is where an answer of unknown length ends."""
        if self._whole_head and not self._framed:
            self.on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self.reusable = False
        reason = f": {exc}" if exc else ""
        self._fail(HttpError(f"broke the call off: the connection was closed{reason}"))
        self._lost(self)

    def on_message_begin(self) -> None:
        """An answer begins; one that follows the answer asked for has no request."""
        if self._waiting is None:
            raise HttpError("an answer without a request")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header was read."""
        self._response.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """The head was read."""
        self._response.status = status = self._parser.get_status_code()
        headers = self._response.headers
        self._framed = (
            "content-length" in headers or "transfer-encoding" in headers or status in _NO_BODY
        )
        self._whole_head = True
        self.reusable = self._framed and self._parser.should_keep_alive()

    def on_body(self, chunk: bytes) -> None:
        """A part of the body was read."""
        self._chunks.append(chunk)
        self._body_bytes += len(chunk)
        if self._body_bytes > self._max_bytes:
            self._fail(TooLarge(f"answered more than {self._max_bytes} bytes"))

    def on_message_complete(self) -> None:
        """An answer was read, or one that only says that more is coming (1xx)."""
        if self._response.status < 200:
            self._begin()
            return
        if self._transport.get_write_buffer_size():
            self.reusable = False  # it answered without reading all of the request
        self.idle_since = self._loop.time()
        response, waiting = self._response, self._end()
        response.body = b"".join(self._chunks)
        self._begin()
        if waiting:
            waiting.set_result(response)

    def _begin(self) -> None:
        self._response = Response()
        self._chunks: list[bytes] = []
        self._head_bytes = self._body_bytes = 0
        self._whole_head = self._framed = False

    def _expire(self, timeout_s: float) -> None:
        self._fail(TimedOut(f"did not answer in {timeout_s:g} s"))

    def _fail(self, error: Exception) -> None:
        waiting = self._end()
        if waiting:
            waiting.set_exception(error)
            self.close()

    def _end(self) -> "asyncio.Future[Response] | None":
        """Stop waiting; who waited, where somebody still did."""
        waiting, self._waiting = self._waiting, None
        if self._timer:
            self._timer.cancel()
        return waiting if waiting and not waiting.done() else None
