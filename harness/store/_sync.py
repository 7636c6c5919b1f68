"""One connection of Convex's sync protocol, from its handshake to its end.

The official Python client freezes the whole interpreter in `subscribe` for as long as Convex is
away (measured: 6 s for an outage of 3 s), and wakes every subscription on every change; a process
that both follows a stream and starts Convex again would hang for good. So the protocol is spoken
here, over the same endpoint and with the same messages (npm `convex`,
src/browser/sync/protocol.ts).
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from convex import __version__ as convex_version
from convex.values import convex_to_json, json_to_convex
from websockets.asyncio.client import ClientConnection, connect

from harness.store.errors import StoreError

SILENCE_S = 60.0  # Convex pings far more often; past this the connection is dead
_ORIGIN = "AAAAAAAAAAA="  # the timestamp 0 as the protocol writes it


@dataclass(frozen=True)
class Identity:
    """Who a connection speaks for; `kind` as the protocol names it."""

    kind: str  # User | Admin | None
    value: str | None = None

    def message(self, base_version: int) -> dict[str, Any]:
        """The protocol's Authenticate message."""
        parts = {"type": "Authenticate", "tokenType": self.kind, "baseVersion": base_version}
        return parts if self.value is None else {**parts, "value": self.value}


@dataclass(eq=False)
class Query:
    """One subscribed query: the latest answer, and a wake-up for whoever waits for it."""

    id: int
    path: str
    arguments: dict[str, Any]
    raw: Any = field(default_factory=object)
    value: Any = None
    error: StoreError | None = None
    fresh: asyncio.Event = field(default_factory=asyncio.Event)

    async def next(self) -> Any:
        """Wait for an answer that differs from the last one; a newer one replaces one unread.

        Raises:
            StoreError: the query failed, or its connection can't be authorized.
        """
        await self.fresh.wait()
        self.fresh.clear()
        if self.error is not None:
            raise self.error
        return self.value

    def answer(self, raw: Any) -> None:
        """Take an answer; a repeated one wakes nobody."""
        if raw == self.raw:
            return
        self.raw, self.value, self.error = raw, json_to_convex(raw), None
        self.fresh.set()

    def fail(self, error: StoreError) -> None:
        """Take a failure."""
        self.raw, self.error = object(), error
        self.fresh.set()


class OutOfStep(Exception):
    """The server's view of this connection differs from ours; only a new one helps."""


class Refused(Exception):
    """The server will not have this identity."""


class Connection:
    """A live connection that keeps the server's query set equal to `wanted`.

    Args:
        socket: the open WebSocket.
        wanted: the queries to follow, shared with whoever adds and removes them.
        changed: set whenever `wanted` changed.
    """

    def __init__(
        self, socket: ClientConnection, wanted: dict[int, Query], changed: asyncio.Event
    ) -> None:
        self._socket = socket
        self._wanted = wanted
        self._changed = changed
        self._sent: set[int] = set()
        self._query_set = 0
        self._identity = 0
        self._version: dict[str, Any] = {"querySet": 0.0, "identity": 0.0, "ts": _ORIGIN}

    async def run(
        self, identity: Identity, renew: Callable[[], Awaitable[Identity]] | None, count: int
    ) -> None:
        """Follow the queries until the connection ends; always raises.

        Args:
            identity: who to be at first.
            renew: waits until the identity must be replaced and answers the next one.
            count: how many connections came before this one.

        Raises:
            OutOfStep, Refused, OSError, WebSocketException: why it ended.
        """
        await self._send(
            {
                "type": "Connect",
                "sessionId": str(uuid.uuid4()),
                "connectionCount": count,
                "lastCloseReason": "InitialConnect" if count == 0 else "Reconnect",
            }
        )
        await self._authenticate(identity)
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]
        if renew is not None:
            tasks.append(asyncio.create_task(self._renew(renew)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send(json.dumps(message))

    async def _authenticate(self, identity: Identity) -> None:
        message = identity.message(self._identity)
        self._identity += 1
        await self._send(message)

    async def _renew(self, renew: Callable[[], Awaitable[Identity]]) -> None:
        while True:
            await self._authenticate(await renew())

    async def _write(self) -> None:
        while True:
            self._changed.clear()
            wanted = set(self._wanted)
            added, removed = sorted(wanted - self._sent), sorted(self._sent - wanted)
            if added or removed:
                base, self._query_set, self._sent = self._query_set, self._query_set + 1, wanted
                modifications = [self._addition(query_id) for query_id in added]
                modifications += [{"type": "Remove", "queryId": query_id} for query_id in removed]
                await self._send(
                    {
                        "type": "ModifyQuerySet",
                        "baseVersion": base,
                        "newVersion": self._query_set,
                        "modifications": modifications,
                    }
                )
            await self._changed.wait()

    def _addition(self, query_id: int) -> dict[str, Any]:
        query = self._wanted[query_id]
        arguments = [convex_to_json(query.arguments)]
        return {"type": "Add", "queryId": query_id, "udfPath": query.path, "args": arguments}

    async def _read(self) -> None:
        while True:
            async with asyncio.timeout(SILENCE_S):
                text = await self._socket.recv()
            message = json.loads(text, parse_int=float)
            match message["type"]:
                case "Transition":
                    self._apply(message)
                case "AuthError":
                    raise Refused(message["error"])
                case "FatalError":
                    raise OutOfStep(message["error"])

    def _apply(self, transition: dict[str, Any]) -> None:
        if transition["startVersion"] != self._version:
            raise OutOfStep("a change is missing")
        self._version = transition["endVersion"]
        for change in transition["modifications"]:
            query = self._wanted.get(int(change["queryId"]))
            if query is None:
                continue
            if change["type"] == "QueryUpdated":
                query.answer(change["value"])
            elif change["type"] == "QueryFailed":
                query.fail(_failure(query.path, change))


def _failure(path: str, change: dict[str, Any]) -> StoreError:
    data = change.get("errorData")
    if isinstance(data, dict) and isinstance(data.get("code"), str):
        return StoreError(data["code"], str(data.get("message", "")))
    return StoreError("INTERNAL", f"{path}: {' '.join(str(change['errorMessage']).split())}")


def open_socket(url: str) -> connect:
    """Open the sync endpoint of a deployment; a loopback address never goes through a proxy."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    return connect(
        f"{scheme}://{parts.netloc}/api/sync",
        additional_headers={"Convex-Client": f"python-{convex_version}"},
        compression=None,
        max_size=None,
        open_timeout=10,
        close_timeout=1,
        proxy=None if loopback else True,
    )
