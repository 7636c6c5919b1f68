"""Events as senders give them: checked, numbered, and told from those already here."""

import sqlite3
from collections.abc import Mapping
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


class Intake:
    """Numbers events and finds repeated ones.

    An event whose id, or whose place in a repeated request, was accepted within 24 hours is the
    same event: its sender gets the same answer and nothing else happens.

    Args:
        reader: a connection that sees what is committed.
    """

    def __init__(self, reader: sqlite3.Connection) -> None:
        self._reader = reader
        self._uncommitted: dict[str, str] = {}

    def number(self, payload: Mapping[str, Any], seed: str | None, index: int) -> tuple[str, bool]:
        """The internal id of a payload, and whether it is new."""
        now = now_ms()
        internal_id = (seeded_ulid(seed, index) if seed else None) or ulid(now)
        event_id = payload.get("id") or internal_id
        found = self._uncommitted.get(event_id) or self._uncommitted.get(internal_id)
        if found is None and (seed or payload.get("id")):
            found = self._committed(event_id, internal_id, now)
        if found is not None:
            return found, False
        self._uncommitted[event_id] = self._uncommitted[internal_id] = internal_id
        return internal_id, True

    def committed(self, events: list[Event]) -> None:
        """Say that events are on disk, where the reader finds them."""
        for event in events:
            self._uncommitted.pop(event.id, None)
            self._uncommitted.pop(event.internal_id, None)

    def _committed(self, event_id: str, internal_id: str, now: int) -> str | None:
        row = self._reader.execute(
            "SELECT internal_id FROM events WHERE id = ? AND received_at > ?"
            " UNION ALL SELECT internal_id FROM events WHERE internal_id = ?",
            (event_id, now - DEDUP_MS, internal_id),
        ).fetchone()
        return row[0] if row else None
