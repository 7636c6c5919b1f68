"""A user's side of the chat: sends over the API, reads from Convex's subscriptions."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Any, Literal, Self

import httpx

from harness.errors import HarnessError
from harness.keys import TOKEN_TTL_S, mint_token
from harness.models import Ack, ToolCall
from harness.settings import Settings
from harness.store import StreamState, Subscriber

_RENEW_AFTER_S = TOKEN_TTL_S / 2
_TIMEOUT_S = 30.0

TokenSource = Callable[[], Awaitable[str]]


class RequestRefused(HarnessError):
    """The API refused a request.

    Args:
        status: the HTTP status.
        code: the API's error code.
    """

    def __init__(self, status: int, code: str, message: str, remedy: str) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.code = code


class ChatClient:
    """One user of a running pipeline; an async context manager bound to its event loop.

    Args:
        settings: of the pipeline.
        user_id: who sends; on one machine any name will do.
        token: gives a session token, and is asked again before one expires; default: tokens
            minted from the development key.
    """

    def __init__(
        self, settings: Settings, user_id: str, *, token: TokenSource | None = None
    ) -> None:
        self._settings = settings
        self.user_id = user_id
        self._source = token or self._mint
        self._token = ""
        self._token_at = 0.0
        self._http = httpx.AsyncClient(
            base_url=settings.api_url, timeout=_TIMEOUT_S, trust_env=False
        )
        self._subscriber = Subscriber(settings.convex_url, self.token)
        self._streams: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; answers go on without their reader."""
        await self._subscriber.aclose()
        for stream in self._streams:
            stream.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await self._http.aclose()

    async def token(self) -> str:
        """A session token that holds for at least half of its minute."""
        if time.monotonic() - self._token_at > _RENEW_AFTER_S or not self._token:
            self._token = await self._source()
            self._token_at = time.monotonic()
        return self._token

    async def create_thread(
        self, title: str, kind: Literal["standard", "critical"] = "standard"
    ) -> str:
        """Open a thread; answers its id."""
        made = await self._post("/api/threads", {"title": title, "kind": kind})
        return str(made["id"])

    async def send(
        self,
        thread_id: str,
        text: str,
        idempotency_key: str | None = None,
        model: str | None = None,
    ) -> Ack:
        """Send a message; its answer comes through `follow`.

        Args:
            thread_id: the user's thread.
            text: the message.
            idempotency_key: sending it again is the same message; a fresh one when None.
            model: a configured model's name; None for the default.

        Raises:
            RequestRefused: the API does not take it.
        """
        body = {
            "thread_id": thread_id,
            "text": text,
            "idempotency_key": idempotency_key or secrets.token_hex(16),
            **({"model": model} if model else {}),
        }
        async with AsyncExitStack() as closing:
            headers = {"Authorization": f"Bearer {await self.token()}"}
            request = self._http.build_request("POST", "/api/messages", json=body, headers=headers)
            response = await self._exchange(request, stream=True)
            closing.push_async_callback(response.aclose)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                await response.aread()
                return Ack.model_validate(_checked(response))
            # The old flow answers in the response, and stops when nobody reads it.
            lines = response.aiter_lines()
            ack = await _first_event(lines)
            closing.pop_all()
            self._drain(response, lines)
            return ack

    def follow(self, message_key: str) -> AsyncGenerator[StreamState, None]:
        """Yield the answer's state whenever it changes; ends when the answer has."""
        return self._subscriber.watch_message(message_key)

    async def finished(self, message_key: str) -> StreamState:
        """Wait for the end of an answer."""
        last: StreamState | None = None
        async with aclosing(self.follow(message_key)) as states:
            async for state in states:
                last = state
        if last is None:
            raise HarnessError(f"the stream of message {message_key} ended without a state")
        return last

    def tool_calls(self, message_key: str) -> AsyncGenerator[list[ToolCall], None]:
        """Yield the answer's tool calls whenever one changes; never ends by itself."""
        return self._subscriber.watch_tool_calls(message_key)

    async def reply(
        self,
        message_key: str,
        call_id: str,
        *,
        approved: bool | None = None,
        text: str | None = None,
    ) -> str:
        """Answer what a tool call asks: an approval or a question.

        Returns:
            `kept`, or `already` when an earlier reply counts.
        """
        body = {"call_id": call_id, "approved": approved, "text": text}
        answer = await self._post(f"/api/messages/{message_key}/reply", body)
        return str(answer["state"])

    async def cancel(self, message_key: str) -> str:
        """Stop an answer: `cancelled`, `finished` or, before its run has begun, `kept`."""
        answer = await self._post(f"/api/messages/{message_key}/cancel", None)
        return str(answer["state"])

    async def _mint(self) -> str:
        return mint_token(self._settings, self.user_id)

    async def _post(self, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {await self.token()}"}
        request = self._http.build_request("POST", path, json=body, headers=headers)
        return _checked(await self._exchange(request))

    async def _exchange(self, request: httpx.Request, *, stream: bool = False) -> httpx.Response:
        try:
            return await self._http.send(request, stream=stream)
        except httpx.HTTPError as error:
            raise HarnessError(
                f"the API at {self._settings.api_url} does not answer "
                f"({str(error) or type(error).__name__})",
                "Start the stack with `harness up`, or set HARNESS_API_URL.",
            ) from error

    def _drain(self, response: httpx.Response, lines: AsyncIterator[str]) -> None:
        async def read() -> None:
            async with aclosing(response):
                async for _ in lines:
                    pass

        task = asyncio.create_task(read(), name="old-flow")
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)


def _checked(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
        if response.is_success:
            return dict(body)
        error = body["error"]
        raise RequestRefused(response.status_code, error["code"], error["message"], error["remedy"])
    except (ValueError, TypeError, KeyError) as error:
        raise RequestRefused(
            response.status_code,
            "unreadable",
            f"{response.url} answered {response.status_code} {response.text[:200]!r}",
            "Check that HARNESS_API_URL is the harness API.",
        ) from error


async def _first_event(lines: AsyncIterator[str]) -> Ack:
    async for line in lines:
        if line.startswith("data:"):
            return Ack.model_validate(json.loads(line.removeprefix("data:")))
    raise HarnessError("the answer's stream ended before its ack")
