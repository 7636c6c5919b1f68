"""A thread's recent messages."""

from typing import Protocol

from pydantic import BaseModel, ConfigDict

from harness.models import Message


class HistoryStore(Protocol):
    """Where messages are kept."""

    async def history(self, thread_id: str, before_order: int, limit: int) -> list[Message]:
        """The newest finished messages below an order, oldest first."""


class HistoryItem(BaseModel):
    """A message as a model is shown it; `sent_at` in milliseconds UTC."""

    model_config = ConfigDict(frozen=True)

    role: str
    speaker: str | None
    content: str
    sent_at: int
    id: str = ""


async def recent(
    store: HistoryStore, thread_id: str, before_order: int, limit: int
) -> list[Message]:
    """The newest messages with something in them, oldest first.

    A message that failed or was cancelled before its first word says nothing and is left out.
    """
    messages = await store.history(thread_id, before_order, limit)
    return [message for message in messages if message.content.strip()]
