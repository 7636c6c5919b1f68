"""Every error the API answers: a stable code, a status, and what the sender can do."""

from enum import StrEnum
from http import HTTPStatus

from pydantic import BaseModel


class ErrorCode(StrEnum):
    """The API's error codes."""

    MALFORMED_BODY = "malformed_body"
    UNAUTHENTICATED = "unauthenticated"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    THREAD_ARCHIVED = "thread_archived"
    THREAD_BUSY = "thread_busy"
    REPLY_CLOSED = "reply_closed"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    INVALID_REQUEST = "invalid_request"
    EMPTY_TEXT = "empty_text"
    UNKNOWN_MODEL = "unknown_model"
    RATE_LIMITED = "rate_limited"
    QUEUE_UNAVAILABLE = "queue_unavailable"
    STORE_UNAVAILABLE = "store_unavailable"
    INTERNAL = "internal"

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that goes with the code."""
        return _STATUS[self]


_STATUS = {
    ErrorCode.MALFORMED_BODY: HTTPStatus.BAD_REQUEST,
    ErrorCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    ErrorCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    ErrorCode.METHOD_NOT_ALLOWED: HTTPStatus.METHOD_NOT_ALLOWED,
    ErrorCode.THREAD_ARCHIVED: HTTPStatus.CONFLICT,
    ErrorCode.THREAD_BUSY: HTTPStatus.CONFLICT,
    ErrorCode.REPLY_CLOSED: HTTPStatus.CONFLICT,
    ErrorCode.CONFLICT: HTTPStatus.CONFLICT,
    ErrorCode.TOO_LARGE: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ErrorCode.INVALID_REQUEST: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.EMPTY_TEXT: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.UNKNOWN_MODEL: HTTPStatus.UNPROCESSABLE_ENTITY,
    ErrorCode.RATE_LIMITED: HTTPStatus.TOO_MANY_REQUESTS,
    ErrorCode.QUEUE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.STORE_UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    ErrorCode.INTERNAL: HTTPStatus.INTERNAL_SERVER_ERROR,
}


class ErrorDetail(BaseModel):
    """What went wrong, what to do about it, and the id to find it by in the logs."""

    code: ErrorCode
    message: str
    remedy: str
    request_id: str


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorDetail


class ApiError(Exception):
    """A request that can't be served.

    Args:
        code: which error it is.
        message: one line naming the thing and its value.
        remedy: what the sender can do.
        headers: of the answer, such as Retry-After.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        remedy: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.headers = headers or {}


def not_found(what: str, value: str) -> ApiError:
    """The thing is not there, or is somebody else's: the two must look alike."""
    return ApiError(
        ErrorCode.NOT_FOUND,
        f"there is no {what} {value[:80]!r}",
        f"check the {what}'s id and whose token you send",
    )
