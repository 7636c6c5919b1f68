"""What a user wants remembered."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from harness.chat.errors import ErrorCode
from harness.chat.routes._depends import BODY, PartsOf, User, Writer, refusals
from harness.chat.routes._views import PreferenceView
from harness.chat.validate import Body, clean_text

router = APIRouter(prefix="/api/preferences", tags=["preferences"])

Key = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]+$", max_length=100)]

_VALUE_CHARS = 4000


class NewValue(Body):
    """A preference's value."""

    value: str = Field(min_length=1, max_length=_VALUE_CHARS)


@router.get("", response_model=list[PreferenceView], responses=refusals())
async def list_all(user: User, parts: PartsOf) -> list[PreferenceView]:
    """One's own preferences."""
    rows = await parts.sending.store.as_user(user.token).preferences()
    return [PreferenceView.model_validate(row) for row in rows]


@router.put(
    "/{key}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(*BODY, ErrorCode.EMPTY_TEXT, ErrorCode.RATE_LIMITED),
)
async def put(key: Key, request: NewValue, user: Writer, parts: PartsOf) -> None:
    """Set a preference, over an older value of it."""
    value = clean_text(request.value, 4 * _VALUE_CHARS)
    await parts.sending.store.as_user(user.token).set_preference(key, value)


@router.delete(
    "/{key}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(ErrorCode.INVALID_REQUEST, ErrorCode.RATE_LIMITED),
)
async def delete(key: Key, user: Writer, parts: PartsOf) -> None:
    """Remove a preference; one that is not there is no error."""
    await parts.sending.store.as_user(user.token).remove_preference(key)
