"""Limits count executing steps, so the runs of a key interleave."""

import asyncio
import threading
from collections import Counter, defaultdict

import inngest
import pytest


class Meter:
    """How many steps of a key were executing at once, and in which order runs did them."""

    def __init__(self):
        self.now, self.most, self.order = Counter(), Counter(), defaultdict(list)

    async def step(self, key, run):
        self.now[key] += 1
        self.most[key] = max(self.most[key], self.now[key])
        self.order[key].append(run)
        await asyncio.sleep(0.01)
        self.now[key] -= 1


def metered_function(local, meter, concurrency):
    @local.function("metered", "test/go", concurrency=concurrency)
    async def metered(ctx):
        for index in range(3):
            data = ctx.event.data
            await ctx.step.run(f"s{index}", meter.step, data["key"], data["run"])


async def all_ended(local, events):
    return [(await local.ended(event))["status"] for event in events]


async def test_steps_of_one_key_never_exceed_the_limit_and_runs_interleave(local):
    meter = Meter()
    limit = inngest.Concurrency(limit=1, key="event.data.key")
    metered_function(local, meter, [limit])
    await local.serve()
    events = await local.client.send(
        [inngest.Event(name="test/go", data={"key": "a", "run": run}) for run in range(4)]
    )
    assert await all_ended(local, events) == ["Completed"] * 4
    assert meter.most["a"] == 1
    order = meter.order["a"]
    assert order != sorted(order), "the runs were done one after another"
    assert Counter(order) == {run: 3 for run in range(4)}


async def test_steps_of_different_keys_run_together(local):
    both, keys = threading.Barrier(2), []
    limit = inngest.Concurrency(limit=1, key="event.data.key")

    @local.function("meeting", "test/go", concurrency=[limit])
    async def meeting(ctx):
        async def meet():
            keys.append(ctx.event.data["key"])
            await asyncio.to_thread(both.wait, 20)

        await ctx.step.run("meet", meet)

    await local.serve()
    events = [await local.send("test/go", {"key": key}) for key in ("a", "b")]
    assert await all_ended(local, events) == ["Completed"] * 2
    assert sorted(keys) == ["a", "b"]


@pytest.mark.parametrize("limit", [2, 5])
async def test_as_many_steps_as_the_limit_says_execute_at_once_and_no_more(local, limit):
    together, meter = threading.Barrier(limit), Meter()

    @local.function("limited", "test/go", concurrency=[inngest.Concurrency(limit=limit)])
    async def limited(ctx):
        async def meet():
            await meter.step("all", ctx.run_id)
            await asyncio.to_thread(together.wait, 20)

        await ctx.step.run("meet", meet)

    await local.serve()
    events = [await local.send("test/go") for _ in range(2 * limit)]
    assert await all_ended(local, events) == ["Completed"] * 2 * limit
    assert meter.most["all"] <= limit


async def test_two_limits_both_hold(local):
    by_key, overall = Meter(), Meter()
    limits = [inngest.Concurrency(limit=1, key="event.data.key"), inngest.Concurrency(limit=2)]

    @local.function("both", "test/go", concurrency=limits)
    async def both(ctx):
        async def step():
            data = ctx.event.data
            await asyncio.gather(
                by_key.step(data["key"], data["run"]), overall.step("all", data["run"])
            )

        await ctx.step.run("one", step)
        await ctx.step.run("two", step)

    await local.serve()
    events = [
        await local.send("test/go", {"key": key, "run": run}) for run in range(3) for key in "abcd"
    ]
    assert await all_ended(local, events) == ["Completed"] * 12
    assert set(by_key.most.values()) == {1}
    assert overall.most["all"] <= 2


async def test_a_sleeping_run_holds_nothing(local):
    seen = []

    @local.function("sleepy", "test/go", concurrency=[inngest.Concurrency(limit=1)])
    async def sleepy(ctx):
        if ctx.event.data["sleeps"]:
            await ctx.step.wait_for_event("long", event="test/never", timeout=3_600_000)
        seen.append("passed")

    await local.serve()
    sleeping = await local.send("test/go", {"sleeps": True})
    await local.waiting(sleeping, "wait")
    assert (await local.run("test/go", {"sleeps": False}))["status"] == "Completed"
    assert seen == ["passed"]


async def test_a_cancelled_run_gives_its_place_back(local):
    meter = Meter()
    limit = inngest.Concurrency(limit=1)

    @local.function("metered", "test/go", concurrency=[limit])
    async def metered(ctx):
        for index in range(3):
            await ctx.step.run(f"s{index}", meter.step, "all", 1)

    await local.serve()
    events = [await local.send("test/go") for _ in range(6)]
    for event in events[1:5]:
        (run,) = await local.runs(event)
        await local.http.delete(f"/v1/runs/{run['run_id']}")
    assert (await local.ended(events[5]))["status"] == "Completed"
    assert meter.most["all"] == 1


@pytest.mark.parametrize("scope", ["env", "account"])
async def test_functions_of_one_environment_or_account_share_the_limit_of_a_key(local, scope):
    meter = Meter()
    limit = inngest.Concurrency(limit=1, scope=scope, key="event.data.key")

    def add(name):
        @local.function(name, "test/go", concurrency=[limit])
        async def shared(ctx):
            await ctx.step.run("one", meter.step, ctx.event.data["key"], name)
            await ctx.step.run("two", meter.step, ctx.event.data["key"], name)

    add("first")
    add("second")
    await local.serve()
    events = [await local.send("test/go", {"key": key}) for key in "aab"]
    for event in events:
        for run in await local.runs(event):
            assert (await local.ended_run(run["run_id"]))["status"] == "Completed"
    assert set(meter.most.values()) == {1}
    assert len(meter.order["a"]) == 8
