"""Events as senders give them: checked, numbered, and told from those already here."""

import sqlite3
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

import orjson

from harness.local.inngest.ids import now_ms, seeded_ulid, ulid
from harness.local.inngest.state import Event

DEDUP_MS = 24 * 3_600_000
MAX_EVENT_BYTES = 3 * 1024 * 1024
MAX_NAME_CHARS = 256
RESERVED = "inngest/"


class EventError(ValueError):
    """An event that is refused; the text names the field and what it must be."""


def parse_events(body: bytes) -> list[Any]:
    """The events of a request, which holds one or a list.

    Raises:
        EventError: it is no JSON.
    """
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise EventError(f"the body is not JSON: {error}") from None
    return found if isinstance(found, list) else [found]


def check(payload: Any) -> dict[str, Any]:
    """The payload, if it is an event.

    Raises:
        EventError: it is none.
    """
    if not isinstance(payload, dict):
        raise EventError(f"an event must be an object, not {type(payload).__name__}")
    name = payload.get("name")
    if not isinstance(name, str) or not name or len(name) > MAX_NAME_CHARS:
        raise EventError(f"an event's name must be 1 to {MAX_NAME_CHARS} characters, not {name!r}")
    if name.lower().startswith(RESERVED):
        raise EventError(
            f"the event name {name!r} is reserved: take one that does not start with {RESERVED}"
        )
    data = payload.get("data")
    if data is not None and not isinstance(data, dict):
        raise EventError(f"the data of event {name!r} must be an object, not {type(data).__name__}")
    if not isinstance(payload.get("id") or "", str):
        raise EventError(f"the id of event {name!r} must be text, not {payload['id']!r}")
    size = len(orjson.dumps(payload))
    if size > MAX_EVENT_BYTES:
        raise EventError(f"event {name!r} has {size} bytes: {MAX_EVENT_BYTES} are possible")
    ts = payload.get("ts") or 0
    if isinstance(ts, bool) or not isinstance(ts, int) or ts < 0:
        raise EventError(f"the ts of event {name!r} must be milliseconds since 1970, not {ts!r}")
    return payload


class Novelty(Enum):
    """What of an event was seen before."""

    NEW = auto()
    SAME_ID = auto()
    REPEATED = auto()


class Intake:
    """Numbers events and finds those seen before.

    An event whose sender gave it an id that was used within 24 hours starts no function, but it is
    an event like any other: it is kept, and ends waits. An event of a repeated request is the one
    that is already here.

    Args:
        reader: a connection that sees what is committed.
    """

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self._uncommitted: dict[str, int] = {}

    def number(
        self, payload: Mapping[str, Any], seed: str | None, index: int
    ) -> tuple[str, Novelty]:
        """The internal id of a payload, and whether the event was seen before.

        Args:
            seed: what the request and its repetitions have in common.
            index: the event's place in it.
        """
        now = now_ms()
        internal_id = seeded_ulid(seed, index) if seed else None
        if internal_id and self._known(internal_id, "internal_id = ?", (internal_id,)):
            return internal_id, Novelty.REPEATED
        internal_id = internal_id or ulid(now)
        event_id = payload.get("id")
        known = event_id and self._known(
            event_id, "id = ? AND received_at > ? AND NOT repeated", (event_id, now - DEDUP_MS)
        )
        for key in {internal_id, event_id or internal_id}:
            self._uncommitted[key] = self._uncommitted.get(key, 0) + 1
        return internal_id, Novelty.SAME_ID if known else Novelty.NEW

    def committed(self, events: list[Event]) -> None:
        """Say that events are on disk, where the reader finds them."""
        for event in events:
            for key in {event.internal_id, event.id}:
                self._uncommitted[key] -= 1
                if not self._uncommitted[key]:
                    del self._uncommitted[key]

    def _known(self, key: str, where: str, arguments: tuple[Any, ...]) -> bool:
        if key in self._uncommitted:
            return True
        found = self._reader.execute(f"SELECT 1 FROM events WHERE {where} LIMIT 1", arguments)
        return found.fetchone() is not None
