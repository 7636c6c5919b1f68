"""Getting a page: every hop is checked, and connected to at the very address that was."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

import httpx

from harness.tools.errors import ToolError
from harness.tools.web._allowed import Address, AllowList, as_address, plain

TIMEOUT_S = 20.0  # of a page with all its redirects
MAX_REDIRECTS = 5
MAX_BYTES = 1024 * 1024  # of a page; the rest is not read
PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HEADERS = {
    "Accept": "text/html, application/xhtml+xml, text/*, application/json; q=0.9, */*; q=0.1",
    "Accept-Encoding": "identity",  # a small answer could unpack to a huge one
    "User-Agent": "harness",
    "Connection": "close",
}

Resolve = Callable[[str, int], Awaitable[list[str]]]  # a host's addresses


@dataclass(frozen=True)
class Page:
    """What a server answered.

    Attributes:
        url: where it was found, after redirects.
        content_type: in lower case, without parameters.
        charset: as the server says; None when it does not.
        content: at most `MAX_BYTES` of it.
        cut: whether there was more.
    """

    url: str
    content_type: str
    charset: str | None
    content: bytes
    cut: bool


async def resolve(host: str, port: int) -> list[str]:
    """A host's addresses, as the system finds them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Fetcher:
    """Gets pages of listed hosts: no cookies, no proxy, no credentials.

    Args:
        allow: the hosts, as `HARNESS_FETCH_ALLOW` lists them.
        resolver: gives a host's addresses.
        tls: which certificates are believed; by default those of certifi.

    Raises:
        ToolError: an entry of `allow` is no host.
    """

    def __init__(
        self,
        allow: Sequence[str],
        *,
        resolver: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allowed = AllowList(allow)
        self._resolve = resolver
        self._tls = tls

    async def get(self, url: str) -> Page:
        """Get a page.

        Args:
            url: of http or https.

        Raises:
            ToolError: it may not be fetched, or it is not to be had.
        """
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._follow(_parsed(url))
        except TimeoutError:
            raise ToolError(f"{url} gave no page in {TIMEOUT_S:g} s") from None

    async def _follow(self, url: httpx.URL) -> Page:
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._hop(url)
            if isinstance(answer, Page):
                return answer
            url = answer
        raise ToolError(f"{url} is redirected more than {MAX_REDIRECTS} times")

    async def _hop(self, url: httpx.URL) -> Page | httpx.URL:
        """One request: the page, or where it says to go."""
        host, port = _place(url)
        self._allowed.require_host(host, port)
        addresses = await self._addresses(host, port)
        transport = httpx.AsyncHTTPTransport(verify=self._tls or _certificates(), trust_env=False)
        async with transport:
            for address in addresses:
                try:
                    response = await transport.handle_async_request(_request(url, host, address))
                except httpx.ConnectError as error:
                    refused = error
                    continue
                except httpx.HTTPError as error:
                    raise _unreached(url, error) from None
                try:
                    return await _read(url, response)
                except httpx.HTTPError as error:
                    raise _unreached(url, error) from None
                finally:
                    await response.aclose()
        raise _unreached(url, refused)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        literal = as_address(host)
        try:
            names = [host] if literal else await self._resolve(host, port)
        except (OSError, UnicodeError):
            names = []
        if not names:
            raise ToolError(f"there is no host {host}")
        addresses = [plain(ip_address(name)) for name in names]
        for address in addresses:
            self._allowed.require_address(host, address, port)
        return addresses


async def _read(url: httpx.URL, response: httpx.Response) -> Page | httpx.URL:
    if response.status_code in REDIRECTS and "location" in response.headers:
        return _parsed(str(url.join(response.headers["location"])))
    if response.status_code != 200:
        raise ToolError(f"{url} answered {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise ToolError(f"{url} answered compressed, though it was asked not to")
    content = bytearray()
    async for piece in response.aiter_raw():
        content += piece
        if len(content) > MAX_BYTES:
            break
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    return Page(
        url=str(url),
        content_type=kind,
        charset=response.charset_encoding,
        content=bytes(content[:MAX_BYTES]),
        cut=len(content) > MAX_BYTES,
    )


def _parsed(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text.strip()).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise ToolError(f"{text!r} is no address of a page: {error}") from None
    if url.scheme not in PORTS or not url.host:
        raise ToolError(f"{text!r} is no address of a page; write it as 'https://example.org/page'")
    if url.userinfo:
        raise ToolError(
            f"the address of a page at {url.host} has a user's name in it; leave it out"
        )
    return url


def _place(url: httpx.URL) -> tuple[str, int]:
    host = url.raw_host.decode("ascii").lower().rstrip(".")
    return host, url.port or PORTS[url.scheme]


def _request(url: httpx.URL, host: str, address: Address) -> httpx.Request:
    """A request to an address, in which all but the connection goes by the host's name."""
    seconds = httpx.Timeout(TIMEOUT_S)
    return httpx.Request(
        "GET",
        url.copy_with(host=str(address)),
        headers={**HEADERS, "Host": url.netloc.decode("ascii")},
        extensions={"sni_hostname": host, "timeout": seconds.as_dict()},
    )


def _unreached(url: httpx.URL, error: Exception) -> ToolError:
    return ToolError(f"{url} cannot be reached: {error or type(error).__name__}")


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)
