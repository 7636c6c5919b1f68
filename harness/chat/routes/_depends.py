"""What routes take from the application and from the request."""

from typing import Annotated, Any

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from harness.chat.authenticate_user import SignedIn
from harness.chat.errors import ErrorBody, ErrorCode
from harness.chat.parts import Parts


def get_parts(request: Request) -> Parts:
    """The application's parts."""
    parts: Parts = request.app.state.parts
    return parts


# For the OpenAPI; the authenticator reads the headers itself.
_BEARER = HTTPBearer(auto_error=False, description="A Clerk session token.")
_COOKIE = APIKeyCookie(name="__session", auto_error=False, description="Clerk's cookie.")


def get_user(
    request: Request,
    bearer: Annotated[Any, Security(_BEARER)],
    cookie: Annotated[Any, Security(_COOKIE)],
) -> SignedIn:
    """The signed-in sender of the request."""
    return get_parts(request).authenticator.authenticate(request.headers)


async def get_writer(request: Request, user: Annotated[SignedIn, Depends(get_user)]) -> SignedIn:
    """The signed-in sender of a request that changes something, within their limit."""
    parts = get_parts(request)
    if not await parts.writes.charge(user.user_id):
        raise await parts.writes.exceeded(user.user_id)
    return user


PartsOf = Annotated[Parts, Depends(get_parts)]
User = Annotated[SignedIn, Depends(get_user)]
Writer = Annotated[SignedIn, Depends(get_writer)]


def refusals(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for its OpenAPI; every one of ours may also fail.

    Args:
        codes: those that are the route's own.
    """
    always = (ErrorCode.UNAUTHENTICATED, ErrorCode.STORE_UNAVAILABLE, ErrorCode.INTERNAL)
    by_status: dict[int | str, list[str]] = {}
    for code in (*codes, *always):
        by_status.setdefault(int(code.status), []).append(code.value)
    return {
        status: {"model": ErrorBody, "description": " or ".join(f"`{name}`" for name in names)}
        for status, names in by_status.items()
    }


BODY = (ErrorCode.MALFORMED_BODY, ErrorCode.INVALID_REQUEST, ErrorCode.TOO_LARGE)
