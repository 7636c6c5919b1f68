"""One unfinished run a key."""

import inngest


def single_function(local, **options):
    @local.function("single", "test/go", singleton=inngest.Singleton(**options))
    async def single(ctx):
        found = await ctx.step.wait_for_event("end", event="test/end", timeout=3_600_000)
        return found.data


async def send(local, key="a"):
    return await local.send("test/go", {"key": key})


async def test_a_new_event_is_skipped_while_a_run_is_unfinished(local):
    single_function(local, mode="skip")
    await local.serve()
    first = await send(local)
    await local.waiting(first, "wait")
    assert await local.runs(await send(local)) == []
    await local.send("test/end", {"n": 1})
    assert (await local.ended(first))["output"] == {"n": 1}
    assert len(await local.runs(await send(local))) == 1


async def test_a_new_event_cancels_the_run_in_progress(local):
    single_function(local, mode="cancel")
    await local.serve()
    first = await send(local)
    await local.waiting(first, "wait")
    second = await send(local)
    run = await local.ended(first)
    assert run["status"] == "Cancelled"
    (newer,) = await local.runs(second)
    assert run["output"]["message"] == (
        f"function cancelled: run {newer['run_id']} took its place (singleton)"
    )
    assert newer["status"] == "Running"


async def test_keys_are_apart_and_a_false_one_exempts(local):
    single_function(local, mode="skip", key="event.data.key == 'free' ? false : event.data.key")
    await local.serve()
    events = [await send(local, key) for key in ("a", "a", "b", "free", "free")]
    counts = [len(await local.runs(event)) for event in events]
    assert counts == [1, 0, 1, 1, 1]


async def test_a_run_holds_its_place_after_a_restart(local):
    single_function(local, mode="skip", key="event.data.key")
    await local.serve()
    await local.waiting(await send(local), "wait")
    local.stop_engine()
    local.start_engine()
    assert await local.runs(await send(local)) == []
    assert len(await local.runs(await send(local, "b"))) == 1


async def test_invoking_a_singleton_that_runs_is_an_error_the_caller_can_catch(local):
    @local.function("callee", "test/callee", singleton=inngest.Singleton(mode="skip"))
    async def callee(ctx):
        await ctx.step.sleep("long", 3_600_000)

    @local.function("caller", "test/go")
    async def caller(ctx):
        try:
            await ctx.step.invoke("call", function=callee)
        except inngest.StepError as error:
            return error.message

    await local.serve()
    await local.waiting(await local.send("test/callee"), "sleep")
    assert "it is a singleton and run" in (await local.run("test/go"))["output"]
