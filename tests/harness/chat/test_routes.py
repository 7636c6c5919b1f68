import uuid

import pytest

from harness.app import create_api
from harness.events import MessageSent, message_key
from harness.models import Effect, Usage
from harness.settings import SIMULATED_MODEL
from harness.store import PlannedCall
from harness.telemetry.analytics import MEMORY_FEEDBACK


@pytest.fixture
async def begun(begin, thread) -> MessageSent:
    """A message of `user_id` whose run has begun."""
    return await begin(thread)


@pytest.fixture
async def asking(store, begun) -> PlannedCall:
    """A tool call of that message that waits for its user's answer."""
    call = PlannedCall(
        call_id=f"{begun.message_key}-0",
        index=0,
        name="ask_user",
        arguments="{}",
        effect=Effect.READ,
        idempotent=True,
    )
    await store.record_calls(begun.message_key, 0, [call])
    await store.await_user(call.call_id, "question", "Which?", 2**45)
    return call


async def test_threads_are_made_listed_read_and_archived(client):
    made = (await client.post("/api/threads", json={"title": " Trip\x00 "})).json()
    assert (made["title"], made["kind"], made["status"]) == ("Trip", "standard", "active")
    assert (await client.get(f"/api/threads/{made['id']}")).json() == made
    assert (await client.get("/api/threads")).json() == {"items": [made], "cursor": None}
    assert (await client.post(f"/api/threads/{made['id']}/archive")).status_code == 204
    assert (await client.get("/api/threads?status=active")).json()["items"] == []
    archived = (await client.get("/api/threads?status=archived")).json()["items"]
    assert [item["id"] for item in archived] == [made["id"]]


async def test_a_threads_owner_says_what_tools_may_do_in_it(client, thread):
    place = f"/api/threads/{thread}"
    said = {"ring": "ask", "write_file": "never"}
    for tool, permission in said.items():
        answer = await client.put(f"{place}/permissions/{tool}", json={"permission": permission})
        assert answer.status_code == 204
    assert (await client.get(place)).json()["permissions"] == said
    assert (await client.delete(f"{place}/permissions/ring")).status_code == 204
    assert (await client.get(place)).json()["permissions"] == {"write_file": "never"}


@pytest.mark.parametrize(
    ("tool", "permission"), [("ring", "sometimes"), ("two%20words", "ask"), ("_x", "ask")]
)
async def test_a_permission_that_is_none_is_refused(client, thread, tool, permission):
    place = f"/api/threads/{thread}/permissions/{tool}"
    answer = await client.put(place, json={"permission": permission})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


async def test_threads_come_in_pages(client):
    for number in range(3):
        await client.post("/api/threads", json={"title": f"t{number}"})
    first = (await client.get("/api/threads?limit=2")).json()
    second = (
        await client.get("/api/threads", params={"limit": 2, "cursor": first["cursor"]})
    ).json()
    assert [len(first["items"]), len(second["items"])] == [2, 1]
    assert second["cursor"] is None


async def test_messages_are_listed_newest_first(client, store, thread, begun):
    await store.complete(begun.message_key, "hi", SIMULATED_MODEL, Usage(), 4.0, [])
    items = (await client.get(f"/api/threads/{thread}/messages")).json()["items"]
    assert [(item["role"], item["content"]) for item in items] == [
        ("assistant", "hi"),
        ("user", "hello"),
    ]


async def test_a_message_is_read_by_its_key(client, begun):
    exchange = (await client.get(f"/api/messages/{begun.message_key}")).json()
    assert exchange["user"]["content"] == "hello"
    assert exchange["assistant"]["status"] == "processing"


