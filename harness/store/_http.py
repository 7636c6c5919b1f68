"""Convex's HTTP API through one keep-alive client.

The official client holds the interpreter's lock while it waits, so queries and mutations take
Convex's documented HTTP API with the official value codec (docs.convex.dev/http-api).
"""

import asyncio
import json
import time
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
from convex import __version__ as convex_version
from convex.values import convex_to_json, json_to_convex

from harness.store.errors import StoreError, StoreUnavailable

Kind = Literal["query", "mutation"]

_TIMEOUT = aiohttp.ClientTimeout(total=20.0, sock_connect=5.0)
_CONNECTIONS = 64
# Node closes an idle connection after 5 s; ours must go first, or a request meets a closing socket.
_KEEP_ALIVE_S = 4.0
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_NOT_RUN = frozenset({429, 503})  # refused before the function ran
_PERHAPS_RUN = frozenset({502, 504})


class Connections:
    """The keep-alive connections to one deployment, opened at the first call.

    They are aiohttp's: a call costs a fifth of the processor time that httpx takes, and the
    pipeline makes a dozen for each message.

    Args:
        url: the deployment's address; a loopback address never goes through a proxy.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session of the running loop."""
        if self._session is None:
            loopback = urlsplit(self.url).hostname in {"127.0.0.1", "localhost", "::1"}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_S),
                timeout=_TIMEOUT,
                trust_env=not loopback,
            )
        return self._session

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


class ConvexHttp:
    """Calls functions of one deployment as one caller.

    Args:
        connections: shared by every caller of the deployment.
        authorization: the whole header, or None for nobody.
        retry_s: how long a call is tried again while Convex does not answer, in seconds.
    """

    def __init__(self, connections: Connections, authorization: str | None, retry_s: float) -> None:
        self._connections = connections
        self._url = connections.url
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
                status, answer = await self._post(kind, body)
                if status not in _NOT_RUN | _PERHAPS_RUN:
                    return _decode(path, status, answer)
                away, may_repeat = f"answered {status}", repeatable or status in _NOT_RUN
            except aiohttp.ClientConnectorError as error:
                away, may_repeat = str(error) or "refused the connection", True
            except (aiohttp.ClientError, TimeoutError) as error:
                away, may_repeat = str(error) or type(error).__name__, repeatable
            if not may_repeat or time.monotonic() + pause > deadline:
                raise StoreUnavailable(
                    f"Convex at {self._url} {away} ({path}); is it running? see `harness doctor`"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def _post(self, kind: Kind, body: bytes) -> tuple[int, bytes]:
        address = f"{self._url}/api/{kind}"
        async with self._connections.session.post(
            address, data=body, headers=self._headers, allow_redirects=False
        ) as response:
            return response.status, await response.read()


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


def _decode(path: str, status: int, content: bytes) -> Any:
    try:
        # The codec refuses JSON integers, which a server may print for whole floats.
        answer = json.loads(content, parse_int=float)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise StoreError("INTERNAL", f"{path}: Convex answered {status} without JSON")
    if answer.get("status") == "success":
        return json_to_convex(answer["value"])
    raise _refusal(path, status, answer)


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
