"""What the pipeline recorded about a message, read back from its store."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel

from harness.models import Message, Status, ToolCall
from harness.settings import Settings
from harness.store import Store, Subscriber
from harness.store.results import Exchange
from harness.telemetry.analytics import Props
from harness.telemetry.endings import COMPLETED, FAILED

TIMEOUT_S = 30.0
FAILED_TIMEOUT_S = 2.0  # a run that died with its process records nothing
_AT_ONCE = 8
_KINDS = ("begin", "model", "tool", "turn")  # what comes first in the names of a kind's steps


class MessageRecord(BaseModel):
    """All that is kept about one message; it goes through JSON unchanged.

    Attributes:
        user: the message; None when its run never began.
        assistant: its answer, whole or in part, with its status and error.
        props: of the event that its end was recorded with; empty where there is none.
    """

    key: str
    user: Message | None = None
    assistant: Message | None = None
    calls: list[ToolCall] = []
    props: Props = {}


class Recorded:
    """Reads records over one connection; an async context manager.

    Args:
        settings: of the stack.
    """

    def __init__(self, settings: Settings) -> None:
        key = settings.convex_deploy_key
        self._admin_key = key.get_secret_value() if key else ""
        self._store = Store(settings.convex_url, self._admin_key)
        self._reader = Subscriber(settings.convex_url, admin_key=self._admin_key)

    async def __aenter__(self) -> "Recorded":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.aclose()
        await self._store.aclose()

    async def read(self, key: str) -> MessageRecord:
        """The record of a message that has ended, or that is given up on.

        Args:
            key: of the message.

        Raises:
            TimeoutError: a completed message was not recorded within 30 seconds.
        """
        exchange, calls = await asyncio.gather(
            self._store.read_message(key), self._store.message_calls(key)
        )
        user, assistant = (exchange or Exchange()).user, (exchange or Exchange()).assistant
        status = assistant.status if assistant else None
        props: Props = {}
        if status is Status.COMPLETED:
            props = await self.props(key, COMPLETED, TIMEOUT_S)
        elif status is Status.FAILED:
            try:
                props = await self.props(key, FAILED, FAILED_TIMEOUT_S)
            except TimeoutError:
                props = {}
        return MessageRecord(key=key, user=user, assistant=assistant, calls=calls, props=props)

    async def read_all(self, keys: Sequence[str]) -> list[MessageRecord]:
        """The records of messages, in their order."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(key: str) -> MessageRecord:
            async with turn:
                return await self.read(key)

        return await asyncio.gather(*(one(key) for key in keys))

    async def props(self, key: str, event: str, timeout_s: float) -> Props:
        """The properties of an event of a message, which is recorded just after its end.

        Args:
            key: of the message.
            event: such as `message.completed`.
            timeout_s: how long to wait for it, in seconds.

        Raises:
            TimeoutError: nothing was recorded in time.
        """
        watching = self._reader.watch("analytics:forMessage", {"messageKey": key})
        async with asyncio.timeout(timeout_s), aclosing(watching) as pushes:
            events: list[dict[str, Any]]
            async for events in pushes:
                for each in events:
                    if each["event"] == event:
                        props: Props = each["props"]
                        return props
        raise TimeoutError(f"nothing was recorded about message {key}")


async def completed_props(settings: Settings, message_key: str) -> Props:
    """The properties of a message's `message.completed`, which is recorded just after its end.

    Args:
        settings: of the stack.
        message_key: of a completed message.

    Raises:
        TimeoutError: nothing was recorded within 30 seconds.
    """
    async with Recorded(settings) as recorded:
        return await recorded.props(message_key, COMPLETED, TIMEOUT_S)


def step_bars(message: str, props: Props) -> list[dict[str, object]]:
    """The steps of one message as bars for `evals.charts.message_stages`.

    Steps of a kind (`model-0`, `model-1`) are one stage. `persist-response`, which writes this
    record, and what follows it are not in it.

    Args:
        message: what the line is labelled with.
        props: of the message's `message.completed`.

    Returns:
        Rows of message, stage, start_ms and end_ms, in milliseconds since the message was sent.
    """
    rows: list[dict[str, object]] = []
    for name in (key[len("step.") : -len(".ms")] for key in props if key.endswith(".ms")):
        start_ms = float(props[f"step.{name}.at_ms"])
        rows.append(
            {
                "message": message,
                "stage": name.split("-")[0] if name.startswith(_KINDS) else name,
                "start_ms": start_ms,
                "end_ms": start_ms + float(props[f"step.{name}.ms"]),
            }
        )
    return rows