async def test_another_users_things_are_not_there(
    client, store, mint, other_user_id, thread, begun, asking
):
    headers = {"Authorization": f"Bearer {mint(other_user_id)}"}
    answers = [
        await client.get(f"/api/threads/{thread}", headers=headers),
        await client.get(f"/api/threads/{thread}/messages", headers=headers),
        await client.post(f"/api/threads/{thread}/archive", headers=headers),
        await client.delete(f"/api/threads/{thread}", headers=headers),
        await client.put(
            f"/api/threads/{thread}/permissions/ring", json={"permission": "auto"}, headers=headers
        ),
        await client.delete(f"/api/threads/{thread}/permissions/ring", headers=headers),
        await client.get(f"/api/messages/{begun.message_key}", headers=headers),
        await client.post(f"/api/messages/{begun.message_key}/cancel", headers=headers),
        await client.post(
            f"/api/messages/{begun.message_key}/reply",
            json={"call_id": asking.call_id, "text": "red"},
            headers=headers,
        ),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert (await store.read_message(begun.message_key)).assistant.status == "waiting"


async def test_a_removed_thread_is_gone_at_once_and_its_memory_is_told(
    client, thread, begun, taken, user_id
):
    assert (await client.get(f"/api/threads/{thread}")).status_code == 200
    assert (await client.delete(f"/api/threads/{thread}")).status_code == 204
    gone = [
        await client.get(f"/api/threads/{thread}"),
        await client.get(f"/api/threads/{thread}/messages"),
        await client.get(f"/api/messages/{begun.message_key}"),
        await client.post(
            "/api/messages", json={"thread_id": thread, "text": "hi", "idempotency_key": "late"}
        ),
        await client.delete(f"/api/threads/{thread}"),
    ]
    assert [answer.status_code for answer in gone] == [404] * len(gone)
    (event,) = await taken("chat/thread.deleted", f"{thread}-deleted")
    assert (event["data"]["thread_id"], event["data"]["user_id"]) == (thread, user_id)


async def test_a_removed_user_has_nothing_any_more_and_may_come_back(
    client, store, thread, begun, named, user_id
):
    await client.put("/api/preferences/tone", json={"value": "dry"})
    assert (await client.delete("/api/me")).status_code == 204
    assert (await client.get("/api/threads")).json()["items"] == []
    assert (await client.get("/api/preferences")).json() == []
    assert (await client.get(f"/api/messages/{begun.message_key}")).status_code == 404
    late = {"thread_id": thread, "text": "hi", "idempotency_key": "late"}
    assert (await client.post("/api/messages", json=late)).status_code == 404
    (event,) = [e for e in await named("chat/user.deleted") if e["data"]["user_id"] == user_id]
    assert event["data"]["asked_at"] > 0
    assert (await client.delete("/api/me")).status_code == 204
    assert (await client.post("/api/threads", json={"title": "again"})).status_code == 201


@pytest.mark.parametrize("address", ["/api/threads/{thread}", "/api/me"])
async def test_what_inngest_is_not_told_of_is_not_removed(
    serve, api_settings, free_port, client, thread, address
):
    away = {"inngest_base_url": f"http://127.0.0.1:{free_port()}"}
    api = serve(create_api(api_settings.model_copy(update=away)))
    response = await client.delete(f"{api.url}{address.format(thread=thread)}")
    assert (response.status_code, response.json()["error"]["code"]) == (503, "queue_unavailable")
    assert (await client.get(f"/api/threads/{thread}")).status_code == 200


async def test_preferences_are_set_listed_and_removed(client):
    assert (await client.put("/api/preferences/tone", json={"value": "dry"})).status_code == 204
    (row,) = (await client.get("/api/preferences")).json()
    assert (row["key"], row["value"]) == ("tone", "dry")
    assert (await client.delete("/api/preferences/tone")).status_code == 204
    assert (await client.get("/api/preferences")).json() == []


async def test_a_cancel_stops_the_message_and_tells_its_run(client, store, begun, taken):
    key = begun.message_key
    first = await client.post(f"/api/messages/{key}/cancel")
    again = await client.post(f"/api/messages/{key}/cancel")
    assert (first.status_code, first.json()["state"]) == (202, "cancelled")
    assert again.json() == first.json()
    assert (await store.read_message(key)).assistant.status == "cancelled"
    events = await taken("chat/message.cancelled", f"{key}-cancelled")
    assert {event["data"]["message_key"] for event in events} == {key}


async def test_a_cancel_passes_the_threads_turn_on(client, store, begun, taken):
    waiting = begun.model_copy(update={"message_key": uuid.uuid4().hex + "0" * 8})
    assert (await store.begin(waiting, "run-2")).state == "wait"
    await client.post(f"/api/messages/{begun.message_key}/cancel")
    (event,) = await taken("chat/thread.free", f"{waiting.message_key}-free-{begun.message_key}")
    assert event["data"]["message_key"] == waiting.message_key


async def test_a_cancel_before_the_run_is_kept(client, store, user_id, thread, begun):
    key = message_key(user_id, thread, "not yet")
    response = await client.post(f"/api/messages/{key}/cancel")
    late = begun.model_copy(update={"message_key": key})
    assert response.json()["state"] == "kept"
    assert (await store.begin(late, "run-2")).state == "stop"


async def test_a_reply_is_kept_and_its_run_is_told(client, store, begun, asking, taken):
    address = f"/api/messages/{begun.message_key}/reply"
    first = await client.post(address, json={"call_id": asking.call_id, "text": "the blue one"})
    again = await client.post(address, json={"call_id": asking.call_id, "text": "the red one"})
    assert (first.status_code, first.json()["state"]) == (202, "kept")
    assert (again.status_code, again.json()["state"]) == (202, "already")
    assert (await store.get_call(asking.call_id)).reply.text == "the blue one"
    events = await taken("chat/message.replied", f"{asking.call_id}-replied")
    assert {event["data"]["call_id"] for event in events} == {asking.call_id}


@pytest.mark.parametrize(
    "reply",
    [{}, {"approved": True, "text": "both"}, {"approved": True}, {"text": " "}],
    ids=str,
)
async def test_a_reply_that_answers_nothing_is_refused(client, begun, asking, reply):
    address = f"/api/messages/{begun.message_key}/reply"
    response = await client.post(address, json={"call_id": asking.call_id, **reply})
    assert response.status_code == 422


async def test_a_reply_after_the_end_is_refused(client, store, begun, asking):
    await store.cancel(begun.message_key, begun.user_id)
    response = await client.post(
        f"/api/messages/{begun.message_key}/reply",
        json={"call_id": asking.call_id, "text": "late"},
    )
    assert (response.status_code, response.json()["error"]["code"]) == (409, "reply_closed")


async def test_every_route_of_ours_wants_a_token(client, api):
    del client.headers["Authorization"]
    for path, methods in api.app.openapi()["paths"].items():
        if not path.startswith("/api/"):
            continue
        address = path.format(key="0" * 40, thread_id="t", tool="ring")
        for method in methods:
            response = await client.request(method, address, json={})
            assert response.status_code == 401, (method, path)


async def test_an_unknown_path_and_method_are_answered_in_the_same_form(client):
    missing, wrong = await client.get("/api/nothing"), await client.delete("/api/messages")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


async def test_a_wrong_method_is_told_every_right_one(client):
    response = await client.request("PATCH", "/api/threads")
    assert response.headers["allow"] == "GET, POST"


async def test_health_readiness_and_metrics_need_no_token(client, thread):
    del client.headers["Authorization"]
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    metrics = await client.get("/metrics")
    assert "harness_ack_seconds_bucket" in metrics.text


async def test_readiness_names_what_is_away(serve, api_settings, free_port, client):
    settings = api_settings.model_copy(
        update={"inngest_base_url": f"http://127.0.0.1:{free_port()}"}
    )
    api = serve(create_api(settings))
    response = await client.get(f"{api.url}/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "convex": True, "inngest": False}


async def test_feedback_on_an_answers_memories_is_kept(client, store, begun, user_id):
    path = f"/api/messages/{begun.message_key}/feedback"
    assert (await client.post(path, json={"helpful": ["m1", "m2"]})).status_code == 204
    page = await store.list_analytics(MEMORY_FEEDBACK)
    (kept,) = [event for event in page.page if event.message_key == begun.message_key]
    assert (kept.subject, kept.props) == (user_id, {"helpful": "m1,m2"})


async def test_feedback_on_anothers_answer_is_refused(api, client, begun, mint):
    path = f"/api/messages/{begun.message_key}/feedback"
    headers = {"Authorization": f"Bearer {mint('somebody-else')}"}
    answer = await client.post(path, json={"helpful": []}, headers=headers)
    assert answer.status_code == 404
