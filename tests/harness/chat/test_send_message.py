import asyncio
import uuid

import httpx
import pytest

from harness.app import create_api
from harness.events import message_key


def body(thread: str, text: str = "hello", **changes) -> dict:
    return {"thread_id": thread, "text": text, "idempotency_key": uuid.uuid4().hex} | changes


def code(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert error["message"]
    assert error["remedy"]
    assert error["request_id"] == response.headers["x-request-id"]
    return error["code"]


async def send(client: httpx.AsyncClient, *arguments, **changes) -> httpx.Response:
    return await client.post("/api/messages", json=body(*arguments, **changes))


async def test_a_message_is_acked_and_inngest_has_its_event(client, user_id, thread, taken):
    request = body(thread, "caf\u0065\u0301\r\n")
    response = await client.post("/api/messages", json=request)
    key = message_key(user_id, thread, request["idempotency_key"])
    assert response.status_code == 202
    assert response.json() == {
        "message_key": key,
        "thread_id": thread,
        "event_id": key,
        "run": "pending",
    }
    (event,) = await taken("chat/message.sent", key)
    assert event["data"]["text"] == "caf\u00e9"
    assert event["data"]["user_id"] == user_id
    assert event["data"]["flow"] == "background"


async def test_a_resend_gets_the_same_ack_and_no_second_event(client, thread, taken):
    request = body(thread)
    first = await client.post("/api/messages", json=request)
    second = await client.post("/api/messages", json=request)
    assert first.json() == second.json()
    assert len(await taken("chat/message.sent", first.json()["event_id"])) == 1


async def test_resends_at_once_are_one_message(client, thread, taken):
    request = body(thread)
    answers = await asyncio.gather(*(client.post("/api/messages", json=request) for _ in range(8)))
    assert len({answer.text for answer in answers}) == 1
    assert await taken("chat/message.sent", answers[0].json()["event_id"])


async def test_the_same_idempotency_key_of_two_users_is_two_messages(
    client, api, store, mint, thread, other_user_id
):
    theirs = await store.create_thread(other_user_id, "t")
    mine = await send(client, thread, idempotency_key="same")
    headers = {"Authorization": f"Bearer {mint(other_user_id)}"}
    other = await client.post(
        "/api/messages", json=body(theirs, idempotency_key="same"), headers=headers
    )
    assert mine.json()["message_key"] != other.json()["message_key"]


async def test_an_unknown_thread_and_anothers_look_alike(client, store, other_user_id):
    theirs = await store.create_thread(other_user_id, "t")
    missing = await send(client, "nonsense")
    foreign = await send(client, theirs)
    assert (missing.status_code, foreign.status_code) == (404, 404)
    assert code(missing) == code(foreign) == "not_found"


async def test_an_archived_thread_takes_no_message(client, thread):
    assert (await send(client, thread)).status_code == 202
    assert (await client.post(f"/api/threads/{thread}/archive")).status_code == 204
    response = await send(client, thread)
    assert (response.status_code, code(response)) == (409, "thread_archived")


@pytest.mark.parametrize(
    ("changes", "status", "expected"),
    [
        ({"text": ""}, 422, "empty_text"),
        ({"text": " \x00 "}, 422, "empty_text"),
        ({"text": "x" * 65537}, 413, "too_large"),
        ({"text": "é" * 40000}, 413, "too_large"),
        ({"text": None}, 422, "invalid_request"),
        ({"text": 7}, 422, "invalid_request"),
        ({"thread_id": "../x"}, 422, "invalid_request"),
        ({"idempotency_key": ""}, 422, "invalid_request"),
        ({"idempotency_key": "é"}, 422, "invalid_request"),
        ({"model": "gpt-imaginary"}, 422, "unknown_model"),
        ({"surprise": 1}, 422, "invalid_request"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_bad_field_is_refused(client, thread, changes, status, expected):
    response = await send(client, thread, **changes)
    assert (response.status_code, code(response)) == (status, expected)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'"text"',
        b"\xff\xfe",
        b'{"thread_id": "t", "text": "\xff\xfe", "idempotency_key": "k"}',
        b'{"thread_id": "t", "text": "\\ud800", "idempotency_key": "k"}',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:20]),
)
async def test_a_malformed_body_is_refused(client, content):
    response = await client.post(
        "/api/messages", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 404, 422)
    assert code(response) in ("malformed_body", "invalid_request", "not_found")


async def test_a_body_of_a_megabyte_is_refused(client, thread):
    response = await send(client, thread, "x" * 1_000_000)
    assert (response.status_code, code(response)) == (413, "too_large")


async def test_an_endless_body_is_refused_before_it_ends(api, user_id, mint):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rsplit(":", 1)[1]))
    head = (
        "POST /api/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {mint(user_id)}\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    writer.write(head.encode())
    for _ in range(9):
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    async with asyncio.timeout(20):
        status = await reader.readline()
    writer.close()
    assert b"413" in status


async def test_the_limit_holds_and_a_resend_costs_nothing(
    serve, api_settings, user_id, mint, thread
):
    api = serve(create_api(api_settings.model_copy(update={"rate_limit": "2/hour"})))
    headers = {"Authorization": f"Bearer {mint(user_id)}"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers) as client:
        first = body(thread)
        answers = [await client.post("/api/messages", json=first) for _ in range(5)]
        assert {answer.status_code for answer in answers} == {202}
        assert (await send(client, thread)).status_code == 202
        refused = await send(client, thread)
        assert (refused.status_code, code(refused)) == (429, "rate_limited")
        assert 1 <= int(refused.headers["retry-after"]) <= 3600
        assert (await client.post("/api/messages", json=first)).status_code == 202


async def test_without_inngest_nothing_is_lost_and_the_same_request_works_later(
    serve, api_settings, own_inngest, user_id, mint, thread
):
    settings = api_settings.model_copy(update={"inngest_base_url": own_inngest.url})
    api = serve(create_api(settings))
    headers = {"Authorization": f"Bearer {mint(user_id)}"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=20) as client:
        own_inngest.kill()
        request = body(thread)
        refused = await client.post("/api/messages", json=request)
        assert (refused.status_code, code(refused)) == (503, "queue_unavailable")
        await asyncio.to_thread(own_inngest.start)
        assert (await client.post("/api/messages", json=request)).status_code == 202


async def test_without_convex_the_sender_is_told_to_come_back(
    serve, api_settings, own_convex, user_id
):
    settings = own_convex.settings.model_copy(
        update={"inngest_base_url": api_settings.inngest_base_url}
    )
    api = serve(create_api(settings))
    from harness.keys import mint_token

    headers = {"Authorization": f"Bearer {mint_token(own_convex.settings, user_id)}"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=20) as client:
        own_convex.kill()
        response = await send(client, "t123")
        assert (response.status_code, code(response)) == (503, "store_unavailable")
        assert response.headers["retry-after"] == "1"


async def test_an_expired_token_is_refused(client, user_id, mint, thread):
    headers = {"Authorization": f"Bearer {mint(user_id, ttl_s=-30)}"}
    response = await client.post("/api/messages", json=body(thread), headers=headers)
    assert (response.status_code, code(response)) == (401, "unauthenticated")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_the_callers_trace_and_request_id_are_kept(client, thread, taken):
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    headers = {"traceparent": trace, "X-Request-ID": "from-the-browser"}
    response = await client.post("/api/messages", json=body(thread), headers=headers)
    assert response.headers["x-request-id"] == "from-the-browser"
    (event,) = await taken("chat/message.sent", response.json()["event_id"])
    assert event["data"]["traceparent"] == trace
