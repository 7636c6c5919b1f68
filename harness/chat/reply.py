"""Take a user's answer to what a tool call asked."""

from typing import Literal

from harness.chat.authenticate_user import SignedIn
from harness.chat.errors import ApiError, ErrorCode, not_found
from harness.chat.trigger_inngest_event import EventSender
from harness.chat.validate import ReplyRequest, clean_text
from harness.events import MessageReplied
from harness.store import Store, StoreError


async def reply(
    store: Store,
    events: EventSender,
    user: SignedIn,
    message_key: str,
    request: ReplyRequest,
    max_bytes: int,
) -> Literal["kept", "already"]:
    """Keep a reply in Convex, then wake the run that may wait for it.

    In this order a reply that comes before its run waits is found when it does.

    Args:
        store: Convex.
        events: where the run is told.
        user: who replies.
        message_key: the message.
        request: the reply.
        max_bytes: the largest text in UTF-8.

    Raises:
        ApiError: why the reply is not taken. After `queue_unavailable` the reply is kept, and
            sending it again wakes the run.
    """
    if (request.approved is None) == (request.text is None):
        raise ApiError(
            ErrorCode.INVALID_REQUEST,
            "a reply has either `approved` or `text`",
            "send `approved` to an approval and `text` to a question",
        )
    text = None if request.text is None else clean_text(request.text, max_bytes)
    try:
        state = await store.reply(
            message_key, request.call_id, user.user_id, approved=request.approved, text=text
        )
    except StoreError as error:
        if error.code == "NOT_FOUND":
            raise not_found("tool call", request.call_id) from error
        if error.code == "INVALID":
            raise ApiError(
                ErrorCode.INVALID_REQUEST, error.message, "send what the call asks for"
            ) from error
        raise
    if state == "closed":
        raise ApiError(
            ErrorCode.REPLY_CLOSED,
            f"tool call {request.call_id} takes no reply any more",
            "nothing is left to do; it was answered, expired or ended",
        )
    event = MessageReplied(message_key=message_key, call_id=request.call_id)
    await events.trigger_inngest_event(event, f"{request.call_id}-replied")
    return state
