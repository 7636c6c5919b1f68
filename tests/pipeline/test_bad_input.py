"""Bad input is told to its sender in words, and leaves nothing behind.

Which refusal has which code is shown beside the request side; here is what it does to the rest.
"""

import json

import httpx
import pytest

from harness.keys import mint_token
from harness.models import Status, ToolCallStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

EXPIRED_S = -120  # past what clocks may differ by
NO_THREAD = "jd7f0c1k2m3n4p5q6r7s8t9v0w1x2y3z"


def body(thread_id: str, text: str = "hello") -> bytes:
    message = {"thread_id": thread_id, "text": text, "idempotency_key": "the-same"}
    return json.dumps(message).encode()


def bad_requests(thread_id: str) -> dict[str, tuple[int, bytes]]:
    return {
        "unknown thread": (404, body(NO_THREAD)),
        "empty": (422, body(thread_id, "")),
        "blank": (422, body(thread_id, " \n\t ")),
        "one megabyte": (413, body(thread_id, "x" * 2**20)),
        "invalid UTF-8": (400, body(thread_id).replace(b"hello", b"\xff\xfe")),
        "no JSON": (400, b'{"thread_id": '),
        "unknown field": (422, body(thread_id).replace(b"{", b'{"surprise": 1, ')),
    }


async def post(stack, token, content):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        url = f"{stack.settings.api_url}/api/messages"
        return await client.post(url, content=content, headers=headers)


def assert_refused(response, status, what):
    assert response.status_code == status, (what, response.text)
    error = response.json()["error"]
    assert all(error[part] for part in ("code", "message", "remedy", "request_id")), what


async def test_what_is_refused_leaves_nothing_and_the_next_message_is_answered(stack, person):
    thread = await person.thread()
    token = await person.client.token()
    for what, (status, content) in bad_requests(thread).items():
        assert_refused(await post(stack, token, content), status, what)
    accepted = await post(stack, token, body(thread, "[[say hello]]"))
    assert accepted.status_code == 202
    assert (await person.client.finished(accepted.json()["message_key"])).content == "hello"
    kept = (await person.signed_in().list_messages(thread)).page
    assert [message.order for message in kept] == [1, 0]


async def test_another_users_thread_and_an_expired_token_are_refused(stack, person, other_user_id):
    thread = await person.thread()
    stranger = mint_token(stack.settings, other_user_id)
    expired = mint_token(stack.settings, person.id, ttl_s=EXPIRED_S)
    assert_refused(await post(stack, stranger, body(thread)), 404, "another user's thread")
    assert_refused(await post(stack, expired, body(thread)), 401, "an expired token")
    assert (await person.signed_in().list_messages(thread)).page == []


async def test_an_unknown_tool_and_malformed_arguments_are_told_to_the_model(person):
    thread = await person.thread()
    calculate = '[[call calculate {"expression": "17*23"}]]'
    unknown = await person.say(thread, "What is 17 times 23? [[call teleport {}]] [[say done]]")
    await person.answered(unknown, "done")
    malformed = await person.say(
        thread, f"What is 17 times 23? {calculate} [[fault malformed_tool_call]] [[say done]]"
    )
    await person.answered(malformed, "done")
    for draft, reason in ((unknown, "no tool 'teleport'"), (malformed, "not JSON")):
        [call] = await person.calls(draft)
        assert call.status is ToolCallStatus.FAILED
        assert reason in call.error


async def test_a_message_whose_model_is_down_fails_with_a_reason_and_frees_its_thread(
    whole, person
):
    thread = await person.thread()
    await whole.kill("simulated")
    first = await person.say(thread, "[[say never]]")
    failed = await person.ended(first)
    assert failed.status is Status.FAILED
    assert failed.error.code == "model_unavailable"
    assert "can not be reached" in failed.error.message
    await whole.start("simulated")
    second = await person.say(thread, "[[say back]]")
    await person.answered(second, "back")
