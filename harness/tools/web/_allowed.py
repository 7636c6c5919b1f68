"""Which hosts may be fetched from, and which of their addresses may be connected to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from harness.tools.errors import ToolError

Address = IPv4Address | IPv6Address

USUAL_PORTS = (80, 443)
LOCALHOST = "localhost"  # (RFC 6761)
_NAT64 = IPv6Network("64:ff9b::/96")
_NAME = re.compile(r"\*|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?")
_WITH_PORT = re.compile(r"(\[.*\]|[^:\[\]]*)(?::(\d{1,5}))?")


@dataclass(frozen=True)
class _Entry:
    name: str  # empty for addresses
    first: Address | None
    last: Address | None
    port: int | None

    def has_port(self, port: int) -> bool:
        return port == self.port if self.port is not None else port in USUAL_PORTS

    def has_name(self, host: str) -> bool:
        if self.name.startswith("*"):
            return host.endswith(self.name[1:])
        return self.name != "" and self.name == host

    def has_address(self, address: Address) -> bool:
        if self.first is None or self.last is None or address.version != self.first.version:
            return False
        return int(self.first) <= int(address) <= int(self.last)


class AllowList:
    """What `HARNESS_FETCH_ALLOW` lists.

    A name allows its public addresses. A private one must be listed as an address or a network
    itself: who answers for a name could otherwise point it into this network.

    Args:
        entries: hosts as `example.org`, `*.example.org`, `example.org:8080`, `10.1.0.0/16`.

    Raises:
        ToolError: an entry is none of these.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries = [_entry(text.strip().lower()) for text in entries]

    def require_host(self, host: str, port: int) -> None:
        """Refuse a host that is not listed.

        Raises:
            ToolError: it is not.
        """
        literal = as_address(host)
        for entry in self._entries:
            matches = entry.has_name(host) if literal is None else entry.has_address(literal)
            if matches and entry.has_port(port):
                return
        shown = host if port in USUAL_PORTS else f"{host}:{port}"
        raise ToolError(
            f"{shown} may not be fetched from; whoever runs this can list it in HARNESS_FETCH_ALLOW"
        )

    def require_address(self, host: str, address: Address, port: int) -> None:
        """Refuse an address of a listed host that is neither public nor listed.

        Raises:
            ToolError: it is not.
        """
        if is_public(address):
            return
        # localhost means loopback by definition, so that naming it is naming the address.
        local = address.is_loopback and host == LOCALHOST
        if not any(
            (entry.has_address(address) or (local and entry.name == host)) and entry.has_port(port)
            for entry in self._entries
        ):
            raise ToolError(
                f"{host} is at the private address {address}, which may not be fetched from; "
                "whoever runs this can list the address itself in HARNESS_FETCH_ALLOW"
            )


def as_address(host: str) -> Address | None:
    """The address that a host is, written in the usual way; None for a name."""
    try:
        return plain(ip_address(host))
    except ValueError:
        return None


def plain(address: Address) -> Address:
    """An address, as IPv4 where it is that in IPv6's clothes."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet's, and so is every other one inside of it."""
    return all(map(_is_global, _forms(address)))


def _forms(address: Address) -> Iterator[Address]:
    if isinstance(address, IPv4Address):
        yield address
    elif address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    else:
        yield address
        yield from filter(None, (address.ipv4_mapped, address.sixtofour))
        yield from address.teredo or ()


def _is_global(address: Address) -> bool:
    special = address.is_multicast or address.is_reserved or address.is_loopback
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not special and not site_local


def _entry(text: str) -> _Entry:
    host, port = text, None
    if text.count(":") < 2 or "[" in text:  # else an IPv6 address without brackets
        parts = _WITH_PORT.fullmatch(text)
        if parts is None:
            raise _wrong(text)
        host, port = parts[1].strip("[]"), int(parts[2]) if parts[2] else None
    try:
        network = ip_network(host)
        return _Entry("", network.network_address, network.broadcast_address, port)
    except ValueError:
        pass
    if not _NAME.fullmatch(host.rstrip(".")):
        raise _wrong(text)
    return _Entry(host.rstrip("."), None, None, port)


def _wrong(text: str) -> ToolError:
    return ToolError(
        f"HARNESS_FETCH_ALLOW lists {text!r}, which is no host; "
        "write hosts as 'example.org', '*.example.org' or '127.0.0.1:8080'"
    )
