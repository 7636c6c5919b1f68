"""Apps that misbehave, and clocks that jump: told on the run, and no effect on other runs."""

import asyncio
import hashlib
import time

import pytest
from inngest.experimental.ai import openai

from harness.local.inngest import executor
from harness.local.inngest.executor import MAX_ANSWER_BYTES

SDK = b"x-inngest-sdk: inngest-py:v0.5.19\r\ncontent-type: application/json\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
ANSWERS = {
    "html": HEAD + b"content-type: text/html\r\ncontent-length: 11\r\n\r\n<html>hello",
    "garbage": b"\x00\x01\x02 this is not HTTP\r\n\r\n",
    "text": HEAD + SDK + b"content-length: 8\r\n\r\n{'half':",
    "half": HEAD + SDK + b'content-length: 100\r\n\r\n{"half": ',
    "silence": b"",
    "large": HEAD + SDK + b"content-length: 10485762\r\n\r\n" + b'"' + b"x" * 10_485_760 + b'"',
    "unsigned": HEAD + SDK + b"content-length: 4\r\n\r\nnull",
}


@pytest.fixture
async def bad_app(local):
    """Registers functions of an app that answers a call as its function's name says."""
    calls, handlers = [], []

    async def answer(reader, writer):
        handlers.append(asyncio.current_task())
        line = await reader.readline()
        calls.append(line)
        name = line.split(b"fnId=bad-")[1].split(b"&")[0].decode()
        try:
            if name == "slow":
                await reader.read(-1)  # until the engine goes away
            writer.write(ANSWERS.get(name, b""))
            writer.close()
            await writer.wait_closed()
        except ConnectionError:
            pass  # the engine has read enough
        except asyncio.CancelledError:
            writer.transport.abort()  # an answer that nobody reads would outlive the loop

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"

    async def register(*names, **headers):
        functions = [
            {
                "id": f"bad-{name}",
                "name": name,
                "triggers": [{"event": f"bad/{name}"}],
                "steps": {
                    "step": {
                        "retries": {"attempts": 1},
                        "runtime": {"type": "http", "url": f"{url}?fnId=bad-{name}&stepId=step"},
                    }
                },
            }
            for name in names
        ]
        body = {"appname": "bad", "url": url, "sdk": "none", "functions": functions}
        answer = await local.http.post("/fn/register", json=body, headers=headers)
        assert answer.json()["ok"] is True
        return calls

    yield register
    server.close()
    for handler in handlers:
        handler.cancel()
    await asyncio.gather(*handlers, return_exceptions=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("html", "is not an Inngest app: it answered 200 (text/html): <html>hello"),
        ("garbage", "broke the call off"),
        ("text", "with a body that cannot be read"),
        ("half", "broke the call off"),
        ("silence", "broke the call off"),
        ("large", f"answered more than {MAX_ANSWER_BYTES} bytes"),
        ("slow", "did not answer in 0.3 s"),
    ],
)
async def test_a_wrong_answer_is_an_attempt_and_its_error_is_the_runs(
    local, bad_app, name, words, monkeypatch
):
    if name == "slow":
        monkeypatch.setattr(executor, "CALL_TIMEOUT_S", 0.3)
    local.start_engine()
    calls = await bad_app(name)
    run = await local.ended(await local.send(f"bad/{name}"))
    assert run["status"] == "Failed"
    assert words in run["output"]["message"]
    failures = (await local.timeline(run["run_id"]))["attempts"]
    assert [item["attempt"] for item in failures] == [0, 1]
    assert len(calls) == 2


async def test_an_answer_that_is_not_signed_is_an_attempt_in_signed_mode(local, bad_app):
    key = "signkey-test-" + "ab" * 32
    local.start_engine(signing_key=key)
    token = hashlib.sha256(bytes.fromhex("ab" * 32)).hexdigest()
    local.http.headers["authorization"] = f"Bearer {token}"
    calls = await bad_app("unsigned")
    run = await local.ended(await local.send("bad/unsigned"))
    assert run["status"] == "Failed"
    assert "signed its answer wrongly" in run["output"]["message"]
    assert len(calls) == 2


async def test_other_runs_go_on_beside_apps_that_are_slow_or_wrong(local, bad_app):
    @local.function("good", "test/go")
    async def good(ctx):
        async def one():
            return 1

        return await ctx.step.run("one", one)

    await local.serve(backoff_ms=3_600_000)
    names = ("slow", "html", "half", "large")
    calls = await bad_app(*names)
    stuck = [await local.send(f"bad/{name}") for name in names for _ in range(5)]
    outputs = [(await local.run("test/go"))["output"] for _ in range(5)]
    assert outputs == [1] * 5
    assert len(calls) == len(stuck), "backoff was not kept"
    assert [run["status"] for run in await local.runs(stuck[0])] == ["Running"]


@pytest.fixture
def jump(monkeypatch):
    """Sets the wall clock on or back, in seconds."""
    real, offset = time.time_ns, [0]
    monkeypatch.setattr(time, "time_ns", lambda: real() + offset[0])

    def set_by(seconds):
        offset[0] = int(seconds * 1e9)

    return set_by


@pytest.mark.parametrize("seconds", [-7200, 7200])
async def test_a_clock_that_jumps_neither_fires_timers_nor_holds_them(local, jump, seconds):
    @local.function("sleeper", "test/sleep")
    async def sleeper(ctx):
        await ctx.step.sleep("nap", 1000 if ctx.event.data["short"] else 3_600_000)
        return "awake"

    @local.function("waiter", "test/wait")
    async def waiter(ctx):
        found = await ctx.step.wait_for_event("answer", event="test/answer", timeout=3_600_000)
        return found and found.data["n"]

    await local.serve()
    short, long = [await local.send("test/sleep", {"short": short}) for short in (True, False)]
    waiting = await local.send("test/wait")
    for event, kind in ((short, "sleep"), (long, "sleep"), (waiting, "wait")):
        await local.waiting(event, kind)
    jump(seconds)
    assert (await local.ended(short))["output"] == "awake"
    await local.send("test/answer", {"n": 5})
    assert (await local.ended(waiting))["output"] == 5
    assert [run["status"] for run in await local.runs(long)] == ["Running"]


async def test_a_call_of_an_ai_gateway_fails_the_run_and_is_named(local):
    @local.function("gateway", "test/go", retries=0)
    async def gateway(ctx):
        return await ctx.step.ai.infer(
            "infer", adapter=openai.Adapter(auth_key="k", model="m"), body={}
        )

    await local.serve()
    run = await local.run("test/go")
    assert run["status"] == "Failed"
    assert "does not support 'AIGateway' steps" in run["output"]["message"]
