"""From exceptions to the API's one form of error."""

from collections.abc import Sequence

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from harness.chat.errors import ApiError, ErrorBody, ErrorCode, ErrorDetail
from harness.store import StoreError, StoreUnavailable
from harness.telemetry.logs import get_logger
from harness.telemetry.metrics import REQUESTS_REFUSED

_log = get_logger("harness.api")

_BY_STATUS = {
    400: (ErrorCode.MALFORMED_BODY, "send JSON in UTF-8"),
    404: (ErrorCode.NOT_FOUND, "see /docs for what there is"),
    405: (ErrorCode.METHOD_NOT_ALLOWED, "see /docs for what there is"),
}


def error_response(error: ApiError) -> JSONResponse:
    """An error as the API answers it; counts it."""
    REQUESTS_REFUSED.labels(error.code.value).inc()
    request_id = str(structlog.contextvars.get_contextvars().get("request_id", ""))
    detail = ErrorDetail(
        code=error.code, message=error.message, remedy=error.remedy, request_id=request_id
    )
    return JSONResponse(
        ErrorBody(error=detail).model_dump(mode="json"), error.code.status, error.headers
    )


def answer_errors(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer every exception of an application in the one form of error.

    Args:
        app: the application.
        routes: its routes, to name the methods of a path.
    """

    @app.exception_handler(ApiError)
    async def on_api_error(request: Request, error: ApiError) -> JSONResponse:
        return error_response(error)

    @app.exception_handler(StoreError)
    async def on_store_error(request: Request, error: StoreError) -> JSONResponse:
        return error_response(from_store(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        return error_response(_from_validation(error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> JSONResponse:
        code, remedy = _BY_STATUS.get(
            error.status_code, (ErrorCode.INVALID_REQUEST, "see /docs for what there is")
        )
        where = f"{request.method} {request.url.path}"
        headers = dict(error.headers or {})
        if code is ErrorCode.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(routes, request))
        return error_response(ApiError(code, f"{where}: {error.detail}", remedy, headers))

    @app.exception_handler(Exception)
    async def on_fault(request: Request, error: Exception) -> JSONResponse:
        _log.error("request failed", path=request.url.path, exc_info=error)
        fault = ApiError(
            ErrorCode.INTERNAL,
            "something is wrong on our side",
            "send it again; if it stays, report the request_id",
        )
        return error_response(fault)


def _methods(routes: Sequence[BaseRoute], request: Request) -> list[str]:
    """Every method of a path; the framework names only those of its first route."""
    methods: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods)


def from_store(error: StoreError) -> ApiError:
    """What a refusal of Convex is to the sender."""
    if isinstance(error, StoreUnavailable):
        _log.error("convex is away", detail=error.message)
        return ApiError(
            ErrorCode.STORE_UNAVAILABLE,
            "the database does not answer right now",
            "send the same request again in a moment",
            {"Retry-After": "1"},
        )
    codes = {
        "UNAUTHENTICATED": ErrorCode.UNAUTHENTICATED,
        "NOT_FOUND": ErrorCode.NOT_FOUND,
        "INVALID": ErrorCode.INVALID_REQUEST,
        "CONFLICT": ErrorCode.CONFLICT,
    }
    if error.code not in codes:
        _log.error("convex failed", detail=error.message)
        return ApiError(
            ErrorCode.INTERNAL,
            "something is wrong on our side",
            "send it again; if it stays, report the request_id",
        )
    return ApiError(codes[error.code], error.message, "correct the request and send it again")


def _from_validation(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        message = f"the body is no JSON: {first['ctx']['error']}"
        return ApiError(ErrorCode.MALFORMED_BODY, message, "send JSON in UTF-8")
    return ApiError(
        ErrorCode.INVALID_REQUEST, f"{where}: {first['msg']}", "see /docs for what is taken"
    )
