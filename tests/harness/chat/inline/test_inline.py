import asyncio
import json
import uuid

import httpx
import pytest

from harness.app import create_api
from harness.chat import inline
from harness.local.simulated._profile import Profile
from harness.local.simulated.server import create_app as create_simulated
from harness.models import Flow


def body(thread: str) -> dict:
    return {"thread_id": thread, "text": "tell me", "idempotency_key": uuid.uuid4().hex}


@pytest.fixture
async def flag_off(store):
    """Sends everyone to the old flow."""
    await store.set_flag("background-flow", enabled=False)
    yield
    await store.set_flag("background-flow", enabled=True)


@pytest.fixture
def old_api(serve, api_settings, free_port, flag_off, user_id, soon):
    """Starts an API whose messages take the old flow."""

    async def start(*, itl_ms: float = 0, tokens: float = 8, model_url: str | None = None):
        profile = Profile(ttft_ms=0, itl_ms=itl_ms, tokens=tokens, tokens_sigma=0)
        url = model_url or serve(create_simulated(profile, seed=1)).url
        changes = {"simulated_url": f"{url}/v1", "chroma_url": f"http://127.0.0.1:{free_port()}"}
        api = serve(create_api(api_settings.model_copy(update=changes)))
        flags = api.app.state.parts.sending.flags
        async with soon():
            while flags.choose_flow(user_id, "standard").flow is not Flow.INLINE:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return api

    return start


@pytest.fixture
async def browser(user_id, mint):
    """A signed-in client; `base_url` is the test's to set."""
    headers = {"Authorization": f"Bearer {mint(user_id)}"}
    async with httpx.AsyncClient(headers=headers, timeout=60) as client:
        yield client


def events(text: str) -> list[tuple[str, dict]]:
    parts = [part.split("\n") for part in text.strip().split("\n\n")]
    return [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in parts
    ]


async def test_the_answer_streams_in_the_response_and_is_kept_at_its_end(
    old_api, browser, store, thread
):
    api = await old_api()
    response = await browser.post(f"{api.url}/api/messages", json=body(thread))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    (first, ack), *deltas, (last, done) = events(response.text)
    text = "".join(data["text"] for name, data in deltas if name == "delta")
    assert (first, last) == ("ack", "done")
    assert done["content"] == text != ""
    exchange = await store.read_message(ack["message_key"])
    assert (exchange.user.content, exchange.assistant.content) == ("tell me", text)
    assert (exchange.assistant.status, exchange.assistant.flow) == ("completed", "inline")
    assert 0 < exchange.assistant.context.tokens["message"] < exchange.assistant.context.budget
    assert not exchange.assistant.selection.needed
    assert exchange.assistant.selection.scores


async def test_closing_the_request_loses_the_answer(old_api, browser, store, thread):
    api = await old_api(itl_ms=100, tokens=2000)
    async with browser.stream("POST", f"{api.url}/api/messages", json=body(thread)) as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "event: ack"
        ack = json.loads((await anext(lines)).removeprefix("data: "))
        async for line in lines:
            if line == "event: delta":
                break
    await asyncio.to_thread(api.stop)
    assert await store.read_message(ack["message_key"]) is None


async def test_a_resend_is_the_same_message_and_is_not_answered_again(
    old_api, browser, store, thread
):
    api = await old_api()
    request = body(thread)
    first = await browser.post(f"{api.url}/api/messages", json=request)
    second = await browser.post(f"{api.url}/api/messages", json=request)
    (_, ack), *_, (_, done) = events(first.text)
    (_, same_ack), (_, same_done) = events(second.text)
    assert (same_ack, same_done["content"]) == (ack, done["content"])
    assert len(await store.history(thread, 2**31, 10)) == 2


async def test_a_thread_that_is_being_answered_takes_no_second_message(
    old_api, browser, store, thread, begin
):
    await begin(thread)
    api = await old_api()
    response = await browser.post(f"{api.url}/api/messages", json=body(thread))
    assert (response.status_code, response.json()["error"]["code"]) == (409, "thread_busy")


async def test_a_model_that_is_down_gives_a_failed_message_with_a_reason(
    old_api, browser, store, thread, free_port
):
    api = await old_api(model_url=f"http://127.0.0.1:{free_port()}")
    response = await browser.post(f"{api.url}/api/messages", json=body(thread))
    (_, ack), (last, failure) = events(response.text)
    assert last == "failed"
    answer = (await store.read_message(ack["message_key"])).assistant
    assert answer.status == "failed"
    assert answer.error.message == failure["message"] != ""


@pytest.mark.parametrize(("wrong", "calls"), [(1, 2), (4, 2)])
async def test_it_repairs_calls_as_the_background_flow_does(
    old_api, browser, thread, monkeypatch, wrong, calls
):
    seen = []
    original = inline.call_problem
    monkeypatch.setattr(
        inline, "call_problem", lambda *given: seen.append(given) or original(*given)
    )
    api = await old_api()
    turns = ['[[call calculate {"sum": "6*7"}]]'] * wrong
    turns.append('[[call calculate {"expression": "6*7"}]]')
    request = body(thread) | {"text": f"Calculate 6*7 for me, please. {'[[then]]'.join(turns)}"}
    response = await browser.post(f"{api.url}/api/messages", json=request)
    (last, done) = events(response.text)[-1]
    assert last == "done"
    assert len(seen) == calls
    assert ("42" in done["content"]) == (wrong == 1)


async def test_it_runs_nothing_that_its_user_forbade_meanwhile(
    old_api, browser, store, user_id, thread, monkeypatch
):
    original = inline.call_problem
    loop = asyncio.get_running_loop()

    def forbid_first(*given):
        forbidding = store.set_preference(user_id, "tool.calculate", "never")
        asyncio.run_coroutine_threadsafe(forbidding, loop).result()  # the API has its own loop
        return original(*given)

    monkeypatch.setattr(inline, "call_problem", forbid_first)
    api = await old_api()
    call = '[[call calculate {"expression": "6*7"}]]'
    request = body(thread) | {"text": f"Calculate 6*7 for me, please. {call}"}
    response = await browser.post(f"{api.url}/api/messages", json=request)
    assert "may not run by itself" in events(response.text)[-1][1]["content"]
