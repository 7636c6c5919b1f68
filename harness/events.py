"""The Inngest events, one versioned model each: where `chat` and `jobs` meet."""

import hashlib
from typing import ClassVar, Literal

import inngest
from pydantic import BaseModel, ConfigDict

from harness.models import Flow


class Event(BaseModel):
    """Data of one event; `to_inngest` wraps it for the SDK."""

    model_config = ConfigDict(frozen=True)
    event_name: ClassVar[str]
    v: Literal[1] = 1

    def to_inngest(self, event_id: str) -> inngest.Event:
        """The SDK's event with this data.

        Args:
            event_id: what Inngest removes duplicates by, for 24 hours.
        """
        return inngest.Event(name=self.event_name, id=event_id, data=self.model_dump(mode="json"))


class MessageSent(Event):
    """A message was accepted; its `message_key` is the event's id."""

    event_name: ClassVar[str] = "chat/message.sent"
    message_key: str
    thread_id: str
    user_id: str
    text: str
    model: str
    flow: Flow = Flow.BACKGROUND
    flag_version: int = 0
    sent_at: int
    traceparent: str | None = None


class MessageCancelled(Event):
    """A message's user stopped it; Convex knows already."""

    event_name: ClassVar[str] = "chat/message.cancelled"
    message_key: str
    thread_id: str


class MessageReplied(Event):
    """A user answered a waiting tool call; the reply itself is kept in Convex."""

    event_name: ClassVar[str] = "chat/message.replied"
    message_key: str
    call_id: str


class ThreadFree(Event):
    """A thread's turn passed to `message_key`."""

    event_name: ClassVar[str] = "chat/thread.free"
    thread_id: str
    message_key: str


class ThreadDeleted(Event):
    """A user removed a thread of theirs: nothing of it may stay, and its runs end."""

    event_name: ClassVar[str] = "chat/thread.deleted"
    thread_id: str
    user_id: str


class UserDeleted(Event):
    """A user removed themselves with everything of theirs; `asked_at` in milliseconds UTC."""

    event_name: ClassVar[str] = "chat/user.deleted"
    user_id: str
    asked_at: int


def message_key(user_id: str, thread_id: str, idempotency_key: str) -> str:
    """The id of a message's event, the same for every resend of it.

    A raw client key would collide across users, so it is hashed with who sent it and where.
    """
    parts = "\x00".join((user_id, thread_id, idempotency_key))
    return hashlib.sha256(parts.encode()).hexdigest()[:40]
