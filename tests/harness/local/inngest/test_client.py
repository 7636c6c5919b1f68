"""The client of apps: connections kept and dropped, answers of every shape HTTP/1.1 has."""

import asyncio
import datetime
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.local.inngest import client as http_client
from harness.local.inngest.client import Client
from harness.local.inngest.connection import HttpError, TimedOut, TooLarge, Unreachable

MAX_BYTES = 1000
UPGRADE = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab"
LONG = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request with the next of the parts given, a part a write."""

    def __init__(self):
        self.answers: list[list[bytes]] = []
        self.requests: list[tuple[int, bytes]] = []  # the connection's number and what came
        self.connections = 0
        self.closed = 0
        self.hang_up = False
        self._handlers = []

    async def start(self, tls=None):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}/api?fnId=a-b"

    async def _serve(self, reader, writer):
        self._handlers.append(asyncio.current_task())
        self.connections += 1
        number = self.connections
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append((number, head + await reader.readexactly(length)))
                for part in self.answers.pop(0) if self.answers else [OK]:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.001)
                if self.hang_up:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        self.closed += 1
        writer.close()

    async def close(self):
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)


@pytest.fixture
async def server():
    made = Server()
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def client():
    made = Client(MAX_BYTES, timeout_s=30)
    yield made
    made.close()
    await asyncio.sleep(0)


async def post(client, url, body=b"{}"):
    return await client.request("POST", url, body, {"x-test": "1"})


async def test_a_request_says_what_it_must_and_is_whole(client, server):
    answer = await post(client, server.url, b'{"large": "' + b"x" * 3_000_000 + b'"}')
    assert (answer.status, answer.body) == (200, b"ok")
    [(_, request)] = server.requests
    head, _, body = request.partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    assert line == b"POST /api?fnId=a-b HTTP/1.1"
    assert f"host: 127.0.0.1:{server.port}".encode() in headers
    assert {b"x-test: 1", b"content-length: 3000013"} <= set(headers)
    assert len(body) == 3_000_013


async def test_one_connection_carries_requests_in_turn_and_several_those_at_once(client, server):
    for _ in range(3):
        await post(client, server.url)
    assert server.connections == 1
    await asyncio.gather(*(post(client, server.url) for _ in range(4)))
    assert server.connections == 4
    await asyncio.gather(*(post(client, server.url) for _ in range(4)))
    assert server.connections == 4


@pytest.mark.parametrize(
    ("parts", "body", "kept"),
    [
        ([b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r", b"\nab", b"cd"], b"abcd", True),
        ([CHUNKED, b"\r\n2\r\ncd\r\n0", b"\r\n\r\n"], b"abcd", True),
        ([b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", OK], b"ok", True),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b"", True),
        ([b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"], b"ok", False),
        ([b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"], b"ok", False),
        ([OK + OK], b"ok", False),
    ],
    ids=["pieces", "chunks", "hints", "empty", "close", "http-1.0", "one-too-many"],
)
async def test_an_answer_is_read_whole_and_its_connection_kept_where_it_may_be(
    client, server, parts, body, kept
):
    server.answers = [parts]
    answer = await post(client, server.url)
    assert answer.body == body
    assert "link" not in answer.headers
    assert (await post(client, server.url)).body == b"ok"
    assert server.connections == (1 if kept else 2)


async def test_an_answer_without_a_length_ends_with_its_connection(client, server):
    server.answers, server.hang_up = [[b"HTTP/1.1 200 OK\r\n\r\nab", b"cd"]], True
    assert (await post(client, server.url)).body == b"abcd"


@pytest.mark.parametrize(
    ("parts", "kind", "words"),
    [
        ([], HttpError, "the connection was closed"),
        ([b"HTTP/1.1 200 OK\r\ncontent-le"], HttpError, "the connection was closed"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"], HttpError, "was closed"),
        ([CHUNKED], HttpError, "closed"),
        ([b"hello\r\n\r\n"], HttpError, "is no HTTP/1.1"),
        ([UPGRADE], HttpError, "is no"),
        ([b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000], HttpError, "bytes of headers"),
        ([LONG, b"x" * 2000], TooLarge, "more than 1000"),
        ([b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2000], TooLarge, "more than 1000"),
    ],
)
async def test_an_answer_that_is_not_whole_is_told_and_its_connection_dropped(
    client, server, parts, kind, words
):
    server.answers, server.hang_up = [parts], True
    with pytest.raises(kind, match=words):
        await post(client, server.url)
    server.hang_up = False
    assert (await post(client, server.url)).body == b"ok"
    assert server.connections == 2


async def test_a_connection_that_the_app_closed_is_not_used_again(client, server, until):
    server.hang_up = True
    await post(client, server.url)
    await until(lambda: server.closed)
    await asyncio.sleep(0.01)
    await post(client, server.url)
    assert server.connections == 2


async def test_connections_that_were_idle_for_long_are_not_used_again(client, server, monkeypatch):
    await asyncio.gather(*(post(client, server.url) for _ in range(3)))
    monkeypatch.setattr(http_client, "IDLE_CONNECTION_S", 0)
    await post(client, server.url)
    assert server.connections == 4


async def test_words_that_nobody_asked_for_close_the_connection(client, server, until):
    server.answers = [[OK, b"HTTP/1.1 408 Request Timeout\r\n", b"content-length: 0\r\n\r\n"]]
    await post(client, server.url)
    await until(lambda: server.closed)
    assert (await post(client, server.url)).status == 200
    assert server.connections == 2


async def test_who_stops_waiting_drops_the_connection(client, server, until):
    server.answers = [[b"HTTP/1.1 200 OK\r\n"]]
    waiting = asyncio.create_task(post(client, server.url))
    await until(lambda: server.requests)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: server.closed)
    assert (await post(client, server.url)).body == b"ok"


async def test_an_answer_has_its_time(server):
    server.answers = [[b"HTTP/1.1 200 OK\r\n"]]
    hasty = Client(MAX_BYTES, timeout_s=0.01)
    with pytest.raises(TimedOut, match=r"did not answer in 0\.01 s"):
        await post(hasty, server.url)
    await asyncio.sleep(0)


async def test_nobody_there_is_told_apart(client, free_port):
    with pytest.raises(Unreachable, match="cannot be reached"):
        await post(client, f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "127.0.0.1:80", "http://", "http://a:b/"])
async def test_what_is_no_address_is_told(client, url):
    with pytest.raises(HttpError, match="is no address of http or https"):
        await post(client, url)


async def test_a_redirected_request_is_sent_again_as_it_is(client, server):
    moved = b"HTTP/1.1 %d Moved\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n"
    server.answers = [[moved % (307, b"/new?fnId=a")], [moved % (302, server.url.encode())]]
    assert (await post(client, server.url, b'{"n": 1}')).body == b"ok"
    lines = [request.split(b"\r\n")[0] for _, request in server.requests]
    assert lines == [
        b"POST /api?fnId=a-b HTTP/1.1",
        b"POST /new?fnId=a HTTP/1.1",
        b"POST /api?fnId=a-b HTTP/1.1",
    ]
    assert all(request.endswith(b'{"n": 1}') for _, request in server.requests)
    server.answers = [[moved % (308, b"/api")] for _ in range(20)]
    with pytest.raises(HttpError, match="redirects more than"):
        await post(client, server.url)
    server.answers = [[moved % (307, b"http://[")]]
    with pytest.raises(HttpError, match="which is no address"):
        await post(client, server.url)


async def test_an_address_is_sent_encoded(client, server):
    await post(client, f"http://127.0.0.1:{server.port}/a b/ü?x=%20é\u2028&y=1")
    [(_, request)] = server.requests
    assert request.startswith(b"POST /a%20b/%C3%BC?x=%20%C3%A9%E2%80%A8&y=1 HTTP/1.1\r\n")


async def test_an_app_is_called_over_tls_when_its_certificate_is_trusted(
    client, server, tmp_path, monkeypatch
):
    certificate = self_signed(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    secure = Server()
    await secure.start(tls)
    with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        await post(client, secure.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    trusting = Client(MAX_BYTES, timeout_s=30)
    assert (await post(trusting, secure.url)).body == b"ok"
    assert (await post(trusting, secure.url)).body == b"ok"
    assert (len(secure.requests), secure.connections) == (2, 1)
    trusting.close()
    await secure.close()


def self_signed(folder):
    """A file with a key and its certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return file
