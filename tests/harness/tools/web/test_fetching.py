"""Getting pages over real sockets: only what is listed, at the address that was checked."""

import asyncio
import ssl

import pytest

from harness.tools.errors import ToolError
from harness.tools.web import Fetcher, fetching

SILENCE = b""


@pytest.fixture
def local(server):
    """A fetcher that may fetch from the server, by its address."""
    return Fetcher([f"127.0.0.1:{server.port}"])


@pytest.fixture
def url(server):
    return f"http://127.0.0.1:{server.port}"


async def test_a_page_is_fetched(server, local, url):
    server.page("/a?b=c", "hello", content_type="Text/Plain; charset=latin-1")
    page = await local.get(f"{url}/a?b=c#part")
    assert page == fetching.Page(f"{url}/a?b=c", "text/plain", "latin-1", b"hello", False)


async def test_a_request_carries_nothing_of_its_user(server, local, url, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.page("/", "x", set_cookie="id=1")
    await local.get(f"{url}/")
    await local.get(f"{url}/")
    heads = [head.lower() for head in server.requests]
    assert heads[0] == heads[1]
    names = {line.split(":")[0] for line in heads[0].splitlines()[1:] if line}
    assert names == {"host", "accept", "accept-encoding", "user-agent", "connection"}


async def test_nothing_is_fetched_when_nothing_is_listed(server, url):
    server.page("/", "x")
    with pytest.raises(ToolError, match="list it in HARNESS_FETCH_ALLOW"):
        await Fetcher([]).get(f"{url}/")
    assert server.requests == []


async def test_a_name_is_connected_to_at_its_checked_address(server, resolver):
    server.page("/", "x")
    allow = [f"site.test:{server.port}", f"127.0.0.1:{server.port}"]
    fetcher = Fetcher(allow, resolver=resolver(site_test=[["127.0.0.1"]]))
    page = await fetcher.get(f"http://Site.TEST:{server.port}/")
    assert page.content == b"x"
    assert f"\r\nhost: site.test:{server.port}\r\n" in server.requests[0].lower()


async def test_a_name_that_changes_its_address_is_asked_once(server, resolver):
    """A second answer, which would be believed without pinning, is never asked for."""
    server.page("/", "x")
    asked = []
    inner = resolver(site_test=[["127.0.0.1"], ["10.0.0.1"]])

    async def counting(host, port):
        asked.append(host)
        return await inner(host, port)

    allow = [f"site.test:{server.port}", f"127.0.0.1:{server.port}"]
    await Fetcher(allow, resolver=counting).get(f"http://site.test:{server.port}/")
    assert asked == ["site.test"]
    assert len(server.requests) == 1


async def test_a_listed_name_that_points_into_this_network_is_refused(server, resolver):
    server.page("/", "x")
    fetcher = Fetcher(
        [f"site.test:{server.port}", "*"], resolver=resolver(site_test=[["127.0.0.1"]])
    )
    with pytest.raises(ToolError, match=r"site\.test is at the private address 127\.0\.0\.1"):
        await fetcher.get(f"http://site.test:{server.port}/")
    assert server.requests == []


@pytest.mark.parametrize("bad", ["10.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"])
async def test_one_private_address_among_public_ones_is_refused(resolver, bad):
    fetcher = Fetcher(["site.test"], resolver=resolver(site_test=[["93.184.216.34", bad]]))
    with pytest.raises(ToolError, match="is at the private address"):
        await fetcher.get("http://site.test/")


@pytest.mark.parametrize(
    "host",
    ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "0", "localhost",
     "127.0.0.1.", "[::ffff:127.0.0.1]", "[::1]", "[::ffff:7f00:1]", "①②⑦.⓪.⓪.①"],
)  # fmt: skip
async def test_loopback_is_not_reached_however_it_is_written(server, host):
    server.page("/", "x")
    allow = ["*", f"*:{server.port}"]
    with pytest.raises(ToolError, match=r"may not be fetched|no host|no address of a page"):
        await Fetcher(allow).get(f"http://{host}:{server.port}/")
    assert server.requests == []


async def test_a_name_that_ends_with_a_dot_is_the_same_name(server, resolver):
    server.page("/", "x")
    allow = [f"site.test:{server.port}", f"127.0.0.1:{server.port}"]
    fetcher = Fetcher(allow, resolver=resolver(site_test=[["127.0.0.1"]]))
    assert (await fetcher.get(f"http://site.test.:{server.port}/")).content == b"x"


