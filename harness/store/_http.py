"""Convex's HTTP API through one keep-alive client.

The official client holds the interpreter's lock while it waits, so queries and mutations take
Convex's documented HTTP API with the official value codec (docs.convex.dev/http-api).
"""

import asyncio
import json
import time
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from convex import __version__ as convex_version
from convex.values import convex_to_json, json_to_convex

from harness.store.errors import StoreError, StoreUnavailable

Kind = Literal["query", "mutation"]

_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
# Node closes an idle connection after 5 s; ours must go first, or a request meets a closing socket.
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=64, keepalive_expiry=4.0)
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_NOT_RUN = frozenset({429, 503})  # refused before the function ran
_PERHAPS_RUN = frozenset({502, 504})


def new_client(url: str) -> httpx.AsyncClient:
    """An HTTP client for one Convex deployment; a loopback address never goes through a proxy."""
    loopback = urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
    return httpx.AsyncClient(timeout=_TIMEOUT, limits=_LIMITS, trust_env=not loopback)


class ConvexHttp:
    """Calls functions of one deployment as one caller.

    Args:
        client: shared by every caller of the deployment.
        url: the deployment's address.
        authorization: the whole header, or None for nobody.
        retry_s: how long a call is tried again while Convex does not answer, in seconds.
    """

    def __init__(
        self, client: httpx.AsyncClient, url: str, authorization: str | None, retry_s: float
    ) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._headers = {
            "Convex-Client": f"python-{convex_version}",
            "Content-Type": "application/json",
        }
        if authorization is not None:
            self._headers["Authorization"] = authorization
        self._retry_s = retry_s

    async def query(self, path: str, arguments: dict[str, Any]) -> Any:
        """Run a query; it is tried again while Convex is away."""
        return await self._call("query", path, arguments, repeatable=True)

    async def mutation(
        self, path: str, arguments: dict[str, Any], *, repeatable: bool = True
    ) -> Any:
        """Run a mutation.

        Args:
            path: `module:function`.
            arguments: its arguments as Python values.
            repeatable: whether running it twice is the same as once. One that is not is tried
                again only when no connection was made, so that it can't have run.

        Raises:
            StoreError: Convex refused it.
            StoreUnavailable: Convex did not answer in time.
        """
        return await self._call("mutation", path, arguments, repeatable=repeatable)

    async def _call(
        self, kind: Kind, path: str, arguments: dict[str, Any], *, repeatable: bool
    ) -> Any:
        body = _encode(path, arguments)
        deadline = time.monotonic() + self._retry_s
        pause = _FIRST_PAUSE_S
        while True:
            try:
                response = await self._client.post(
                    f"{self._url}/api/{kind}", content=body, headers=self._headers
                )
                status = response.status_code
                if status not in _NOT_RUN | _PERHAPS_RUN:
                    return _decode(path, response)
                away, may_repeat = f"answered {status}", repeatable or status in _NOT_RUN
            except httpx.ConnectError as error:
                away, may_repeat = str(error) or "refused the connection", True
            except httpx.TransportError as error:
                away, may_repeat = str(error) or type(error).__name__, repeatable
            if not may_repeat or time.monotonic() + pause > deadline:
                raise StoreUnavailable(
                    f"Convex at {self._url} {away} ({path}); is it running? see `harness doctor`"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)


def _encode(path: str, arguments: dict[str, Any]) -> bytes:
    try:
        request = {
            "path": path,
            "format": "convex_encoded_json",
            "args": convex_to_json(arguments),
        }
        return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
    except (ValueError, TypeError) as error:  # a lone surrogate, a key or a type Convex has not
        raise StoreError("INVALID", f"{path}: {error}") from error


def _decode(path: str, response: httpx.Response) -> Any:
    try:
        # The codec refuses JSON integers, which a server may print for whole floats.
        answer = json.loads(response.content, parse_int=float)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise StoreError("INTERNAL", f"{path}: Convex answered {response.status_code} without JSON")
    if answer.get("status") == "success":
        return json_to_convex(answer["value"])
    raise _refusal(path, response.status_code, answer)


def _refusal(path: str, status: int, answer: dict[str, Any]) -> StoreError:
    data = answer.get("errorData")
    if isinstance(data, dict) and isinstance(data.get("code"), str):
        return StoreError(data["code"], str(data.get("message", "")))
    message = " ".join(str(answer.get("errorMessage") or answer.get("message") or answer).split())
    if status in (401, 403):
        return StoreError("UNAUTHENTICATED", f"{path}: {message}")
    if "ArgumentValidationError" in message:
        return StoreError("INVALID", f"{path}: {message}")
    return StoreError("INTERNAL", f"{path}: {message}")
