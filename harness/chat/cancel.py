"""Stop a message for good."""

from typing import Literal

from harness.chat.authenticate_user import SignedIn
from harness.chat.errors import not_found
from harness.chat.trigger_inngest_event import EventSender
from harness.events import MessageCancelled, ThreadFree
from harness.store import Store, StoreError


async def cancel(
    store: Store, events: EventSender, user: SignedIn, message_key: str
) -> Literal["cancelled", "finished", "kept"]:
    """Cancel a message: in Convex first, which stops its text, then its run.

    A run that has yet to begin finds the cancellation there, so it needs no event.

    Args:
        store: Convex.
        events: where the run is told.
        user: whose message it is.
        message_key: the message; it may not have begun.

    Raises:
        ApiError: `not_found`, or `queue_unavailable` after the text has stopped already: sending
            the same request again ends the run.
    """
    try:
        answer = await store.cancel(message_key, user.user_id)
    except StoreError as error:
        if error.code == "NOT_FOUND":
            raise not_found("message", message_key) from error
        raise
    if answer.state != "cancelled":
        return answer.state
    exchange = await store.read_message(message_key)
    if exchange is None or exchange.assistant is None:
        return answer.state
    thread_id = exchange.assistant.thread_id
    event = MessageCancelled(message_key=message_key, thread_id=thread_id)
    await events.trigger_inngest_event(event, f"{message_key}-cancelled")
    if answer.next is not None:
        free = ThreadFree(thread_id=thread_id, message_key=answer.next)
        # Named after both: the same turn may pass to one message by more than one cancel.
        await events.trigger_inngest_event(free, f"{answer.next}-free-{message_key}")
    return answer.state
