"""Cancelling many runs at once, and running an ended one again."""

import datetime

import inngest
import pytest

SPAN = {"started_after": "2020-01-01T00:00:00Z", "started_before": "2120-01-01T00:00:00Z"}
ALL = {"app_id": "app", "function_id": "sleeper", **SPAN}


def sleeping_function(local, name="sleeper", event="test/go"):
    @local.function(name, event)
    async def sleeper(ctx):
        await ctx.step.sleep("long", 3_600_000)


async def cancel_many(local, body):
    return await local.http.post("/v1/cancellations", json=body)


async def test_the_runs_of_one_function_that_an_expression_fits_are_cancelled(local):
    sleeping_function(local)
    sleeping_function(local, "other")
    await local.serve()
    meant, kept = [await local.send("test/go", {"user": user}) for user in ("a", "b")]
    for event in (meant, kept):
        await local.waiting(event, "sleep")
    answer = await cancel_many(local, ALL | {"if": "event.data.user == 'a'"})
    assert answer.status_code == 200
    assert answer.json()["data"]["cancelled"] == 1
    assert answer.json()["data"]["id"]
    statuses = {
        (event, run["function_id"]): run["status"]
        for event in (meant, kept)
        for run in await local.runs(event)
    }
    assert statuses == {
        (meant, "app-sleeper"): "Cancelled",
        (meant, "app-other"): "Running",
        (kept, "app-sleeper"): "Running",
        (kept, "app-other"): "Running",
    }


async def test_runs_outside_the_span_are_kept(local):
    sleeping_function(local)
    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "sleep")
    for span in (
        {"started_before": "2020-01-02T00:00:00Z"},
        {"started_after": "2119-01-01T00:00:00Z"},
    ):
        assert (await cancel_many(local, ALL | span)).json()["data"]["cancelled"] == 0
    assert (await cancel_many(local, ALL)).json()["data"]["cancelled"] == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"app_id": None}, "app_id is missing"),
        ({"function_id": 5}, "function_id must be text"),
        ({"started_after": "yesterday"}, "yesterday"),
        ({"if": "event.data.user =="}, "event.data.user =="),
    ],
)
async def test_a_malformed_cancellation_is_told(local, wrong, told):
    local.start_engine()
    answer = await cancel_many(local, ALL | wrong)
    assert answer.status_code == 400
    assert told in answer.json()["error"]


async def test_a_cancellation_of_an_unknown_function_is_told(local):
    local.start_engine()
    answer = await cancel_many(local, ALL)
    assert (answer.status_code, "app-sleeper" in answer.text) == (404, True)


async def test_a_failed_run_is_run_again_from_its_start_for_the_same_event(local):
    seen = []

    @local.function("flaky", "test/go", retries=0)
    async def flaky(ctx):
        seen.append((ctx.run_id, ctx.event.data["n"]))
        if len(seen) == 1:
            raise ValueError("not yet")
        return "now"

    await local.serve()
    event = await local.send("test/go", {"n": 3})
    failed = await local.ended(event)
    assert failed["status"] == "Failed"
    answer = await local.http.post(f"/v1/runs/{failed['run_id']}/replay")
    assert answer.status_code == 201
    made = answer.json()["data"]
    assert made["replay_of"] == failed["run_id"]

    run = await local.ended_run(made["run_id"])
    assert (run["status"], run["output"], run["event_id"]) == ("Completed", "now", event)
    assert [number for _, number in seen] == [3, 3]
    assert [run["status"] for run in await local.runs(event)] == ["Failed", "Completed"]


@pytest.mark.parametrize(
    "limit",
    [
        {"idempotency": "event.data.key"},
        {"rate_limit": inngest.RateLimit(limit=1, period=datetime.timedelta(hours=1))},
    ],
)
async def test_limits_on_incoming_events_count_no_replay(local, limit):
    @local.function("limited", "test/go", **limit)
    async def limited(ctx):
        return ctx.run_id

    await local.serve()
    run = await local.run("test/go", {"key": "a"})
    for _ in range(2):
        answer = await local.http.post(f"/v1/runs/{run['run_id']}/replay")
        made = answer.json()["data"]["run_id"]
        assert (await local.ended_run(made))["output"] == made
    assert await local.runs(await local.send("test/go", {"key": "a"})) == []


async def test_a_replay_is_one_run_of_a_singleton_and_is_throttled_like_any_other(local):
    hour = datetime.timedelta(hours=1)
    throttle = inngest.Throttle(limit=1, period=hour, burst=0)

    @local.function("single", "test/go", singleton=inngest.Singleton(mode="skip"))
    async def single(ctx):
        await ctx.step.wait_for_event("end", event="test/end", timeout=hour)

    @local.function("paced", "test/paced", throttle=throttle)
    async def paced(ctx):
        return "done"

    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "wait")
    await local.send("test/end")
    first = await local.ended(event)
    holder = await local.waiting(await local.send("test/go"), "wait")
    refused = await local.http.post(f"/v1/runs/{first['run_id']}/replay")
    assert refused.status_code == 409
    assert f"it is a singleton and run {holder['run_id']} is unfinished" in refused.text

    run = await local.run("test/paced")
    answer = await local.http.post(f"/v1/runs/{run['run_id']}/replay")
    replay = (await local.http.get(f"/v1/runs/{answer.json()['data']['run_id']}")).json()["data"]
    other = await local.send("test/paced")
    assert (replay["status"], replay["ended_at"]) == ("Running", None)
    assert [run["status"] for run in await local.runs(other)] == ["Running"]


async def test_what_cannot_be_run_again_is_told(local):
    sleeping_function(local)
    await local.serve()
    assert (await local.http.post("/v1/runs/nobody/replay")).status_code == 404
    run = await local.waiting(await local.send("test/go"), "sleep")
    path = f"/v1/runs/{run['run_id']}"
    unfinished = await local.http.post(f"{path}/replay")
    assert (unfinished.status_code, "has ended" in unfinished.text) == (409, True)
    await local.http.delete(path)
    local.functions.clear()
    sleeping_function(local, "another")
    local.stop_app()
    local.start_app()
    await local.register()
    gone = await local.http.post(f"{path}/replay")
    assert (gone.status_code, "app-sleeper" in gone.text) == (409, True)
