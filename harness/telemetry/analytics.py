"""Product events, kept in Convex; losing one never costs its message."""

import time
from typing import Protocol

from harness.telemetry.logs import get_logger
from harness.telemetry.metrics import ANALYTICS_LOST

_log = get_logger("harness.analytics")

Props = dict[str, str | float | bool]
MEMORY_FEEDBACK = "memory.feedback"  # which memories had helped an answer, by its reader


class AnalyticsStore(Protocol):
    """Where events are kept; the Store is one."""

    async def record_analytics(
        self,
        event: str,
        at: int,
        *,
        user_id: str | None = None,
        thread_id: str | None = None,
        message_key: str | None = None,
        props: Props | None = None,
    ) -> None:
        """Keep one event."""


async def record(
    store: AnalyticsStore,
    event: str,
    *,
    user_id: str | None = None,
    thread_id: str | None = None,
    message_key: str | None = None,
    props: Props | None = None,
) -> None:
    """Keep a product event; a failure is logged and counted, never raised.

    Args:
        store: where it is kept.
        event: its stable name, such as `message.acked`.
        user_id: whom it is about.
        thread_id: the thread.
        message_key: the message.
        props: whatever else a later question needs.
    """
    at = time.time_ns() // 1_000_000
    try:
        await store.record_analytics(
            event,
            at,
            user_id=user_id,
            thread_id=thread_id,
            message_key=message_key,
            props=props,
        )
    except Exception as error:
        ANALYTICS_LOST.inc()
        _log.warning("analytics event lost", analytics_event=event, error=str(error))
