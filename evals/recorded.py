"""What the pipeline recorded about a message when it completed."""

import asyncio
from typing import Any

from harness.settings import Settings
from harness.store import Subscriber

TIMEOUT_S = 30.0
_KINDS = ("begin", "model", "tool", "turn")  # what comes first in the names of a kind's steps
Props = dict[str, str | float | bool]


async def completed_props(settings: Settings, message_key: str) -> Props:
    """The properties of a message's `message.completed`, which is recorded just after its end.

    Args:
        settings: of the stack.
        message_key: of a completed message.

    Raises:
        TimeoutError: nothing was recorded within 30 seconds.
    """
    key = settings.convex_deploy_key
    admin_key = key.get_secret_value() if key else ""
    async with (
        asyncio.timeout(TIMEOUT_S),
        Subscriber(settings.convex_url, admin_key=admin_key) as reader,
    ):
        events: list[dict[str, Any]]
        async for events in reader.watch("analytics:forMessage", {"messageKey": message_key}):
            for event in events:
                if event["event"] == "message.completed":
                    props: Props = event["props"]
                    return props
    raise TimeoutError(f"nothing was recorded about message {message_key}")


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
