"""The engine's HTTP client: connections to apps that are kept and used again."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from urllib.parse import quote, urljoin, urlsplit

from harness.local.inngest.connection import Connection, HttpError, Response, Unreachable

CONNECT_TIMEOUT_S = 10
# Below uvicorn's five seconds, so that a call does not go down a connection the app is closing.
IDLE_CONNECTION_S = 4
MAX_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_IN_A_URL = "!#$%&'()*+,/:;=?@[]~"  # what stays as it is; anything else is escaped
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a request goes; `line` is what stands in its head after the method."""

    origin: tuple[str, str, int]
    line: bytes


class Client:
    """Sends requests and keeps connections for the next ones.

    Args:
        max_bytes: of an answer's body.
        timeout_s: how long an answer may take.
    """

    def __init__(self, max_bytes: int, timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._idle: dict[tuple[str, str, int], dict[Connection, None]] = {}
        self._loop = asyncio.get_running_loop()

    async def request(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str]
    ) -> Response:
        """Send a request; one that is redirected is sent again as it is, as Inngest does.

        Args:
            headers: beside `host`, `content-length` and `accept-encoding`.

        Raises:
            Unreachable: nothing takes the connection.
            TooLarge: the answer is larger than `max_bytes`.
            HttpError: the connection broke, or what came down it is not HTTP.
            TimedOut: there was no answer in time.
        """
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        tail = f"{fields}content-length: {len(body)}\r\n\r\n".encode()
        for _ in range(MAX_REDIRECTS):
            target = _target(url)
            head = b"%s %s%s" % (method.encode(), target.line, tail)
            answer = await self._exchange(target, head, body)
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return answer
            url = _redirected(url, answer.headers["location"])
        raise HttpError(f"redirects more than {MAX_REDIRECTS} times, last to {url}")

    def close(self) -> None:
        """Close the connections that are kept."""
        for idle in self._idle.values():
            for connection in list(idle):
                connection.close()

    async def _exchange(self, target: _Target, head: bytes, body: bytes) -> Response:
        connection = self._kept(target) or await self._connect(target)
        try:
            answer = await connection.send(head, body, self._timeout_s)
        except BaseException:
            connection.close()
            raise
        if connection.reusable:
            self._idle.setdefault(target.origin, {})[connection] = None
        else:
            connection.close()
        return answer

    def _kept(self, target: _Target) -> Connection | None:
        """The connection that was used last, unless even that may be about to be closed."""
        idle = self._idle.get(target.origin)
        if not idle:
            return None
        connection, _ = idle.popitem()
        if self._loop.time() - connection.idle_since < IDLE_CONNECTION_S:
            return connection
        for old in (connection, *idle):
            old.close()
        idle.clear()
        return None

    async def _connect(self, target: _Target) -> Connection:
        scheme, host, port = target.origin

        def lost(connection: Connection) -> None:
            self._idle.get(target.origin, {}).pop(connection, None)

        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self._max_bytes, lost),
                    host,
                    port,
                    ssl=self._tls if scheme == "https" else None,
                )
        except TimeoutError:
            raise Unreachable(
                f"cannot be reached: no connection in {CONNECT_TIMEOUT_S} s"
            ) from None
        except OSError as error:
            raise Unreachable(f"cannot be reached: {error}") from None
        return connection

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()


def _redirected(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        raise HttpError(f"redirects to {location!r}, which is no address") from None


@lru_cache(maxsize=4096)
def _target(url: str) -> _Target:
    """Where `url` points.

    Raises:
        HttpError: it is none, or of another scheme than http and https.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
        name = parts.netloc.rpartition("@")[2].encode("idna").decode()
    except (ValueError, KeyError):
        host, port, name = None, 0, ""
    if not host:
        raise HttpError("is no address of http or https")
    path = quote(parts.path or "/", safe=_IN_A_URL)
    query = f"?{quote(parts.query, safe=_IN_A_URL)}" if parts.query else ""
    # Compressing an answer that stays on one machine would cost both sides more than it saves.
    line = f"{path}{query} HTTP/1.1\r\nhost: {name}\r\naccept-encoding: identity\r\n"
    return _Target((parts.scheme, host, port), line.encode())
