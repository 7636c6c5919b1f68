"""Ending runs from outside."""

import asyncio
import threading

import inngest

CANCEL = inngest.Cancel(event="test/stop", if_exp="async.data.key == event.data.key")


def sleeping_function(local, **options):
    @local.function("sleeper", "test/go", **options)
    async def sleeper(ctx):
        await ctx.step.sleep("long", 3_600_000)

    return sleeper


async def test_a_matching_event_cancels_a_run_and_leaves_others(local):
    sleeping_function(local, cancel=[CANCEL])
    await local.serve()
    kept, stopped = [await local.send("test/go", {"key": key}) for key in ("a", "b")]
    await local.waiting(kept, "sleep")
    await local.waiting(stopped, "sleep")
    await local.send("test/stop", {"key": "b"})
    assert (await local.ended(stopped))["status"] == "Cancelled"
    assert (await local.runs(kept))[0]["status"] == "Running"


async def test_a_cancelled_run_tells_of_its_end(local):
    sleeping_function(local, cancel=[CANCEL])
    await local.serve()
    event = await local.send("test/go", {"key": "a"})
    await local.waiting(event, "sleep")
    await local.send("test/stop", {"key": "a"})
    run = await local.ended(event)
    for name in ("inngest/function.cancelled", "inngest/function.finished"):
        (told,) = (await local.http.get("/v1/events", params={"name": name})).json()["data"]
        assert told["data"]["run_id"] == run["run_id"]
        assert told["data"]["error"]["message"] == "function cancelled"
    assert (await local.http.get("/v1/events?name=inngest/function.failed")).json()["data"] == []


async def test_an_executing_step_is_not_interrupted_but_nothing_follows_it(local, until):
    seen, leave = [], threading.Event()

    @local.function("busy", "test/go", cancel=[inngest.Cancel(event="test/stop")])
    async def busy(ctx):
        async def first():
            seen.append("in")
            await asyncio.to_thread(leave.wait)
            seen.append("out")

        async def second():
            seen.append("second")

        await ctx.step.run("first", first)
        await ctx.step.run("second", second)

    @local.function("other", "test/other")
    async def other(ctx):
        async def nothing():
            return None

        await ctx.step.run("nothing", nothing)
        return "after"

    await local.serve()
    event = await local.send("test/go")
    await until(lambda: "in" in seen)
    await local.send("test/stop")
    run = await local.ended(event)
    assert run["status"] == "Cancelled"
    leave.set()
    await until(lambda: "out" in seen)
    # A later run of the same function has had all its calls, so a call of the first would show.
    assert (await local.ended(await local.send("test/other")))["output"] == "after"
    assert seen == ["in", "out"]


async def test_a_cancellation_past_its_timeout_is_ignored(local):
    rule = inngest.Cancel(event="test/stop", timeout=1000)
    sleeping_function(local, cancel=[rule])
    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "sleep")
    await asyncio.sleep(1.1)
    await local.send("test/stop")
    assert (await local.runs(event))[0]["status"] == "Running"


async def test_a_run_is_cancelled_by_request(local):
    sleeping_function(local)
    await local.serve()
    run = await local.waiting(await local.send("test/go"), "sleep")
    answer = await local.http.delete(f"/v1/runs/{run['run_id']}")
    assert answer.status_code == 204
    found = (await local.http.get(f"/v1/runs/{run['run_id']}")).json()["data"]
    assert found["status"] == "Cancelled"
    again = await local.http.post(f"/v1/runs/{run['run_id']}/cancel")
    assert again.status_code == 409
    assert (await local.http.delete("/v1/runs/nobody")).status_code == 404


async def test_a_cancelled_run_is_not_resumed_after_a_restart(local):
    sleeping_function(local, cancel=[CANCEL])
    await local.serve()
    event = await local.send("test/go", {"key": "a"})
    await local.waiting(event, "sleep")
    await local.send("test/stop", {"key": "a"})
    await local.ended(event)
    local.stop_engine()
    local.start_engine()
    assert (await local.http.get("/v1/apps")).json()["unfinished_runs"] == 0
