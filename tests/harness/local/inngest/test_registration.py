"""What an app may register, and what it is told when it may not."""

import datetime

import inngest
import pytest

MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)
DEBOUNCE = inngest.Debounce(period=MINUTE)


async def started(local):
    local.start_engine()
    local.start_app()


async def nothing(ctx):
    return None


async def test_a_registered_app_is_listed_with_its_functions(local):
    local.function("one", "test/go")(nothing)
    await started(local)
    assert await local.register() == {"ok": True, "modified": True}
    assert (await local.http.get("/v1/apps")).json()["apps"] == {"app": ["app-one"]}


async def test_registering_the_same_again_modifies_nothing(local):
    local.function("one", "test/go")(nothing)
    await started(local)
    await local.register()
    assert await local.register() == {"ok": True, "modified": False}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"batch_events": inngest.Batch(max_size=2)}, "batch_events"),
        ({"debounce": DEBOUNCE}, "debounce"),
        ({"throttle": inngest.Throttle(limit=0, period=MINUTE)}, "throttle's limit is 0"),
        ({"throttle": inngest.Throttle(limit=1, period=8 * DAY)}, "1s to 7d"),
        ({"rate_limit": inngest.RateLimit(limit=0, period=MINUTE)}, "rate limit is 0"),
        ({"rate_limit": inngest.RateLimit(limit=1, period=2 * DAY)}, "1s to 24h"),
        ({"rate_limit": inngest.RateLimit(limit=1, period=DAY, key="(")}, "is not CEL"),
        ({"priority": inngest.Priority(run="event.data.")}, "is not CEL"),
        ({"idempotency": "event.data."}, "is not CEL"),
        ({"singleton": inngest.Singleton(mode="skip", key="(")}, "is not CEL"),
        ({"retries": 21}, "21 retries"),
        ({"concurrency": [inngest.Concurrency(limit=1)] * 3}, "3 concurrency limits"),
        ({"concurrency": [inngest.Concurrency(limit=1, scope="env")]}, "without a key"),
        ({"concurrency": [inngest.Concurrency(limit=1, key="event.(")]}, "is not CEL"),
        ({"cancel": [inngest.Cancel(event="test/stop", if_exp="async ==")]}, "is not CEL"),
        ({"expression": "event.data ==="}, "is not CEL"),
    ],
)
async def test_what_is_not_supported_is_refused_and_named(local, options, named):
    local.function("fancy", "test/go", **options)(nothing)
    await started(local)
    answer = await local.register()
    assert "app-fancy" in answer["error"]
    assert named in answer["error"]
    assert (await local.http.get("/v1/apps")).json()["apps"] == {}


async def test_a_cron_trigger_is_refused_and_named(local):
    cron = inngest.TriggerCron(cron="* * * * *")
    local.functions.append(local.client.create_function(fn_id="tick", trigger=cron)(nothing))
    await started(local)
    assert "app-tick is triggered by cron" in (await local.register())["error"]


async def test_a_refused_registration_leaves_the_last_one_in_force(local):
    local.function("one", "test/go")(nothing)
    await local.serve()
    local.stop_app()
    local.function("fancy", "test/go", debounce=DEBOUNCE)(nothing)
    local.start_app()
    assert "app-fancy" in (await local.register())["error"]
    assert (await local.run("test/go"))["status"] == "Completed"


async def test_a_function_that_an_app_no_longer_has_is_not_started(local):
    local.function("one", "test/go")(nothing)
    local.function("two", "test/go")(nothing)
    await local.serve()
    local.stop_app()
    local.functions.pop()
    local.start_app()
    await local.register()
    event = await local.send("test/go")
    assert [run["function_id"] for run in await local.runs(event)] == ["app-one"]


async def test_two_apps_cannot_have_the_same_function(local):
    local.function("one", "test/go")(nothing)
    await local.serve()
    config = {
        "id": "app-one",
        "name": "one",
        "triggers": [{"event": "test/go"}],
        "steps": {"step": {"runtime": {"type": "http", "url": "http://127.0.0.1:1/?fnId=app-one"}}},
    }
    body = {"appname": "other", "url": "http://127.0.0.1:1/", "functions": [config]}
    answer = await local.http.post("/fn/register", json=body)
    assert answer.status_code == 400
    assert "belongs to app app" in answer.json()["error"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"appname": "a", "url": "u"}'])
async def test_a_malformed_registration_is_refused(local, body):
    local.start_engine()
    answer = await local.http.post("/fn/register", content=body)
    assert answer.status_code == 400
    assert "malformed" in answer.json()["error"]


@pytest.mark.parametrize(
    "function",
    [
        {},
        {"id": "f"},
        {"id": "f", "steps": {}, "triggers": []},
        {"id": "f", "steps": {"step": {"runtime": {"type": "ws", "url": "x"}}}, "triggers": []},
        "text",
    ],
)
async def test_a_malformed_function_is_refused(local, function):
    local.start_engine()
    body = {"appname": "a", "url": "http://127.0.0.1:1/", "functions": [function]}
    answer = await local.http.post("/fn/register", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_functions_are_known_after_a_restart_without_registering_again(local):
    local.function("one", "test/go")(nothing)
    await local.serve()
    local.stop_engine()
    local.start_engine()
    assert (await local.run("test/go"))["status"] == "Completed"


async def test_an_app_is_made_to_register_on_request(local):
    local.function("one", "test/go")(nothing)
    await started(local)
    answer = await local.http.post("/v1/apps/sync", json={"url": local.app_url})
    assert answer.json() == {"ok": True}
    assert (await local.http.get("/v1/apps")).json()["apps"] == {"app": ["app-one"]}


async def test_an_app_that_does_not_register_on_request_is_told_of_with_the_reason(local):
    local.function("fancy", "test/go", debounce=DEBOUNCE)(nothing)
    await started(local)
    refused = await local.http.post("/v1/apps/sync", json={"url": local.app_url})
    elsewhere = await local.http.post("/v1/apps/sync", json={"url": f"{local.url}/health"})
    nowhere = await local.http.post("/v1/apps/sync", json={"url": "http://127.0.0.1:1/"})
    nothing_given = await local.http.post("/v1/apps/sync", json={})
    assert (refused.status_code, nothing_given.status_code) == (502, 400)
    assert "debounce" in refused.json()["error"]
    assert "is not an Inngest app" in elsewhere.json()["error"]
    assert "cannot be reached" in nowhere.json()["error"]


async def test_an_app_named_at_the_start_registers_once_it_is_up(local, until):
    local.function("one", "test/go")(nothing)
    local.start_engine(sdk_urls=(local.app_url,))
    assert (await local.http.get("/v1/apps")).json()["apps"] == {}
    local.start_app()
    await local.registered()
