"""A real server, and a resolver that says what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest


class Server:
    """Answers each path with the bytes that a test gave it, and remembers what was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.port = 0

    def page(self, path: str, body: bytes | str = b"", status: int = 200, **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        named = {"content-type": "text/plain", "content-length": str(len(content))}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        self.answers[path] = f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + content

    def redirect(self, path: str, to: str, status: int = 302) -> None:
        self.page(path, status=status, location=to)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            missing = b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n"
            answer = self.answers.get(head.split()[1], missing)
            writer.write(answer)
            await writer.drain()
            if not answer:
                await reader.read()  # until the other side gives up
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()
    await listening.wait_closed()


@pytest.fixture
def resolver() -> Callable[..., object]:
    """Makes a resolver that gives each name its addresses, one list after the other."""

    def make(**names: list[list[str]]) -> object:
        async def resolve(host: str, port: int) -> list[str]:
            answers = names[host.replace(".", "_").replace("-", "__")]
            return answers.pop(0) if len(answers) > 1 else answers[0]

        return resolve

    return make
