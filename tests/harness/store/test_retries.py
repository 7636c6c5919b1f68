import asyncio
import contextlib
import json

import pytest

from harness.store import Store, StoreUnavailable


class Flaky:
    """A Convex that hangs up on, or refuses, so many calls before it answers one."""

    def __init__(self, failures: int, status: int | None = None) -> None:
        self.failures = failures
        self.status = status
        self.calls = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        await reader.readexactly(int(lengths[0].split(b":")[1]))
        self.calls += 1
        if self.calls > self.failures:
            writer.write(response(200, {"status": "success", "value": "id1"}))
        elif self.status is not None:
            writer.write(response(self.status, {}))
        await writer.drain()
        writer.close()


def response(status: int, body: dict) -> bytes:
    text = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    return head.encode() + text


@pytest.fixture
async def store_over():
    """Starts a flaky Convex and opens a store over it."""
    async with contextlib.AsyncExitStack() as closing:

        async def start(flaky: Flaky, retry_s: float = 15.0) -> Store:
            server = await asyncio.start_server(flaky.serve, "127.0.0.1", 0)
            await closing.enter_async_context(server)
            port = server.sockets[0].getsockname()[1]
            return await closing.enter_async_context(
                Store(f"http://127.0.0.1:{port}", "key", retry_s=retry_s)
            )

        yield start


@pytest.mark.parametrize("status", [None, 429, 502, 503, 504])
async def test_what_may_be_repeated_is_repeated(store_over, status):
    flaky = Flaky(failures=2, status=status)
    store = await store_over(flaky)
    assert await store.ensure_user("u") == "id1"
    assert flaky.calls == 3


@pytest.mark.parametrize("status", [None, 502, 504])
async def test_what_may_have_run_is_not_run_twice(store_over, status):
    flaky = Flaky(failures=1, status=status)
    store = await store_over(flaky)
    with pytest.raises(StoreUnavailable):
        await store.create_thread("u", "t")
    assert flaky.calls == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_what_can_not_have_run_is_run_again(store_over, status):
    flaky = Flaky(failures=1, status=status)
    store = await store_over(flaky)
    assert await store.create_thread("u", "t") == "id1"


async def test_a_convex_that_stays_away_is_named_with_the_remedy(free_port):
    port = free_port()
    async with Store(f"http://127.0.0.1:{port}", "key", retry_s=0.2) as store:
        with pytest.raises(StoreUnavailable, match=rf"127\.0\.0\.1:{port} .*harness doctor"):
            await store.ensure_user("u")
        assert not await store.answers()


async def test_calls_wait_out_a_restart_of_convex(own_convex, user_id):
    async with Store(own_convex.url, own_convex.admin_key, retry_s=60) as store:
        await store.set_preference(user_id, "tone", "dry")
        own_convex.kill()
        asking = asyncio.ensure_future(store.preferences(user_id))
        await asyncio.to_thread(own_convex.start)
        assert await asking == {"tone": "dry"}
