"""Runs that do not start, or do not finish, in time."""

import asyncio
import datetime
import threading

import inngest

SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)


async def test_a_run_that_does_not_finish_in_time_is_cancelled(local):
    @local.function("slow", "test/go", timeouts=inngest.Timeouts(finish=SECOND))
    async def slow(ctx):
        await ctx.step.sleep("long", 3_600_000)

    await local.serve()
    run = await local.run("test/go")
    assert run["status"] == "Cancelled"
    assert run["output"]["message"] == (
        "function cancelled: it did not finish within 1000 ms (timeouts)"
    )


async def test_a_run_that_finishes_in_time_is_not(local):
    @local.function("quick", "test/go", timeouts=inngest.Timeouts(start=SECOND, finish=HOUR))
    async def quick(ctx):
        await ctx.step.sleep("longer than it may wait to start", 1500)
        return "done"

    await local.serve()
    assert (await local.run("test/go"))["output"] == "done"


async def test_a_run_that_waits_too_long_to_start_is_cancelled_and_never_called(local):
    called, leave = [], threading.Event()

    @local.function(
        "queued",
        "test/go",
        concurrency=[inngest.Concurrency(limit=1)],
        timeouts=inngest.Timeouts(start=SECOND),
    )
    async def queued(ctx):
        called.append(ctx.event.data["n"])
        await asyncio.to_thread(leave.wait, 20)

    await local.serve()
    first = await local.send("test/go", {"n": 1})
    second = await local.send("test/go", {"n": 2})
    run = await local.ended(second)
    leave.set()
    assert run["status"] == "Cancelled"
    assert "did not start within 1000 ms" in run["output"]["message"]
    assert (await local.ended(first))["status"] == "Completed"
    assert called == [1]


async def test_an_executing_step_is_not_interrupted_but_nothing_follows_it(local, until):
    seen, leave = [], threading.Event()

    @local.function("busy", "test/go", timeouts=inngest.Timeouts(finish=SECOND))
    async def busy(ctx):
        async def step():
            await asyncio.to_thread(leave.wait, 20)
            seen.append("out")

        await ctx.step.run("step", step)
        seen.append("after")

    await local.serve()
    assert (await local.run("test/go"))["status"] == "Cancelled"
    leave.set()
    await until(lambda: "out" in seen)
    assert seen == ["out"]


async def test_the_time_to_finish_goes_on_over_a_restart(local):
    @local.function("slow", "test/go", timeouts=inngest.Timeouts(finish=2 * SECOND))
    async def slow(ctx):
        await ctx.step.sleep("long", 3_600_000)

    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "sleep")
    local.stop_engine()
    local.start_engine()
    run = await local.ended(event)
    assert run["status"] == "Cancelled"
    begun, ended = map(datetime.datetime.fromisoformat, (run["run_started_at"], run["ended_at"]))
    assert ended - begun >= 2 * SECOND


async def test_a_run_that_started_before_its_function_had_timeouts_is_not_taken_for_unstarted(
    local,
):
    async def napping(ctx):
        await ctx.step.sleep("nap", 3000)
        return "done"

    local.function("nap", "test/go")(napping)
    await local.serve()
    event = await local.send("test/go")
    await local.waiting(event, "sleep")
    local.stop_app()
    local.functions.clear()
    local.function("nap", "test/go", timeouts=inngest.Timeouts(start=SECOND))(napping)
    local.start_app()
    await local.register()
    local.stop_engine()
    local.start_engine()
    assert (await local.ended(event))["output"] == "done"
