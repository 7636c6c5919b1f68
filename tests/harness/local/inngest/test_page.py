"""The engine's page, as a browser is sent it."""

import inngest
import pytest

SPOILED = '<script>alert("x")</script>&"\''
ESCAPED = "&lt;script&gt;alert("


async def text(local, path, status=200):
    answer = await local.http.get(path)
    assert answer.status_code == status, path
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.text


async def test_functions_are_listed_with_their_apps_triggers_and_settings(local):
    @local.function(
        "limited",
        "test/go",
        retries=7,
        expression="event.data.n > 5",
        concurrency=[inngest.Concurrency(limit=3, key="event.data.user")],
    )
    async def limited(ctx):
        await ctx.step.sleep("long", 3_600_000)

    local.start_engine()
    assert "No app has registered yet" in await text(local, "/")
    local.start_app()
    await local.register()
    await local.waiting(await local.send("test/go", {"n": 6}), "sleep")
    found = await text(local, "/")
    for words in ("app-limited", "test/go", "event.data.n &gt; 5", "<td>7</td>", "<td>1</td>"):
        assert words in found
    assert "concurrency: [{&quot;" in found
    assert "event.data.user" in found


async def test_runs_are_filtered_by_function_status_and_event(local):
    @local.function("good", "test/go", retries=0)
    async def good(ctx):
        return 1

    @local.function("bad", "test/go", retries=0)
    async def bad(ctx):
        raise ValueError("no")

    await local.serve()
    event = await local.send("test/go")
    both = [await local.ended_run(run["run_id"]) for run in await local.all_runs(event, 2)]
    ids = {run["function_id"]: run["run_id"] for run in both}
    for query, shown in (
        ("", {"app-good", "app-bad"}),
        ("?function=app-good", {"app-good"}),
        ("?status=FAILED", {"app-bad"}),
        (f"?event={event}&status=COMPLETED", {"app-good"}),
        ("?event=another", set()),
    ):
        found = await text(local, f"/runs{query}")
        assert {name for name, run_id in ids.items() if f"/runs/{run_id}" in found} == shown, query


async def test_a_long_list_goes_on_page_by_page(local):
    local.start_engine()
    body = [{"name": "test/many", "data": {}, "id": f"many-{number}"} for number in range(60)]
    await local.http.post("/e/test", json=body)
    first = await text(local, "/events?name=test/many")
    assert first.count("<td>test/many</td>") == 50
    older = first.partition("older</a>")[0].rpartition('href="')[2].partition('"')[0]
    rest = await text(local, older.replace("&amp;", "&"))
    assert rest.count("<td>test/many</td>") == 10


async def test_a_runs_timeline_has_its_queue_attempts_waits_output_and_error(local):
    @local.function("busy", "test/go", retries=1)
    async def busy(ctx):
        async def flaky():
            if ctx.attempt == 0:
                raise ValueError("once")
            return {"five": 5}

        await ctx.step.run("flaky", flaky)
        await ctx.step.wait_for_event("answer", event="test/answer", timeout=3_600_000)
        raise inngest.NonRetriableError("that was all")

    await local.serve()
    run = await local.waiting(await local.send("test/go"), "wait")
    path = f"/runs/{run['run_id']}"
    found = await text(local, path)
    for words in ("queue", "attempt 1 failed", "once", "2 attempts", "five", "waiting (wait"):
        assert words in found, words
    assert 'class="waited"' in found
    await local.send("test/answer")
    await local.ended_run(run["run_id"])
    ended = await text(local, path)
    assert "that was all" in ended
    assert 'class="FAILED"' in ended


async def test_an_event_is_shown_with_the_runs_it_started(local):
    @local.function("plain", "test/go")
    async def plain(ctx):
        return "done"

    await local.serve()
    event = await local.send("test/go", {"word": "seven"})
    run = await local.ended(event)
    found = await text(local, f"/events/{event}")
    assert "seven" in found
    assert f"/runs/{run['run_id']}" in found


async def test_an_event_tells_what_it_did_not_start_and_why(local):
    @local.function("once", "test/go", idempotency="event.data.key")
    async def once(ctx):
        return "done"

    await local.serve()
    first, skipped, repeated = [
        await local.send("test/go", {"key": key}, id=sent)
        for key, sent in (("a", "1"), ("a", "2"), ("b", "1"))
    ]
    assert "Not started" not in await text(local, f"/events/{first}")
    assert "its idempotency key is used up" in await text(local, f"/events/{skipped}")
    assert "used within 24 hours before" in await text(local, f"/events/{repeated}")
    assert (await text(local, "/")).count("<td>1</td>") == 1


async def test_whatever_stands_in_names_events_and_outputs_is_only_text(local):
    @local.function("plain", f"test/{SPOILED}", retries=0)
    async def plain(ctx):
        async def step():
            return SPOILED

        await ctx.step.run(SPOILED, step)
        raise ValueError(SPOILED)

    await local.serve()
    event = await local.send(f"test/{SPOILED}", {"text": SPOILED})
    run = await local.ended(event)
    for path in ("/", "/events", f"/events/{event}", f"/runs/{run['run_id']}"):
        found = await text(local, path)
        assert ESCAPED in found, path
        assert "<script>alert" not in found, path
    for path in ("/runs", "/events"):
        for query in ("function", "name", "event"):
            found = await local.http.get(path, params={query: SPOILED})
            assert "<script>alert" not in found.text, (path, query)


@pytest.mark.parametrize("path", ["/runs/nobody", "/events/nobody"])
async def test_what_is_not_there_is_told(local, path):
    local.start_engine()
    assert "There is no nobody here" in await text(local, path, 404)


async def test_a_page_wants_the_signing_key_where_there_is_one(local):
    local.start_engine(signing_key="signkey-test-00ff")
    for path in ("/", "/runs", "/events", "/page/changes"):
        assert (await local.http.get(path)).status_code == 401, path
