"""Live views of Convex: one connection, any number of queries, nothing polled."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

from websockets.exceptions import InvalidStatus, WebSocketException

from harness.models import Message, StreamView, ToolCall
from harness.store._documents import from_convex
from harness.store._merge import Merger
from harness.store._sync import Connection, Identity, OutOfStep, Query, Refused, open_socket
from harness.store.errors import StoreError
from harness.store.results import CurrentPreferences, Flag, StreamState

ADVANCE_AFTER = 16  # deltas a push may repeat before the reader asks from further on
RENEW_BEFORE_S = 20.0  # of a token's end
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 2.0

Shape = TypeVar("Shape")
TokenSource = Callable[[], Awaitable[str]]


class Subscriber:
    """Follows queries of one deployment over one connection, through restarts of Convex.

    The connection opens with the first watch and closes with the last. All watches belong to one
    event loop.

    Args:
        url: the deployment's address.
        token: a user's session token, or a function that mints one: session tokens live a minute,
            so whoever watches longer hands in the function.
        admin_key: the deployment's key, for internal queries, in place of a token.
    """

    def __init__(
        self,
        url: str,
        token: str | TokenSource | None = None,
        *,
        admin_key: str | None = None,
    ) -> None:
        self._url = url
        self._token = token
        self._admin_key = admin_key
        self._wanted: dict[int, Query] = {}
        self._changed = asyncio.Event()
        self._ids = count()
        self._task: asyncio.Task[None] | None = None
        self._expires_at = 0.0

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
        """End every watch and close the connection."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for query in self._wanted.values():
            query.fail(StoreError("UNAVAILABLE", f"the subscriber of {query.path} was closed"))

    async def watch(self, path: str, arguments: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """Yield a query's value now and whenever it differs; slow readers skip to the newest.

        Args:
            path: `module:function`.
            arguments: its arguments as Python values.

        Raises:
            StoreError: the query failed.
        """
        query = self._open(path, arguments)
        try:
            while True:
                yield await query.next()
        finally:
            await self._close(query)

    def watch_tool_calls(self, message_key: str) -> AsyncGenerator[list[ToolCall], None]:
        """Yield a message's tool calls whenever one changes."""
        return self._watch_as(list[ToolCall], "toolCalls:list", {"messageKey": message_key})

    def watch_flags(self) -> AsyncGenerator[list[Flag], None]:
        """Yield every feature flag whenever one changes; needs the deployment's key."""
        return self._watch_as(list[Flag], "flags:list", {})

    def watch_head(self, thread_id: str, limit: int) -> AsyncGenerator[list[Message], None]:
        """Yield a thread's newest finished messages, oldest first, whenever there is another.

        They carry what was said, by whom and when, and nothing of how they were made. Needs the
        deployment's key.
        """
        arguments = {"threadId": thread_id, "limit": limit}
        return self._watch_as(list[Message], "messages:head", arguments)

    def watch_preferences(self, user_id: str) -> AsyncGenerator[CurrentPreferences, None]:
        """Yield a user's preferences whenever one changes; needs the deployment's key."""
        return self._watch_as(CurrentPreferences, "preferences:current", {"subject": user_id})

    async def watch_message(self, message_key: str) -> AsyncGenerator[StreamState, None]:
        """Yield a message's stream whenever it grows or changes; ends when the message has.

        A message that has yet to begin is waited for. The prefix is not read again: the query's
        cursor moves on as deltas arrive.

        Raises:
            StoreError: the stream may not be read.
        """
        path, merger, after = "messages:stream", Merger(), -1
        query = self._open(path, {"messageKey": message_key, "after": after})
        try:
            while True:
                value = await query.next()
                if value is None:
                    continue
                view = from_convex(StreamView, value, path)
                state = merger.add(view)
                if merger.seen - after >= ADVANCE_AFTER and not view.status.finished:
                    after, passed = merger.seen, query
                    query = self._open(path, {"messageKey": message_key, "after": after})
                    await self._close(passed)
                if state is not None:
                    yield state
                if view.status.finished:
                    return
        finally:
            await self._close(query)

    async def _watch_as(
        self, shape: type[Shape], path: str, arguments: dict[str, Any]
    ) -> AsyncGenerator[Shape, None]:
        query = self._open(path, arguments)
        try:
            while True:
                yield from_convex(shape, await query.next(), path)
        finally:
            await self._close(query)

    def _open(self, path: str, arguments: dict[str, Any]) -> Query:
        query = Query(next(self._ids), path, arguments)
        self._wanted[query.id] = query
        self._changed.set()
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="convex-subscriptions")
        return query

    async def _close(self, query: Query) -> None:
        self._wanted.pop(query.id, None)
        self._changed.set()
        if not self._wanted and self._task is not None:
            task, self._task = self._task, None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _follow(self) -> None:
        pause = _FIRST_PAUSE_S
        for connections in count():
            started = time.monotonic()
            try:
                identity = await self._identity()
                renew = self._renewed if callable(self._token) else None
                async with open_socket(self._url) as socket:
                    connection = Connection(socket, self._wanted, self._changed)
                    await connection.run(identity, renew, connections)
            except Refused as refusal:
                if not callable(self._token):
                    self._fail_all("UNAUTHENTICATED", f"Convex refused the token: {refusal}")
                    return
            except InvalidStatus as answer:
                if answer.response.status_code in (401, 403, 404):
                    message = f"{self._url} is no Convex ({answer}); check CONVEX_URL"
                    self._fail_all("INTERNAL", message)
                    return
            except (OutOfStep, OSError, TimeoutError, WebSocketException):
                pass
            except StoreError as error:
                self._fail_all(error.code, error.message)
                return
            except Exception as error:  # a fault of ours must reach the readers, not hang them
                self._fail_all("INTERNAL", f"following {self._url} failed: {error!r}")
                return
            if time.monotonic() - started > _LONGEST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def _fail_all(self, code: str, message: str) -> None:
        self._task = None
        for query in self._wanted.values():
            query.fail(StoreError(code, message))

    async def _identity(self) -> Identity:
        if self._admin_key is not None:
            return Identity("Admin", self._admin_key)
        if self._token is None:
            return Identity("None")
        if isinstance(self._token, str):
            return Identity("User", self._token)
        token = await self._token()
        self._expires_at = _expiry(token)
        return Identity("User", token)

    async def _renewed(self) -> Identity:
        await asyncio.sleep(max(1.0, self._expires_at - RENEW_BEFORE_S - time.time()))
        return await self._identity()


def _expiry(token: str) -> float:
    """When a JWT says it ends, in seconds since 1970; whoever verifies it is Convex."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise StoreError("UNAUTHENTICATED", "the session token is not a JWT with `exp`") from error