@pytest.mark.parametrize(
    "template",
    [
        "http://allowed.test@127.0.0.1:{port}/",
        "http://allowed.test:80@127.0.0.1:{port}/",
        "http://user:secret@allowed.test/",
        "http://allowed.test\\@127.0.0.1:{port}/",
        "http://127.0.0.1:{port}\\@allowed.test/",
        "ftp://allowed.test/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "//allowed.test/",
        "http:///x",
        "http://",
        "http://allowed.test:99999/",
        "http://al lowed.test/",
        "http://allowed.test\r\nHost: x/",
    ],
)
async def test_tricks_with_addresses_lead_nowhere(server, resolver, template):
    server.page("/", "x")
    fetcher = Fetcher(["allowed.test"], resolver=resolver(allowed_test=[["192.0.2.1"]]))
    with pytest.raises(ToolError) as refused:
        await fetcher.get(template.format(port=server.port))
    assert "secret" not in str(refused.value)
    assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(server, local, url, status):
    server.redirect("/a/b", "../c", status)
    server.page("/c", "there")
    page = await local.get(f"{url}/a/b")
    assert (page.url, page.content) == (f"{url}/c", b"there")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://inner.test:{port}/",
        "//2130706433:{port}/",
        "http://x@127.0.0.1:{port}/",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_is_checked_like_the_first_address(server, resolver, target):
    server.redirect("/", target.format(port=server.port))
    allow = [f"127.0.0.1:{server.port}", f"inner.test:{server.port}"]
    fetcher = Fetcher(allow, resolver=resolver(inner_test=[["127.0.0.2"]], localhost=[["::1"]]))
    with pytest.raises(ToolError):
        await fetcher.get(f"http://127.0.0.1:{server.port}/")
    assert len(server.requests) == 1


async def test_redirects_end(server, local, url):
    server.redirect("/", "/")
    with pytest.raises(ToolError, match="redirected more than 5 times"):
        await local.get(f"{url}/")
    assert len(server.requests) == 6


async def test_cookies_are_not_taken_along(server, local, url):
    server.page("/", status=302, location="/next", set_cookie="id=1")
    server.page("/next", "x")
    await local.get(f"{url}/")
    assert "cookie" not in server.requests[1].lower()


async def test_only_the_start_of_a_large_page_is_read(server, local, url):
    server.page("/", b"x" * (fetching.MAX_BYTES + 5))
    page = await local.get(f"{url}/")
    assert (len(page.content), page.cut) == (fetching.MAX_BYTES, True)


async def test_a_page_of_just_that_size_is_not_cut(server, local, url):
    server.page("/", b"x" * fetching.MAX_BYTES)
    assert not (await local.get(f"{url}/")).cut


async def test_a_compressed_answer_is_not_unpacked(server, local, url):
    server.page("/", b"\x1f\x8b", content_encoding="gzip")
    with pytest.raises(ToolError, match="answered compressed"):
        await local.get(f"{url}/")


@pytest.mark.parametrize("status", [204, 401, 404, 500])
async def test_what_is_no_page_is_told_by_its_status(server, local, url, status):
    server.page("/", status=status)
    with pytest.raises(ToolError, match=f"answered {status}"):
        await local.get(f"{url}/")


async def test_a_server_that_says_nothing_is_given_up(server, local, url, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.2)
    server.answers["/"] = SILENCE
    with pytest.raises(ToolError, match=r"gave no page in 0\.2 s"):
        await local.get(f"{url}/")


async def test_nonsense_and_refused_connections_are_told_in_a_line(server, local, url, free_port):
    server.answers["/"] = b"no http at all\r\n\r\n"
    with pytest.raises(ToolError, match="cannot be reached"):
        await local.get(f"{url}/")
    port = free_port()
    with pytest.raises(ToolError, match="cannot be reached"):
        await Fetcher([f"127.0.0.1:{port}"]).get(f"http://127.0.0.1:{port}/")


async def test_the_next_address_is_tried_when_one_refuses(server, resolver):
    server.page("/", "x")
    allow = [f"site.test:{server.port}", f"127.0.0.0/8:{server.port}"]
    found = resolver(site_test=[["127.0.0.9", "127.0.0.1"]])
    page = await Fetcher(allow, resolver=found).get(f"http://site.test:{server.port}/")
    assert page.content == b"x"


async def test_a_host_that_nobody_knows_is_named(resolver):
    async def unknown(host, port):
        raise OSError("no such name")

    with pytest.raises(ToolError, match=r"there is no host site\.test"):
        await Fetcher(["site.test"], resolver=unknown).get("http://site.test/")


class TestTls:
    """The certificate is checked against the name, though the connection is to an address."""

    @pytest.fixture
    async def secure(self, certificate):
        names = []

        async def answer(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
            )
            await writer.drain()
            writer.close()

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _, name, __: names.append(name)
        listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        yield listening.sockets[0].getsockname()[1], names
        listening.close()
        await listening.wait_closed()

    async def get(self, certificate, port, resolver, name):
        tls = ssl.create_default_context(cafile=certificate)
        allow = [f"{name}:{port}", f"127.0.0.1:{port}"]
        found = resolver(**{name.replace(".", "_"): [["127.0.0.1"]]})
        return await Fetcher(allow, resolver=found, tls=tls).get(f"https://{name}:{port}/")

    async def test_the_name_is_what_the_certificate_must_have(self, secure, certificate, resolver):
        port, names = secure
        assert (await self.get(certificate, port, resolver, "site.test")).content == b"ok"
        assert names == ["site.test"]

    async def test_another_name_is_refused(self, secure, certificate, resolver):
        with pytest.raises(ToolError, match=r"cannot be reached: .*certificate"):
            await self.get(certificate, secure[0], resolver, "other.test")


@pytest.fixture
def certificate(tmp_path):
    """A certificate of site.test that signs itself, with its key."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "site.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("site.test")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "site.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path
