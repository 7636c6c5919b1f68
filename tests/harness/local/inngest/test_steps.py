"""Steps run once, in order, and their results are kept."""

import datetime

import inngest


async def test_a_function_without_steps_returns_its_output(local):
    @local.function("plain", "test/go")
    async def plain(ctx):
        return {"got": ctx.event.data["n"]}

    await local.serve()
    run = await local.run("test/go", {"n": 7})
    assert (run["status"], run["output"]) == ("Completed", {"got": 7})


async def test_each_step_runs_once_though_the_function_is_called_for_each(local):
    steps, calls = [], []

    @local.function("three", "test/go")
    async def three(ctx):
        calls.append(ctx.run_id)
        results = []
        for name in ("a", "b", "c"):

            async def step(name=name):
                steps.append(name)
                return name.upper()

            results.append(await ctx.step.run(name, step))
        return results

    await local.serve()
    run = await local.run("test/go")
    assert run["output"] == ["A", "B", "C"]
    assert steps == ["a", "b", "c"]
    assert len(calls) == 4


async def test_a_step_that_returns_nothing_is_not_run_again(local):
    steps = []

    @local.function("nothing", "test/go")
    async def nothing(ctx):
        async def step():
            steps.append(1)

        first = await ctx.step.run("same", step)
        second = await ctx.step.run("same", step)
        return [first, second]

    await local.serve()
    assert (await local.run("test/go"))["output"] == [None, None]
    assert len(steps) == 2


async def test_a_sleep_ends_not_before_its_time_and_then_the_function_goes_on(local):
    at = []

    @local.function("sleepy", "test/go")
    async def sleepy(ctx):
        async def stamp():
            at.append(datetime.datetime.now(datetime.UTC))

        await ctx.step.run("before", stamp)
        await ctx.step.sleep("nap", 300)
        await ctx.step.run("after", stamp)
        return "awake"

    await local.serve()
    assert (await local.run("test/go"))["output"] == "awake"
    assert at[1] - at[0] >= datetime.timedelta(milliseconds=299)


async def test_a_sleep_until_a_time_already_past_ends_at_once(local):
    @local.function("late", "test/go")
    async def late(ctx):
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
        await ctx.step.sleep_until("past", past)
        return "on"

    await local.serve()
    assert (await local.run("test/go"))["output"] == "on"


async def test_results_of_every_json_type_come_back_as_they_were(local):
    values = [
        0,
        -1,
        1.5,
        1e300,
        2**53,
        "ü🙂\u0000",
        "",
        True,
        None,
        [],
        {},
        {"data": 1},
        [[{"a": [1]}]],
    ]

    @local.function("echo", "test/go")
    async def echo(ctx):
        async def give(value):
            return value

        return [await ctx.step.run(f"v{i}", give, value) for i, value in enumerate(values)]

    await local.serve()
    assert (await local.run("test/go"))["output"] == values


async def test_a_function_triggered_under_a_condition_runs_only_when_it_is_true(local):
    @local.function(
        "adults", "test/go", expression="event.data.age >= 18 && event.data.name != null"
    )
    async def adults(ctx):
        return ctx.event.data["age"]

    await local.serve()
    young = await local.send("test/go", {"age": 17, "name": "y"})
    nameless = await local.send("test/go", {"age": 40})
    assert (await local.run("test/go", {"age": 18.0, "name": "a"}))["output"] == 18
    assert await local.runs(young) == await local.runs(nameless) == []


async def test_a_streaming_app_works_like_any_other(local):
    @local.function("stream", "test/go")
    async def stream(ctx):
        async def one():
            return 1

        return await ctx.step.run("one", one)

    local.start_engine()
    local.start_app(streaming=inngest.Streaming.FORCE)
    assert (await local.register())["ok"] is True
    assert (await local.run("test/go"))["output"] == 1
