"""What can be read of events and runs."""

import inngest


async def test_events_are_listed_by_name_newest_first(local):
    local.start_engine()
    for n in range(3):
        await local.send("test/a", {"n": n})
    await local.send("test/b")
    found = (await local.http.get("/v1/events", params={"name": "test/a"})).json()["data"]
    assert [item["data"]["n"] for item in found] == [2, 1, 0]
    limited = await local.http.get("/v1/events", params={"name": "test/a", "limit": 1})
    assert len(limited.json()["data"]) == 1


async def test_apps_are_told_with_their_functions_and_the_number_of_unfinished_runs(local):
    @local.function("waiter", "test/go")
    async def waiter(ctx):
        await ctx.step.sleep("long", 3_600_000)

    await local.serve()
    await local.waiting(await local.send("test/go"), "sleep")
    told = (await local.http.get("/v1/apps")).json()
    assert (told["apps"], told["unfinished_runs"]) == ({"app": ["app-waiter"]}, 1)


async def test_a_runs_status_and_output_appear_together(local):
    @local.function("plain", "test/go")
    async def plain(ctx):
        return "whole"

    await local.serve()
    event = await local.send("test/go")
    while not (runs := await local.runs(event)) or runs[0]["status"] == "Running":
        assert not runs or runs[0]["output"] is None
    assert (runs[0]["status"], runs[0]["output"]) == ("Completed", "whole")


async def test_an_event_is_found_by_either_of_its_ids(local):
    local.start_engine()
    internal = await local.send("test/a", {"n": 1}, id="chosen/id")
    for event_id in (internal, "chosen/id"):
        found = (await local.http.get(f"/v1/events/{event_id}")).json()["data"]
        assert (found["internal_id"], found["id"]) == (internal, "chosen/id")
        assert found["data"] == {"n": 1}


async def test_what_is_unknown_is_not_found(local):
    local.start_engine()
    for path in (
        "/v1/events/nobody",
        "/v1/events/nobody/runs",
        "/v1/runs/nobody",
        "/v1/runs/nobody/timeline",
        "/v0/runs/nobody/batch",
        "/v0/runs/nobody/actions",
    ):
        answer = await local.http.get(path)
        assert answer.status_code == 404, path
        assert "nobody" in answer.json()["error"]


async def test_a_run_tells_its_function_event_times_and_output(local):
    @local.function("plain", "test/go")
    async def plain(ctx):
        return {"a": 1}

    await local.serve()
    event = await local.send("test/go")
    ended = await local.ended(event)
    run = (await local.http.get(f"/v1/runs/{ended['run_id']}")).json()["data"]
    assert run == ended
    assert (run["function_id"], run["event_id"]) == ("app-plain", event)
    assert run["run_started_at"] <= run["ended_at"]


async def test_a_timeline_has_steps_failed_attempts_and_what_is_waited_for(local):
    @local.function("busy", "test/go", retries=1)
    async def busy(ctx):
        async def flaky():
            if ctx.attempt == 0:
                raise ValueError("once")
            return 5

        await ctx.step.run("flaky", flaky)
        await ctx.step.wait_for_event("answer", event="test/never", timeout=3_600_000)

    await local.serve()
    run = await local.waiting(await local.send("test/go"), "wait")
    timeline = await local.timeline(run["run_id"])
    (step,), (failure,), (pending,) = (timeline[key] for key in ("steps", "attempts", "pending"))
    assert (step["name"], step["attempts"], step["memo"]) == ("flaky", 2, {"data": 5})
    assert (failure["name"], failure["error"]["message"]) == ("flaky", "once")
    assert (pending["name"], pending["kind"]) == ("answer", "wait")


async def ask(local, query, **variables):
    answer = await local.http.post("/v0/gql", json={"query": query, "variables": variables})
    return answer.json()


async def test_the_queries_of_test_helpers_are_answered(local):
    @local.function("plain", "test/go", retries=0)
    async def plain(ctx):
        async def good():
            return {"x": 1}

        async def bad():
            raise ValueError("no")

        await ctx.step.run("good", good)
        try:
            await ctx.step.run("bad", bad)
        except inngest.StepError:
            return ["done"]

    await local.serve()
    event = await local.send("test/go", {"n": 1})
    run_id = (await local.ended(event))["run_id"]

    query = "query Q($id: ID!) { event(query: {eventId: $id}) { functionRuns { id } } }"
    found = await ask(local, query, id=event)
    assert found == {"data": {"event": {"functionRuns": [{"id": run_id}]}}}

    query = """query Q($id: String!) {
        run(runID: $id) { output status trace { childrenSpans { name outputID } } }
    }"""
    run = (await ask(local, query, id=run_id))["data"]["run"]
    assert (run["output"], run["status"]) == ('["done"]', "COMPLETED")
    spans = run["trace"]["childrenSpans"]
    assert [span["name"] for span in spans] == ["good", "bad"]

    query = """query Q($id: String!) {
        runTraceSpanOutputByID(outputID: $id) { data error { message name stack } }
    }"""
    good, bad = [
        (await ask(local, query, id=span["outputID"]))["data"]["runTraceSpanOutputByID"]
        for span in spans
    ]
    assert (good["data"], good["error"]) == ('{"x":1}', None)
    assert bad["data"] is None
    assert (bad["error"]["message"], bad["error"]["name"]) == ("no", "ValueError")

    query = f'{{ runTrigger(runID: "{run_id}") {{ payloads }} }}'
    (payload,) = (await ask(local, query))["data"]["runTrigger"]["payloads"]
    assert '"n":1' in payload


async def test_a_query_it_does_not_know_is_an_error_that_says_what_it_knows(local):
    local.start_engine()
    found = await ask(local, "{ apps { id } }")
    assert "apps" in found["errors"][0]["message"]
    unknown = await ask(local, '{ run(runID: "nobody") { status } }')
    assert "nobody" in unknown["errors"][0]["message"]
