"""The cache of model answers, between a client and a model server on real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from evals.answer_cache import AnswerCache, Upstream, settings_at, upstream_of
from evals.answer_store import AnswerStore, KeptAnswer, request_key
from harness.llm.models import resolve_model
from harness.settings import Settings

ASKED = [{"role": "user", "content": "Which day is it?"}]


class ScriptedModel:
    """Answers each request by the next of its script, the last one for good; counts requests."""

    def __init__(self) -> None:
        self.script = ["Tuesday"]
        self.asked: list[dict] = []
        self.headers: list[dict] = []
        self.going_on = asyncio.Event()
        self.going_on.set()
        self.cancelled = asyncio.Event()

    async def chat(self, request) -> Response:
        self.headers.append(dict(request.headers))
        self.asked.append(await request.json())
        text = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if text == "busy":
            return JSONResponse({"error": {"message": "busy"}}, 429, {"retry-after": "7"})
        if not self.asked[-1].get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}}
            reason = None if text == "unfinished" else "stop"
            return JSONResponse({"id": "1", "choices": [{**choice, "finish_reason": reason}]})
        return StreamingResponse(self._events(text), media_type="text/event-stream")

    async def _events(self, text: str) -> AsyncIterator[bytes]:
        try:
            yield _event({"content": text[:3]})
            await self.going_on.wait()
            if text == "broken":
                raise ConnectionResetError
            yield _event({"content": text[3:]})
            if text == "sorry":
                yield b'data: {"error": {"message": "overloaded"}}\n\n'
            else:
                yield _event({}, "stop")
            yield b"data: [DONE]\n\n"
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def models(self, _request) -> Response:
        return JSONResponse({"object": "list", "data": []})


def _event(delta: dict, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return f"data: {json.dumps({'id': '1', 'choices': [choice]})}\n\n".encode()


@pytest.fixture
def model():
    return ScriptedModel()


@pytest.fixture
async def upstream(model, serving):
    routes = [
        Route("/v1/chat/completions", model.chat, methods=["POST"]),
        Route("/v1/models", model.models),
    ]
    async with serving(Starlette(routes=routes)) as url:
        yield Upstream(f"{url}/v1", "scripted", local=True)


@pytest.fixture
def caching(upstream, tmp_path):
    """Opens the cache of one folder, as each run does anew, and a client of it."""

    @asynccontextmanager
    async def open_cache(on_served=None):
        async with AnswerCache(AnswerStore(tmp_path / "answers"), upstream, on_served) as cache:
            http = DefaultAsyncHttpxClient(trust_env=False)
            key = "sk-secret"
            async with AsyncOpenAI(
                base_url=cache.url, api_key=key, max_retries=0, http_client=http
            ) as client:
                yield cache, client

    return open_cache


async def _stream(client, salt=None, tag="", messages=ASKED, **more) -> str:
    headers = {"x-answer-tag": tag, **({"x-answer-salt": salt} if salt else {})}
    stream = await client.chat.completions.create(
        model="m", messages=messages, stream=True, extra_headers=headers, **more
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])


async def test_a_second_run_gets_the_answer_without_the_model(caching, model):
    async with caching() as (cache, client):
        assert await _stream(client) == "Tuesday"
        assert (cache.hits, cache.misses) == (0, 1)
    model.script = ["Wednesday"]
    async with caching() as (cache, client):
        assert await _stream(client) == "Tuesday"
        assert (cache.hits, cache.misses) == (1, 0)
    assert len(model.asked) == 1


async def test_an_answer_in_one_piece_is_kept_too(caching, model):
    async with caching() as (_, client):
        for _ in range(2):
            answer = await client.chat.completions.create(model="m", messages=ASKED)
            assert answer.choices[0].message.content == "Tuesday"
    assert len(model.asked) == 1


async def test_another_request_is_another_answer(caching, model):
    async with caching() as (_, client):
        await _stream(client)
        await _stream(client, temperature=0.5)
        await _stream(client, messages=[{"role": "user", "content": "Which month is it?"}])
    assert len(model.asked) == 3


async def test_each_repeat_has_an_answer_of_its_own_and_the_same_in_another_run(caching, model):
    model.script = ["Tuesday", "Wednesday"]
    for _ in range(2):
        async with caching() as (cache, client):
            assert await _stream(client, salt="0") == "Tuesday"
            assert await _stream(client, salt="1") == "Wednesday"
            cache.salt = "1"
            assert await _stream(client) == "Wednesday"
    assert len(model.asked) == 2


async def test_ids_that_the_sender_gave_to_tool_calls_are_not_what_is_asked(caching, model):
    def past(first: str, second: str) -> list[dict]:
        function = {"name": "today", "arguments": "{}"}
        calls = [{"id": each, "type": "function", "function": function} for each in (first, second)]
        told = [{"role": "tool", "tool_call_id": each, "content": each[-1]} for each in (second,)]
        return [*ASKED, {"role": "assistant", "tool_calls": calls}, *told]

    async with caching() as (_, client):
        await _stream(client, messages=past("run-a-0", "run-a-1"))
        await _stream(client, messages=past("run-b-0", "run-b-1"))
    assert len(model.asked) == 1
    swapped = past("x-0", "x-1")
    swapped[-1]["tool_call_id"] = "x-0"
    keys = {
        request_key("m", "/", {"messages": each}, "0") for each in (past("x-0", "x-1"), swapped)
    }
    assert len(keys) == 2


async def test_pieces_are_passed_on_as_they_come(caching, model):
    model.going_on.clear()
    async with caching() as (_, client):
        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        first = await anext(aiter(stream))
        assert first.choices[0].delta.content == "Tue"
        model.going_on.set()
        assert "".join([c.choices[0].delta.content or "" async for c in stream]) == "sday"


async def test_equal_requests_at_the_same_time_are_asked_once(caching, model):
    model.script = ["Tuesday", "Wednesday"]
    async with caching() as (_, client):
        assert set(await asyncio.gather(*(_stream(client) for _ in range(5)))) == {"Tuesday"}
    assert len(model.asked) == 1


@pytest.mark.parametrize("wrong", ["busy", "broken", "sorry"])
async def test_what_goes_wrong_is_passed_on_and_asked_again(caching, model, wrong):
    model.script = [wrong, "Tuesday"]
    async with caching() as (cache, client):
        with pytest.raises((openai.APIError, openai.APIConnectionError)) as raised:
            await _stream(client)
        if wrong == "busy":
            assert raised.value.response.headers["retry-after"] == "7"
        assert await _stream(client) == "Tuesday"
        assert (cache.hits, cache.misses) == (0, 2)


async def test_an_unfinished_answer_is_not_kept(caching, model):
    model.script = ["unfinished", "Tuesday"]
    async with caching() as (_, client):
        await client.chat.completions.create(model="m", messages=ASKED)
        answer = await client.chat.completions.create(model="m", messages=ASKED)
        assert answer.choices[0].message.content == "Tuesday"


async def test_a_client_that_goes_away_ends_the_model_s_work(caching, model):
    model.going_on.clear()
    async with caching() as (_, client):
        stream = await client.chat.completions.create(model="m", messages=ASKED, stream=True)
        await anext(aiter(stream))
        await stream.close()
        async with asyncio.timeout(5):
            await model.cancelled.wait()
        model.going_on.set()
        assert await _stream(client) == "Tuesday"
    assert len(model.asked) == 2


async def test_a_server_that_is_not_there_is_an_error_of_the_server(tmp_path):
    nowhere = Upstream("http://127.0.0.1:1/v1", "nobody", local=True)
    async with AnswerCache(AnswerStore(tmp_path), nowhere) as cache:
        client = AsyncOpenAI(
            base_url=cache.url, api_key="k", max_retries=0,
            http_client=DefaultAsyncHttpxClient(trust_env=False),
        )  # fmt: skip
        async with client:
            with pytest.raises(openai.InternalServerError, match="ConnectError"):
                await _stream(client)


async def test_what_was_served_tells_the_first_run_s_timings(caching):
    told = []
    for _ in range(2):
        async with caching(told.append) as (_, client):
            await _stream(client, tag="case-7")
    first, again = told
    assert (first.tag, first.cached, again.cached) == ("case-7", False, True)
    assert (again.first_ms, again.duration_ms) == (first.first_ms, first.duration_ms)
    assert 0 < first.first_ms <= first.duration_ms
    assert again.request["messages"] == ASKED


async def test_keys_reach_the_model_and_no_file(caching, model, tmp_path):
    async with caching() as (_, client):
        await _stream(client, salt="3", tag="t")
    assert model.headers[0]["authorization"] == "Bearer sk-secret"
    assert "x-answer-salt" not in model.headers[0]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not any("sk-secret" in path.read_text() for path in files)


async def test_other_requests_are_passed_on(caching):
    async with caching() as (cache, client):
        assert (await client.models.list()).data == []
        assert (cache.hits, cache.misses) == (0, 0)


async def test_two_runs_at_the_same_time_share_one_folder(caching, model):
    model.script = [f"day {number}" for number in range(20)]
    async with caching() as (_, one), caching() as (_, other):
        asked = [_stream(client, salt=str(n)) for n in range(8) for client in (one, other)]
        await asyncio.gather(*asked)
    async with caching() as (cache, client):
        answers = [await _stream(client, salt=str(number)) for number in range(8)]
        assert (cache.hits, cache.misses) == (8, 0)
    assert len(set(answers)) == 8


def test_a_torn_file_is_no_answer(tmp_path):
    store = AnswerStore(tmp_path)
    kept = KeptAnswer(content_type="text/plain", body="x", first_ms=None, duration_ms=1)
    store.put("ab12", kept)
    assert store.get("ab12") == kept
    path = next(tmp_path.rglob("*.json"))
    path.write_text(path.read_text()[:10])
    assert store.get("ab12") is None


def test_a_local_model_is_known_by_what_it_is_and_another_by_its_address():
    here, there = (
        Settings(local_model_url=f"http://127.0.0.1:{port}/v1") for port in (20001, 20002)
    )
    specs = [resolve_model(None, each) for each in (here, there)]
    assert upstream_of(specs[0]).who == upstream_of(specs[1]).who
    remote = Settings(model="gpt-x", openai_base_url="https://example.org/v1/")
    spec = resolve_model(None, remote)
    assert upstream_of(spec).who == "https://example.org/v1"
    served = settings_at(remote, spec, "http://127.0.0.1:9/v1")
    assert resolve_model(None, served).base_url == "http://127.0.0.1:9/v1"
