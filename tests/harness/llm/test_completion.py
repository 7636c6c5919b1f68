import asyncio
import json

import pytest

from harness.llm.completion import Limits, complete
from harness.llm.errors import (
    ModelRateLimited,
    ModelRefused,
    ModelStalled,
    ModelUnavailable,
    Stopped,
    StreamCut,
)

LIMITS = Limits(first_s=5, stall_s=0.3)
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def chunk(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    body = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    return f"data: {json.dumps({**body, 'choices': [choice]})}\n\n".encode()


PIECE = chunk("Hel")
LAST = chunk("lo", "stop") + b"data: [DONE]\n\n"


@pytest.fixture
def say(clients, spec):
    async def run(base_url, text, on_text=None, **fields):
        pieces = []

        async def keep(piece):
            pieces.append(piece)

        model = spec(base_url, **fields)
        messages = [{"role": "user", "content": text}]
        completion = await complete(clients.get(model), model, messages, on_text or keep, LIMITS)
        return completion, pieces

    return run


async def test_the_pieces_join_to_the_text(say, settings):
    completion, pieces = await say(settings.simulated_url, "[[say one two three]]")
    assert completion.text == "one two three" == "".join(pieces)
    assert len(pieces) > 1


async def test_usage_and_times_are_told(say, settings):
    completion, _ = await say(settings.simulated_url, "[[say one two three]]")
    assert completion.usage.completion_tokens == 3
    assert completion.usage.prompt_tokens > 0
    assert 0 < completion.ttft_ms <= completion.duration_ms


async def test_a_rate_limit_tells_how_long_to_wait(say, settings):
    with pytest.raises(ModelRateLimited) as caught:
        await say(settings.simulated_url, '[[fault rate_limit {"retry_after_s": 7}]]')
    assert caught.value.retry_after_s == 7


async def test_a_server_error_is_unavailable(say, settings):
    with pytest.raises(ModelUnavailable, match="answered 500"):
        await say(settings.simulated_url, "[[fault server_error]]")


async def test_a_refusal_is_permanent(say, settings):
    with pytest.raises(ModelRefused, match="unknown simulated parameter") as caught:
        await say(settings.simulated_url, "hi", model="simulated?speed=1")
    assert caught.value.permanent


async def test_a_cut_stream_is_no_answer(say, settings):
    with pytest.raises(StreamCut):
        await say(settings.simulated_url, '[[fault cut {"after_tokens": 3}]]')


async def test_a_stream_that_ends_without_its_finish_reason_is_cut(say, raw_server):
    async def answer(reader, writer, number):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SSE + PIECE + b"data: [DONE]\n\n")
        await writer.drain()

    with pytest.raises(StreamCut, match="in the middle"):
        await say(await raw_server(answer), "hi")


async def test_a_stall_is_told_from_an_end(say, settings):
    with pytest.raises(ModelStalled):
        await say(settings.simulated_url, '[[fault stall {"after_tokens": 2}]]')


async def test_an_address_where_nothing_listens_is_unavailable(say, raw_server):
    with pytest.raises(ModelUnavailable, match="can not be reached"):
        await say("http://127.0.0.1:9/v1", "hi")


async def test_a_connection_dropped_before_its_answer_is_tried_once_more(say, raw_server):
    async def answer(reader, writer, number):
        await reader.readuntil(b"\r\n\r\n")
        if number == 0:
            return
        writer.write(SSE + PIECE + LAST)
        await writer.drain()

    completion, _ = await say(await raw_server(answer), "hi")
    assert completion.text == "Hello"


async def test_what_is_not_json_cuts_the_stream(say, raw_server):
    async def answer(reader, writer, number):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SSE + PIECE + b"data: {oops\n\n")
        await writer.drain()

    with pytest.raises(StreamCut, match="not JSON"):
        await say(await raw_server(answer), "hi")


async def test_stopping_closes_the_models_request(say, raw_server):
    closed = asyncio.Event()

    async def answer(reader, writer, number):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SSE + PIECE)
        await writer.drain()
        while await reader.read(4096):
            pass
        closed.set()

    async def stop(_):
        raise Stopped

    with pytest.raises(Stopped):
        await say(await raw_server(answer), "hi", on_text=stop)
    await asyncio.wait_for(closed.wait(), 5)


async def test_cancelling_closes_the_models_request(say, raw_server):
    began, closed = asyncio.Event(), asyncio.Event()

    async def answer(reader, writer, number):
        await reader.readuntil(b"\r\n\r\n")
        began.set()
        while await reader.read(4096):
            pass
        closed.set()

    task = asyncio.create_task(say(await raw_server(answer), "hi"))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(closed.wait(), 5)


async def test_a_proxy_of_the_environment_is_not_asked_for_a_server_of_this_machine(
    say, settings, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    where = {"name": "mine", "provider": "openai-compatible"}
    completion, _ = await say(settings.simulated_url, "[[say hello]]", **where)
    assert completion.text == "hello"
