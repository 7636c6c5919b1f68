"""Runs whose state is large."""

from harness.local.inngest import machine

MEGABYTE = 1024 * 1024


async def test_state_too_large_for_a_request_is_fetched_by_the_app(local):
    seen = []

    @local.function("large", "test/go")
    async def large(ctx):
        async def chunk(index):
            seen.append(index)
            return str(index) * MEGABYTE

        parts = [await ctx.step.run(f"s{index}", chunk, index) for index in range(6)]
        return [ctx.event.data["n"], sum(map(len, parts)), parts[5][0]]

    await local.serve()
    assert (await local.run("test/go", {"n": 1}))["output"] == [1, 6 * MEGABYTE, "5"]
    assert seen == [0, 1, 2, 3, 4, 5]


async def test_a_step_result_over_four_megabytes_is_a_failed_attempt_and_says_so(local):
    seen = []

    @local.function("huge", "test/go", retries=1)
    async def huge(ctx):
        async def chunk():
            seen.append(1)
            return "x" * (5 * MEGABYTE)

        await ctx.step.run("huge", chunk)

    await local.serve()
    run = await local.run("test/go")
    assert run["status"] == "Failed"
    assert "bytes" in run["output"]["message"]
    assert seen == [1, 1]


async def test_a_run_with_too_many_steps_fails_and_says_so(local, monkeypatch):
    monkeypatch.setattr(machine, "MAX_STEPS", 5)

    @local.function("endless", "test/go")
    async def endless(ctx):
        async def step():
            return None

        for index in range(100):
            await ctx.step.run(f"s{index}", step)

    await local.serve()
    run = await local.run("test/go")
    assert (run["status"], run["output"]["name"]) == ("Failed", "StateOverflow")
    assert "more than 5 steps" in run["output"]["message"]


async def test_a_run_with_too_much_state_fails_and_says_so(local, monkeypatch):
    monkeypatch.setattr(machine, "MAX_STATE_BYTES", 1000)

    @local.function("heavy", "test/go")
    async def heavy(ctx):
        async def step():
            return "x" * 600

        for index in range(3):
            await ctx.step.run(f"s{index}", step)

    await local.serve()
    run = await local.run("test/go")
    assert (run["status"], run["output"]["name"]) == ("Failed", "StateOverflow")
