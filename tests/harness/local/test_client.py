import asyncio

import pytest
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from harness.client import ChatClient, RequestRefused
from harness.errors import HarnessError
from harness.local.ports import free_port
from harness.settings import Settings


@pytest.fixture
def client_at(tmp_path):
    """Makes a client of an API address."""

    def make(url, **fields):
        return ChatClient(Settings(home=tmp_path, api_url=url), "user_a", **fields)

    return make


async def answering(serve, status, **fields):
    """The address of a server that gives one answer to everything."""

    async def answer(request):
        return Response(status_code=status, **fields)

    return serve(Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])).url


async def test_an_api_that_is_not_there_is_named_with_a_remedy(client_at):
    url = f"http://127.0.0.1:{free_port()}"
    async with client_at(url) as client:
        with pytest.raises(HarnessError, match=rf"{url} does not answer.*harness up"):
            await client.create_thread("t")


async def test_a_refusal_carries_the_apis_code_and_remedy(client_at, serve):
    body = '{"error":{"code":"not_found","message":"no thread","remedy":"ask","request_id":"r"}}'
    async with client_at(await answering(serve, 404, content=body)) as client:
        with pytest.raises(RequestRefused) as caught:
            await client.send("thread", "hello")
    assert (caught.value.status, caught.value.code, str(caught.value)) == (
        404, "not_found", "no thread. ask",
    )  # fmt: skip


async def test_an_answer_of_something_else_is_shown(client_at, serve):
    async with client_at(await answering(serve, 502, content="<h1>Bad gateway")) as client:
        with pytest.raises(RequestRefused, match="502 '<h1>Bad gateway"):
            await client.cancel("key")


async def test_a_token_is_used_again_while_it_holds(client_at):
    made = []

    async def source():
        made.append(1)
        return f"token-{len(made)}"

    async with client_at("http://127.0.0.1:9", token=source) as client:
        assert [await client.token(), await client.token()] == ["token-1", "token-1"]


async def test_a_token_is_renewed_before_it_expires(client_at, monkeypatch):
    monkeypatch.setattr("harness.client._RENEW_AFTER_S", 0.0)
    async with client_at("http://127.0.0.1:9") as client:
        first = await client.token()
        assert await client.token() != first


async def test_the_old_flows_answer_is_read_to_its_end(client_at, serve):
    read = []

    async def events():
        yield b'event: ack\ndata: {"message_key":"k","thread_id":"t","event_id":"k"}\n\n'
        for number in range(50):
            read.append(number)
            yield b"event: delta\ndata: {}\n\n"

    async def answer(request):
        return StreamingResponse(events(), media_type="text/event-stream")

    url = serve(Starlette(routes=[Route("/api/messages", answer, methods=["POST"])])).url
    async with client_at(url) as client:
        ack = await client.send("t", "hello")
        await asyncio.gather(*client._streams)
    assert ack.message_key == "k"
    assert len(read) == 50
