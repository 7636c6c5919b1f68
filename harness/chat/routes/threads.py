"""Open, list, read, archive and remove threads."""

from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from harness.chat.errors import ApiError, ErrorCode, not_found
from harness.chat.remove import remove_thread
from harness.chat.routes._depends import BODY, PartsOf, User, Writer, refusals
from harness.chat.routes._views import MessageView, PageView, ThreadView, page_of
from harness.chat.validate import THREAD_ID, Body, clean_text
from harness.store import StoreError

router = APIRouter(prefix="/api/threads", tags=["threads"])

Id = Annotated[str, Path(pattern=THREAD_ID, max_length=64)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=2000)]
ToolName = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", max_length=64)]

_TITLE_CHARS = 200


class NewThread(Body):
    """A thread to open; `kind` lets a rollout leave critical ones for last."""

    title: str = Field(min_length=1, max_length=_TITLE_CHARS)
    kind: Literal["standard", "critical"] = "standard"


class NewPermission(Body):
    """Whether a tool runs by itself, asks its user first or never runs."""

    permission: Literal["auto", "ask", "never"]


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    response_model=ThreadView,
    responses=refusals(*BODY, ErrorCode.EMPTY_TEXT, ErrorCode.RATE_LIMITED),
)
async def create(request: NewThread, user: Writer, parts: PartsOf) -> ThreadView:
    """Open a thread."""
    store = parts.sending.store.as_user(user.token)
    title = clean_text(request.title, 4 * _TITLE_CHARS)
    thread_id = await store.create_thread(title, request.kind)
    thread = await store.get_thread(thread_id)
    if thread is None:
        raise StoreError("INTERNAL", f"thread {thread_id} is gone right after it was made")
    return ThreadView.model_validate(thread)


@router.get(
    "",
    response_model=PageView[ThreadView],
    responses=refusals(ErrorCode.INVALID_REQUEST),
)
async def list_all(
    user: User,
    parts: PartsOf,
    status: Literal["active", "archived"] | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> PageView[ThreadView]:
    """One's own threads, the newest message first."""
    store = parts.sending.store.as_user(user.token)
    return page_of(ThreadView, await store.list_threads(status=status, limit=limit, cursor=cursor))


@router.get(
    "/{thread_id}",
    response_model=ThreadView,
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
)
async def read(thread_id: Id, user: User, parts: PartsOf) -> ThreadView:
    """One thread."""
    thread = await parts.sending.store.as_user(user.token).get_thread(thread_id)
    if thread is None:
        raise not_found("thread", thread_id)
    return ThreadView.model_validate(thread)


@router.post(
    "/{thread_id}/archive",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(
        ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST, ErrorCode.RATE_LIMITED, ErrorCode.CONFLICT
    ),
)
async def archive(thread_id: Id, user: Writer, parts: PartsOf) -> None:
    """Archive a thread; it takes no more messages."""
    try:
        await parts.sending.store.as_user(user.token).archive_thread(thread_id)
    except StoreError as error:
        raise _thread_error(error, thread_id) from error
    finally:
        parts.sending.caches.threads.pop((user.user_id, thread_id), None)


@router.delete(
    "/{thread_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(
        ErrorCode.NOT_FOUND,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.RATE_LIMITED,
        ErrorCode.QUEUE_UNAVAILABLE,
    ),
)
async def delete(thread_id: Id, user: Writer, parts: PartsOf) -> None:
    """Remove a thread for good, with its messages and what is remembered of them."""
    sending = parts.sending
    try:
        await remove_thread(sending.store, sending.events, user, thread_id)
    finally:
        sending.caches.threads.pop((user.user_id, thread_id), None)


@router.get(
    "/{thread_id}/messages",
    response_model=PageView[MessageView],
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST),
)
async def list_messages(
    thread_id: Id, user: User, parts: PartsOf, limit: Limit = 50, cursor: Cursor = None
) -> PageView[MessageView]:
    """A thread's messages, newest first."""
    store = parts.sending.store.as_user(user.token)
    try:
        page = await store.list_messages(thread_id, limit=limit, cursor=cursor)
    except StoreError as error:
        raise _thread_error(error, thread_id) from error
    return page_of(MessageView, page)


@router.put(
    "/{thread_id}/permissions/{tool}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(*BODY, ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED),
)
async def permit(
    thread_id: Id, tool: ToolName, request: NewPermission, user: Writer, parts: PartsOf
) -> None:
    """Say what a tool may do in a thread, over what is said of it for all threads."""
    store = parts.sending.store.as_user(user.token)
    try:
        await store.set_tool_permission(thread_id, tool, request.permission)
    except StoreError as error:
        raise _thread_error(error, thread_id) from error


@router.delete(
    "/{thread_id}/permissions/{tool}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=refusals(ErrorCode.NOT_FOUND, ErrorCode.INVALID_REQUEST, ErrorCode.RATE_LIMITED),
)
async def leave_open(thread_id: Id, tool: ToolName, user: Writer, parts: PartsOf) -> None:
    """Take back what was said of a tool in a thread."""
    store = parts.sending.store.as_user(user.token)
    try:
        await store.set_tool_permission(thread_id, tool, None)
    except StoreError as error:
        raise _thread_error(error, thread_id) from error


def _thread_error(error: StoreError, thread_id: str) -> ApiError | StoreError:
    return not_found("thread", thread_id) if error.code == "NOT_FOUND" else error
