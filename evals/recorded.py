"""What the pipeline recorded about a message when it completed."""

import asyncio
from typing import Any

from harness.settings import Settings
from harness.store import Subscriber

TIMEOUT_S = 30.0
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
