"""Functions that start others: by events, by invoking, by failing, by ending."""

import inngest


async def test_a_sent_event_starts_the_function_it_triggers_once(local):
    started = []

    @local.function("sender", "test/go")
    async def sender(ctx):
        ids = await ctx.step.send_event("send", inngest.Event(name="test/next", data={"n": 1}))
        return ids

    @local.function("receiver", "test/next")
    async def receiver(ctx):
        started.append(ctx.event.data["n"])
        return ctx.event.data["n"]

    await local.serve()
    run = await local.run("test/go")
    (sent,) = run["output"]
    assert (await local.ended(sent))["output"] == 1
    assert started == [1]


async def test_one_event_starts_every_function_it_triggers(local):
    for name in ("first", "second"):

        @local.function(name, "test/go")
        async def both(ctx, name=name):
            return name

    await local.serve()
    event = await local.send("test/go")
    await local.ended(event)
    assert len(await local.runs(event)) == 2


async def test_an_invoked_function_returns_its_output_to_the_step(local):
    @local.function("callee", "test/never")
    async def callee(ctx):
        async def double():
            return ctx.event.data["n"] * 2

        return await ctx.step.run("double", double)

    @local.function("caller", "test/go")
    async def caller(ctx):
        return await ctx.step.invoke("call", function=callee, data={"n": 21})

    await local.serve()
    assert (await local.run("test/go"))["output"] == 42


async def test_a_function_of_another_app_is_invoked(local):
    other = local.new_client("other")

    @other.create_function(fn_id="callee", trigger=inngest.TriggerEvent(event="test/never"))
    async def callee(ctx):
        return ctx.event.data["n"] * 2

    @local.function("caller", "test/go")
    async def caller(ctx):
        return await ctx.step.invoke_by_id(
            "call", app_id="other", function_id="callee", data={"n": 21}
        )

    await local.serve()
    url = local.start_other_app(other, [callee])
    answer = await local.http.post("/v1/apps/sync", json={"url": url})
    assert answer.json() == {"ok": True}
    assert (await local.run("test/go"))["output"] == 42


async def test_an_invoked_function_that_fails_raises_in_the_step(local):
    @local.function("callee", "test/never", retries=0)
    async def callee(ctx):
        raise ValueError("inside")

    @local.function("caller", "test/go")
    async def caller(ctx):
        try:
            await ctx.step.invoke("call", function=callee)
        except inngest.StepError as error:
            return error.message

    await local.serve()
    assert (await local.run("test/go"))["output"] == "inside"


async def test_invoking_an_unknown_function_raises_in_the_step(local):
    @local.function("caller", "test/go")
    async def caller(ctx):
        try:
            await ctx.step.invoke_by_id("call", app_id="app", function_id="nobody")
        except inngest.StepError as error:
            return error.message

    await local.serve()
    assert (await local.run("test/go"))["output"] == "no app has a function 'app-nobody'"


async def test_an_invocation_that_times_out_raises_in_the_step(local):
    @local.function("callee", "test/never")
    async def callee(ctx):
        await ctx.step.sleep("long", 60_000)

    @local.function("caller", "test/go")
    async def caller(ctx):
        try:
            await ctx.step.invoke("call", function=callee, timeout=1000)
        except inngest.StepError as error:
            return error.message

    await local.serve()
    assert (await local.run("test/go"))["output"] == "the invoked function timed out"


async def test_on_failure_runs_once_with_the_error_and_the_event(local, until):
    failures = []

    async def on_failure(ctx):
        failures.append(ctx.event.data)

    @local.function("failing", "test/go", retries=1, on_failure=on_failure)
    async def failing(ctx):
        raise ValueError("broken")

    await local.serve()
    run = await local.run("test/go", {"n": 1})
    await until(lambda: failures)
    (data,) = failures
    assert data["run_id"] == run["run_id"]
    assert data["function_id"] == "app-failing"
    assert data["error"]["message"] == "broken"
    assert data["event"]["data"] == {"n": 1}


async def test_on_failure_of_another_function_does_not_run(local, until):
    failures = []

    async def on_failure(ctx):
        failures.append("other")

    async def own(ctx):
        failures.append("own")

    @local.function("other", "test/other", on_failure=on_failure)
    async def other(ctx):
        return None

    @local.function("failing", "test/go", retries=0, on_failure=own)
    async def failing(ctx):
        raise ValueError("broken")

    await local.serve()
    await local.run("test/go")
    await until(lambda: failures)
    assert failures == ["own"]


async def test_the_end_of_a_run_is_an_event_with_its_result(local):
    @local.function("worker", "test/go")
    async def worker(ctx):
        return {"n": 1}

    @local.function(
        "observer",
        "inngest/function.finished",
        expression="event.data.function_id == 'app-worker'",
    )
    async def observer(ctx):
        return ctx.event.data["result"]

    await local.serve()
    await local.run("test/go")
    answer = await local.http.get("/v1/events", params={"name": "inngest/function.finished"})
    finished = [
        item for item in answer.json()["data"] if item["data"]["function_id"] == "app-worker"
    ]
    assert (await local.ended(finished[0]["internal_id"]))["output"] == {"n": 1}
