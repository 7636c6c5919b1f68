"""Follows messages over Convex's sync protocol, in greenlets.

The official client runs its own threads, which gevent cannot schedule; this speaks the few
messages of the protocol that a reader needs (`convex/browser/sync/protocol` of the npm package).
"""

import json
import uuid
from collections.abc import Callable
from typing import Any

import gevent
import websocket
from gevent.lock import Semaphore

PROTOCOL_PATH = "/api/1.48.0/sync"
OnUpdate = Callable[[dict[str, Any]], None]


class Follower:
    """One user's connection; any number of messages are followed over it."""

    def __init__(self, convex_url: str, token: str) -> None:
        """Connect and authenticate.

        Args:
            convex_url: `http://…` of the deployment.
            token: the user's session token.
        """
        address = convex_url.replace("http", "ws", 1) + PROTOCOL_PATH
        self._socket = websocket.create_connection(address, enable_multithread=False, timeout=60)
        self._sending = Semaphore()
        self._followed: dict[int, OnUpdate] = {}
        self._next_query = 0
        self._version = 0
        self.error: str | None = None
        self._send(
            type="Connect",
            sessionId=str(uuid.uuid4()),
            connectionCount=0,
            lastCloseReason=None,
            clientTs=0,
        )
        self._send(type="Authenticate", tokenType="User", value=token, baseVersion=0)
        self._reader = gevent.spawn(self._read)

    def follow(self, path: str, args: dict[str, Any], on_update: OnUpdate) -> int:
        """Subscribe to a query.

        Args:
            path: `module:function`.
            args: its arguments, JSON values only.
            on_update: called with each new value.

        Returns:
            The query's id, for `forget`.
        """
        query_id = self._next_query
        self._next_query += 1
        self._followed[query_id] = on_update
        self._modify({"type": "Add", "queryId": query_id, "udfPath": path, "args": [args]})
        return query_id

    def forget(self, query_id: int) -> None:
        """Unsubscribe from a query."""
        if self._followed.pop(query_id, None) is not None:
            self._modify({"type": "Remove", "queryId": query_id})

    def close(self) -> None:
        """Close the connection."""
        self._reader.kill()
        self._socket.close()

    def _modify(self, modification: dict[str, Any]) -> None:
        with self._sending:
            version, self._version = self._version, self._version + 1
            self._write(
                type="ModifyQuerySet",
                baseVersion=version,
                newVersion=version + 1,
                modifications=[modification],
            )

    def _send(self, **message: Any) -> None:
        with self._sending:
            self._write(**message)

    def _write(self, **message: Any) -> None:
        self._socket.send(json.dumps(message))

    def _read(self) -> None:
        try:
            while True:
                self._on_message(json.loads(self._socket.recv()))
        except (websocket.WebSocketException, OSError, ValueError) as error:
            self.error = f"subscription lost: {error}"

    def _on_message(self, message: dict[str, Any]) -> None:
        if message["type"] in ("AuthError", "FatalError"):
            self.error = f"subscription refused: {message['error']}"
            return
        for change in message.get("modifications", []):
            on_update = self._followed.get(change["queryId"])
            if on_update is None:
                continue
            if change["type"] == "QueryUpdated" and change["value"] is not None:
                on_update(change["value"])
            elif change["type"] == "QueryFailed":
                self.error = f"subscription failed: {change['errorMessage']}"
