"""Hand an event to Inngest, and know that it was taken."""

import asyncio

import httpx
import inngest

from harness.chat.errors import ApiError, ErrorCode
from harness.events import Event

TIMEOUT_S = 5.0  # the client itself tries for about 3 s


class EventSender:
    """Sends events through the official client, over its one keep-alive connection.

    Args:
        client: the Inngest client; its first use binds it to this thread.
        timeout_s: how long one event may take, its retries included.
    """

    def __init__(self, client: inngest.Inngest, timeout_s: float = TIMEOUT_S) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def trigger_inngest_event(self, event: Event, event_id: str) -> str:
        """Send an event; answers its id once Inngest has taken it.

        Args:
            event: what happened.
            event_id: what Inngest removes duplicates by, so that a resend is safe.

        Raises:
            ApiError: `queue_unavailable`; nothing was lost, the sender may send again.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.send(event.to_inngest(event_id))
        except Exception as error:  # the client raises what it likes, also for a proxy's HTML
            raise ApiError(
                ErrorCode.QUEUE_UNAVAILABLE,
                f"the event {event.event_name} was not taken by Inngest at "
                f"{self._client.event_api_origin} ({type(error).__name__})",
                "send the same request again; it can't be done twice",
                {"Retry-After": "1"},
            ) from error
        return event_id

    async def answers(self) -> bool:
        """Whether Inngest answers right now."""
        try:
            async with httpx.AsyncClient(timeout=2.0) as client:
                response = await client.get(f"{self._client.event_api_origin}/health")
        except httpx.HTTPError:
            return False
        return response.status_code < 500


async def close_client(client: inngest.Inngest) -> None:
    """Close an Inngest client's connections, which it offers no way to do."""
    await client._http_client._http_client.aclose()
    client._http_client._http_client_sync.close()
