import asyncio
import contextlib
import json

import httpx
import pytest

from harness.local.simulated._directives import parse_directives

TOOL = {"type": "function", "function": {"name": "view_file", "parameters": {"type": "object"}}}


async def test_a_rate_limit_says_when_to_come_back(chat):
    response = await chat('[[fault rate_limit {"retry_after_s": 2}]]')
    assert response.status_code == 429
    assert response.headers["retry-after"] == "2"


async def test_a_fault_in_a_message_strikes_as_often_as_it_says(chat):
    text = '[[fault server_error {"times": 2}]]'
    statuses = [(await chat(text)).status_code for _ in range(3)]
    assert statuses == [500, 500, 200]


async def test_a_faulty_models_name_fails_every_time(chat):
    statuses = [(await chat("hello", model="simulated?fault=429")).status_code for _ in range(3)]
    assert statuses == [429, 429, 429]


async def test_queued_faults_strike_coming_requests(simulated, chat):
    await simulated.post("/faults", json={"kind": "500", "times": 1})
    assert [(await chat("hello")).status_code for _ in range(2)] == [500, 200]


async def test_a_queued_fault_with_a_match_spares_other_messages(simulated, chat):
    await simulated.post("/faults", json={"kind": "500", "match": "pear"})
    assert (await chat("an apple")).status_code == 200
    assert (await chat("a pear")).status_code == 500


async def test_clearing_removes_queued_faults(simulated, chat):
    await simulated.post("/faults", json={"kind": "500", "times": 9})
    await simulated.delete("/faults")
    assert (await chat("hello")).status_code == 200


async def test_an_unknown_fault_is_refused_with_the_known_ones(simulated):
    response = await simulated.post("/faults", json={"kind": "flood"})
    assert response.status_code == 400
    assert "rate_limit" in response.text


async def test_a_cut_stream_ends_without_its_end_mark(simulated, chat):
    body = {
        "model": "simulated",
        "stream": True,
        "messages": [{"role": "user", "content": '[[fault cut {"after_tokens": 4}]]'}],
    }
    received = b""
    async with simulated.stream("POST", "/v1/chat/completions", json=body) as response:
        parts = response.aiter_bytes()
        with contextlib.suppress(httpx.RemoteProtocolError):
            async for part in parts:
                received += part
    assert received.count(b'"content"') == 1 + 4  # the opening one is empty
    assert b"[DONE]" not in received


async def test_a_whole_answer_can_be_cut_too(chat):
    with pytest.raises(httpx.RemoteProtocolError):
        await chat("[[fault cut]]")


async def test_a_malformed_call_has_no_valid_arguments(chat):
    response = await chat(
        '[[call view_file {"path": "a"}]] [[fault malformed_tool_call]]', tools=[TOOL]
    )
    (call,) = response.json()["choices"][0]["message"]["tool_calls"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(call["function"]["arguments"])


async def test_a_malformed_call_waits_for_a_request_with_tools(simulated, chat):
    await simulated.post("/faults", json={"kind": "malformed_tool_call"})
    assert (await chat("hello")).json()["choices"][0]["finish_reason"] == "stop"
    response = await chat("hello", tools=[TOOL])
    assert response.json()["choices"][0]["finish_reason"] == "tool_calls"


async def test_a_stalled_stream_falls_silent(simulated):
    body = {
        "model": "simulated",
        "stream": True,
        "messages": [{"role": "user", "content": '[[fault stall {"after_tokens": 2}]]'}],
    }
    received = b""
    timeout = httpx.Timeout(5, read=0.4)
    async with simulated.stream(
        "POST", "/v1/chat/completions", json=body, timeout=timeout
    ) as response:
        with contextlib.suppress(httpx.ReadTimeout):
            async for part in response.aiter_bytes():
                received += part
    assert received.count(b'"content"') == 1 + 2
    assert b"[DONE]" not in received


async def test_a_stall_that_ends_leaves_the_answer_whole(chat):
    text = '[[fault stall {"after_tokens": 2, "stall_ms": 50}]]'
    assert (await chat(text, stream=True)).text.endswith("data: [DONE]\n\n")


async def test_a_client_that_leaves_ends_the_request(simulated):
    body = {
        "model": "simulated",
        "stream": True,
        "messages": [{"role": "user", "content": "[[fault stall]]"}],
    }
    async with simulated.stream("POST", "/v1/chat/completions", json=body) as response:
        await anext(response.aiter_bytes())
    async with asyncio.timeout(10):
        outcome = "open"
        while outcome == "open":
            outcome = (await simulated.get("/requests")).json()["requests"][-1]["outcome"]
    assert outcome == "closed"


def test_malformed_arguments_in_a_directive_are_kept_as_they_are():
    directives = parse_directives("[[call view_file {path: ]] and more")
    assert directives.calls(0)[0].arguments == "{path:"
