"""Parallel steps, in both modes."""

import asyncio
from collections import Counter

import inngest


async def test_parallel_steps_run_once_each_at_the_same_time(local):
    seen, together = Counter(), asyncio.Event()

    @local.function("parallel", "test/go")
    async def parallel(ctx):
        async def meet(name):
            seen[name] += 1
            if seen.total() == 3:
                together.set()
            await together.wait()
            return name

        def step(name):
            return lambda: ctx.step.run(name, meet, name)

        return await ctx.group.parallel((step("a"), step("b"), step("c")))

    await local.serve()
    assert (await local.run("test/go"))["output"] == ["a", "b", "c"]
    assert seen == {"a": 1, "b": 1, "c": 1}


async def test_the_function_is_asked_once_when_all_parallel_steps_have_ended(local):
    discoveries = []

    @local.function("waiting", "test/go")
    async def waiting(ctx):
        async def one():
            return 1

        discoveries.append(ctx.attempt)
        steps = tuple((lambda i=i: ctx.step.run(f"s{i}", one)) for i in range(4))
        return sum(await ctx.group.parallel(steps))

    await local.serve()
    assert (await local.run("test/go"))["output"] == 4
    # One that plans, four that are told which step to run, one that finishes.
    assert len(discoveries) == 6


async def test_a_step_after_parallel_ones_runs_once(local):
    seen = Counter()

    @local.function("after", "test/go")
    async def after(ctx):
        async def count(name):
            seen[name] += 1
            return name

        await ctx.group.parallel(
            (lambda: ctx.step.run("a", count, "a"), lambda: ctx.step.run("b", count, "b"))
        )
        await ctx.step.run("c", count, "c")
        return await ctx.step.run("d", count, "d")

    await local.serve()
    assert (await local.run("test/go"))["output"] == "d"
    assert seen == {"a": 1, "b": 1, "c": 1, "d": 1}


async def test_in_a_race_a_branch_goes_on_while_another_still_runs(local):
    seen, ahead = Counter(), asyncio.Event()

    @local.function("race", "test/go")
    async def race(ctx):
        async def count(name):
            seen[name] += 1
            return name

        async def slow():
            seen["slow"] += 1
            await ahead.wait()
            return "slow"

        async def last():
            ahead.set()
            return await count("last")

        async def branch():
            await ctx.step.run("first", count, "first")
            await ctx.step.run("second", count, "second")
            return await ctx.step.run("last", last)

        return await ctx.group.parallel(
            (lambda: ctx.step.run("slow", slow), branch), inngest.ParallelMode.RACE
        )

    await local.serve()
    assert (await local.run("test/go"))["output"] == ["slow", "last"]
    assert seen == {"slow": 1, "first": 1, "second": 1, "last": 1}


async def test_a_parallel_step_is_retried_alone(local):
    seen = []

    @local.function("alone", "test/go")
    async def alone(ctx):
        async def good():
            seen.append("good")
            return "good"

        async def flaky():
            seen.append(f"flaky {ctx.attempt}")
            if ctx.attempt == 0:
                raise ValueError("again")
            return "flaky"

        return await ctx.group.parallel(
            (lambda: ctx.step.run("good", good), lambda: ctx.step.run("flaky", flaky))
        )

    await local.serve()
    assert (await local.run("test/go"))["output"] == ["good", "flaky"]
    assert sorted(seen) == ["flaky 0", "flaky 1", "good"]


async def test_sleeps_and_waits_can_stand_beside_steps(local):
    @local.function("mixed", "test/go")
    async def mixed(ctx):
        async def one():
            return 1

        return await ctx.group.parallel(
            (
                lambda: ctx.step.run("one", one),
                lambda: ctx.step.sleep("nap", 50),
                lambda: ctx.step.wait_for_event("never", event="test/never", timeout=1000),
            )
        )

    await local.serve()
    assert (await local.run("test/go"))["output"] == [1, None, None]
