"""The signed-in user."""

from http import HTTPStatus

from fastapi import APIRouter

from harness.chat.errors import ErrorCode
from harness.chat.remove import remove_user
from harness.chat.routes._depends import PartsOf, Writer, refusals

router = APIRouter(prefix="/api/me", tags=["me"])


@router.delete(
    "",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(ErrorCode.RATE_LIMITED, ErrorCode.QUEUE_UNAVAILABLE),
)
async def delete(user: Writer, parts: PartsOf) -> None:
    """Remove oneself for good: threads, preferences, and what is remembered of them."""
    sending = parts.sending
    try:
        await remove_user(sending.store, sending.events, user)
    finally:
        sending.caches.forget_user(user.user_id)
