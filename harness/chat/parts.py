"""What the API is made of."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from harness.chat.authenticate_user import Authenticator
from harness.chat.rate_limit import RateLimiter
from harness.chat.send_message import Sending
from harness.events import MessageSent
from harness.models import Ack


class OldFlow(Protocol):
    """The flow that answers inside the request."""

    async def answer(self, ack: Ack, sent: MessageSent) -> AsyncIterator[bytes]:
        """Stream the answer as server-sent events; the first one is the ack."""

    async def aclose(self) -> None:
        """Let go of what it holds."""


@dataclass(frozen=True)
class Parts:
    """What the application is made of.

    Attributes:
        writes: limits what else a user changes, apart from messages.
        old_flow: None where it was removed.
    """

    authenticator: Authenticator
    sending: Sending
    writes: RateLimiter
    old_flow: OldFlow | None
