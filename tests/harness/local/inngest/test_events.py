"""What is accepted as an event, under which id, and how often it counts."""

import asyncio
import time

import inngest
import pytest

SEED = "1700000000000,AAAAAAAAAAAAAA=="


async def test_a_list_of_events_gets_an_id_for_each(local):
    local.start_engine()
    ids = await local.client.send([inngest.Event(name="test/a"), inngest.Event(name="test/b")])
    assert len(set(ids)) == 2
    names = [(await local.http.get(f"/v1/events/{i}")).json()["data"]["name"] for i in ids]
    assert names == ["test/a", "test/b"]


async def test_a_repeated_request_finds_its_events_instead_of_making_new_ones(local):
    @local.function("counted", "test/go")
    async def counted(ctx):
        return None

    await local.serve()
    headers = {"x-inngest-event-id-seed": SEED}
    body = [{"name": "test/go", "data": {}}, {"name": "test/go", "data": {}}]
    answers = [await local.http.post("/e/key", json=body, headers=headers) for _ in range(3)]
    assert len({tuple(answer.json()["ids"]) for answer in answers}) == 1
    first, second = answers[0].json()["ids"]
    assert first[:10] == second[:10] == "01HF7YAT00"
    assert len(await local.runs(first)) == len(await local.runs(second)) == 1


async def test_an_id_seen_before_starts_no_function_again(local):
    started = []

    @local.function("once", "test/go")
    async def once(ctx):
        started.append(ctx.event.id)

    await local.serve()
    for _ in range(3):
        await local.send("test/go", id="same")
    await asyncio.gather(*(local.send("test/go", id="together") for _ in range(10)))
    assert len(await local.runs("same")) == len(await local.runs("together")) == 1


async def test_an_id_seen_before_still_ends_a_wait(local):
    @local.function("waiter", "test/go")
    async def waiter(ctx):
        found = await ctx.step.wait_for_event("answer", event="test/answer", timeout=60_000)
        return found.data["n"]

    await local.serve()
    await local.send("test/answer", {"n": 1}, id="same")
    event = await local.send("test/go")
    await local.waiting(event, "wait")
    await local.send("test/answer", {"n": 2}, id="same")
    assert (await local.ended(event))["output"] == 2


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ({"data": {}}, "name must be"),
        ({"name": "", "data": {}}, "name must be"),
        ({"name": 3}, "name must be"),
        ({"name": "inngest/function.failed"}, "is reserved"),
        ({"name": "test/a", "data": [1]}, "data of event 'test/a' must be an object"),
        ({"name": "test/a", "id": 3}, "id of event 'test/a' must be text"),
        ({"name": "test/a", "ts": "now"}, "ts of event 'test/a' must be milliseconds"),
        ("text", "must be an object"),
    ],
)
async def test_an_invalid_event_is_refused_with_a_line_that_names_the_field(
    local, event, complaint
):
    local.start_engine()
    answer = await local.http.post("/e/key", json=event)
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert answer.json()["ids"] == []


async def test_events_before_an_invalid_one_are_accepted_and_named(local):
    local.start_engine()
    body = [{"name": "test/a"}, {"name": ""}, {"name": "test/b"}]
    answer = await local.http.post("/e/key", json=body)
    assert answer.status_code == 400
    (accepted,) = answer.json()["ids"]
    assert (await local.http.get(f"/v1/events/{accepted}")).json()["data"]["name"] == "test/a"
    assert (await local.http.get("/v1/events?name=test/b")).json()["data"] == []


async def test_a_body_that_is_no_json_is_refused(local):
    local.start_engine()
    answer = await local.http.post("/e/key", content=b'{"name": ')
    assert answer.status_code == 400
    assert "not JSON" in answer.json()["error"]


async def test_an_event_over_the_limit_is_refused_with_its_size(local):
    local.start_engine()
    large = {"name": "test/a", "data": {"text": "x" * (3 * 1024 * 1024)}}
    answer = await local.http.post("/e/key", json=large)
    assert answer.status_code == 400
    assert "bytes" in answer.json()["error"]


async def test_a_body_over_the_limit_is_refused(local):
    local.start_engine()
    answer = await local.http.post("/e/key", content=b" " * (17 * 1024 * 1024))
    assert answer.status_code == 413


async def test_only_the_right_event_key_is_taken_where_one_is_set(local):
    local.start_engine(event_key="secret")
    refused = await local.http.post("/e/other", json={"name": "test/a"})
    taken = await local.http.post("/e/secret", json={"name": "test/a"})
    assert (refused.status_code, taken.status_code) == (401, 200)
    assert "secret" not in refused.text


async def test_an_event_from_the_future_starts_its_runs_at_its_time(local):
    @local.function("later", "test/go")
    async def later(ctx):
        return "done"

    await local.serve()
    in_an_hour = round(time.time() * 1000) + 3_600_000
    event = await local.send("test/go", ts=in_an_hour)
    run = await local.waiting(event, "discovery")
    local.stop_engine()
    local.start_engine()
    (pending,) = (await local.timeline(run["run_id"]))["pending"]
    assert pending["due_at"] == in_an_hour
    soon = await local.send("test/go", ts=round(time.time() * 1000) + 500)
    assert (await local.ended(soon))["output"] == "done"
    assert (await local.runs(event))[0]["status"] == "Running"


async def test_an_id_starts_functions_again_24_hours_after_it_did_though_it_was_sent_between(
    local, monkeypatch
):
    @local.function("once", "test/go")
    async def once(ctx):
        return None

    await local.serve()
    real, counts = time.time_ns, []
    for hours in (0, 23, 25):
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: real() + hours * 3600 * 10**9)
        await local.send("test/go", id="same")
        counts.append(len(await local.runs("same")))
    assert counts == [1, 1, 2]
