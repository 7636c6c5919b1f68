"""Send, stop, answer and read messages."""

import time
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, BackgroundTasks, Header, Path
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from harness.chat.cancel import cancel
from harness.chat.errors import ErrorCode, not_found
from harness.chat.reply import reply
from harness.chat.routes._depends import BODY, PartsOf, User, Writer, refusals
from harness.chat.routes._views import ExchangeView
from harness.chat.send_message import send_message
from harness.chat.validate import MESSAGE_KEY, FeedbackRequest, ReplyRequest, SendRequest
from harness.models import Ack, Flow
from harness.telemetry import analytics
from harness.telemetry.analytics import MEMORY_FEEDBACK
from harness.telemetry.metrics import ACK_SECONDS, MESSAGES_ACKED, MESSAGES_RECEIVED

router = APIRouter(prefix="/api/messages", tags=["messages"])

Key = Annotated[str, Path(pattern=MESSAGE_KEY, description="The ack's `message_key`.")]

_STREAM: dict[str, Any] = {
    "description": "The old flow: server-sent events `ack`, `delta`…, then `done` or `failed`.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


class Cancelled(BaseModel):
    """What a cancel found; `kept` stops a message that has yet to begin."""

    message_key: str
    state: Literal["cancelled", "finished", "kept"]


class Replied(BaseModel):
    """What became of a reply; `already` means that an earlier one counts."""

    message_key: str
    call_id: str
    state: Literal["kept", "already"]


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Ack,
    responses={
        200: _STREAM,
        **refusals(
            *BODY,
            ErrorCode.EMPTY_TEXT,
            ErrorCode.UNKNOWN_MODEL,
            ErrorCode.NOT_FOUND,
            ErrorCode.THREAD_ARCHIVED,
            ErrorCode.THREAD_BUSY,
            ErrorCode.RATE_LIMITED,
            ErrorCode.QUEUE_UNAVAILABLE,
        ),
    },
)
async def send(
    request: SendRequest,
    user: User,
    parts: PartsOf,
    later: BackgroundTasks,
    traceparent: Annotated[str | None, Header()] = None,
) -> Any:
    """Send a message: its ack comes at once, its answer through Convex.

    The same `idempotency_key` sent again is the same message and gets the same ack.
    """
    started = time.perf_counter()
    MESSAGES_RECEIVED.inc()
    sent = await send_message(parts.sending, user, request, traceparent)
    flow = Flow.BACKGROUND if sent.inline is None else Flow.INLINE
    MESSAGES_ACKED.labels(flow.value).inc()
    ACK_SECONDS.observe(time.perf_counter() - started)
    if sent.inline is not None and parts.old_flow is not None:
        stream = await parts.old_flow.answer(sent.ack, sent.inline)
        return StreamingResponse(
            stream, media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )
    if not sent.resent:
        later.add_task(
            analytics.record,
            parts.sending.store,
            "message.acked",
            user_id=user.user_id,
            thread_id=sent.ack.thread_id,
            message_key=sent.ack.message_key,
            props={"flow": flow.value},
        )
    return sent.ack


@router.get(
    "/{key}",
    response_model=ExchangeView,
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
)
async def read(key: Key, user: User, parts: PartsOf) -> ExchangeView:
    """A message and its answer as far as it is; 404 until its run has begun."""
    exchange = await parts.sending.store.as_user(user.token).read_message(key)
    if exchange is None:
        raise not_found("message", key)
    return ExchangeView.model_validate(exchange)


@router.post(
    "/{key}/cancel",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Cancelled,
    responses=refusals(
        ErrorCode.NOT_FOUND,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.RATE_LIMITED,
        ErrorCode.QUEUE_UNAVAILABLE,
    ),
)
async def stop(key: Key, user: Writer, parts: PartsOf) -> Cancelled:
    """Stop a message; it keeps the text it has. Closing the page does not stop it."""
    state = await cancel(parts.sending.store, parts.sending.events, user, key)
    return Cancelled(message_key=key, state=state)


@router.post(
    "/{key}/reply",
    status_code=HTTPStatus.ACCEPTED,
    response_model=Replied,
    responses=refusals(
        *BODY,
        ErrorCode.EMPTY_TEXT,
        ErrorCode.NOT_FOUND,
        ErrorCode.REPLY_CLOSED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.QUEUE_UNAVAILABLE,
    ),
)
async def answer(key: Key, request: ReplyRequest, user: Writer, parts: PartsOf) -> Replied:
    """Answer what a tool call asks: an approval or a question."""
    sending = parts.sending
    state = await reply(
        sending.store, sending.events, user, key, request, sending.settings.max_text_bytes
    )
    return Replied(message_key=key, call_id=request.call_id, state=state)


@router.post(
    "/{key}/feedback",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(*BODY, ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED),
)
async def judge(key: Key, request: FeedbackRequest, user: Writer, parts: PartsOf) -> None:
    """Say which of the memories that an answer was shown had helped; the last word counts.

    `harness fit retrieval --feedback` learns from it.
    """
    store = parts.sending.store
    if await store.as_user(user.token).read_message(key) is None:
        raise not_found("message", key)
    await store.record_analytics(
        MEMORY_FEEDBACK,
        time.time_ns() // 1_000_000,
        user_id=user.user_id,
        message_key=key,
        props={"helpful": ",".join(request.helpful)},
    )
