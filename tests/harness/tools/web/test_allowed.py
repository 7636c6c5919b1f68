"""Which hosts and which addresses may be reached."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tools.errors import ToolError
from harness.tools.web._allowed import AllowList, is_public, plain

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]
PUBLIC = ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_the_internets_is_not_public(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_the_internets_is_public(address):
    assert is_public(ip_address(address))


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_address_in_the_clothes_of_ipv6_is_judged_as_itself(address):
    number = int(address)
    dressed = [
        IPv6Address((0xFFFF << 32) | number),
        IPv6Address(int(IPv6Address("64:ff9b::")) | number),
        IPv6Address((0x2002 << 112) | (number << 80)),
    ]
    if not is_public(address):
        assert not any(map(is_public, dressed))
    assert plain(dressed[0]) == address


@pytest.mark.parametrize(
    ("entry", "host", "port"),
    [
        ("example.org", "example.org", 443),
        ("Example.ORG.", "example.org", 80),
        (" example.org ", "example.org", 80),
        ("*.example.org", "a.example.org", 443),
        ("*.example.org", "a.b.example.org", 443),
        ("*", "anything.test", 443),
        ("example.org:8080", "example.org", 8080),
        ("*.example.org:8080", "a.example.org", 8080),
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("10.0.0.0/8", "10.1.2.3", 80),
        ("[::1]:8080", "::1", 8080),
        ("::1", "::1", 80),
        ("[::1]", "0:0:0:0:0:0:0:1", 443),
        ("127.0.0.1", "::ffff:127.0.0.1", 80),
    ],
)
def test_a_listed_host_is_allowed(entry, host, port):
    AllowList([entry]).require_host(host, port)


@pytest.mark.parametrize(
    ("entry", "host", "port"),
    [
        ("example.org", "example.org.evil.test", 443),
        ("example.org", "evil-example.org", 443),
        ("example.org", "www.example.org", 443),
        ("*.example.org", "example.org", 443),
        ("*.example.org", "evilexample.org", 443),
        ("example.org", "example.org", 8080),
        ("example.org:8080", "example.org", 80),
        ("*", "127.0.0.1", 80),
        ("*", "1.1.1.1", 80),
        ("*", "anything.test", 22),
        ("10.0.0.0/8", "11.0.0.1", 80),
        ("127.0.0.1", "::1", 80),
        ("localhost", "127.0.0.1", 80),
    ],
)
def test_a_host_that_is_not_listed_is_refused(entry, host, port):
    with pytest.raises(ToolError, match="may not be fetched from; whoever runs this can list it"):
        AllowList([entry]).require_host(host, port)


def test_an_empty_list_allows_nothing():
    with pytest.raises(ToolError, match=r"example\.org may not be fetched from"):
        AllowList([]).require_host("example.org", 443)


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("entry", ["example.org", "*", "*.org"])
def test_a_name_alone_does_not_allow_a_private_address(entry, address):
    with pytest.raises(ToolError, match="is at the private address"):
        AllowList([entry]).require_address("example.org", ip_address(address), 443)


def test_a_private_address_that_is_listed_is_allowed_at_its_port():
    allowed = AllowList(["wiki.test:8080", "10.0.0.0/24:8080"])
    allowed.require_address("wiki.test", IPv4Address("10.0.0.7"), 8080)
    with pytest.raises(ToolError):
        allowed.require_address("wiki.test", IPv4Address("10.0.0.7"), 443)
    with pytest.raises(ToolError):
        allowed.require_address("wiki.test", IPv4Address("10.0.1.7"), 8080)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_localhost_is_loopback_by_definition(address):
    AllowList(["localhost"]).require_address("localhost", ip_address(address), 80)
    with pytest.raises(ToolError):
        AllowList(["localhost"]).require_address("localhost", IPv4Address("10.0.0.1"), 80)
    with pytest.raises(ToolError):
        AllowList(["*"]).require_address("localhost", ip_address(address), 80)


@pytest.mark.parametrize(
    "entry",
    ["", "http://example.org", "example.org/path", "a b", "user@example.org", "*example.org",
     "a.*.org", "example.org:", "example.org:http", "example.org:123456", "[::1", "-"],
)  # fmt: skip
def test_an_entry_that_is_no_host_is_named(entry):
    with pytest.raises(ToolError, match=r"HARNESS_FETCH_ALLOW lists .* which is no host"):
        AllowList([entry])
