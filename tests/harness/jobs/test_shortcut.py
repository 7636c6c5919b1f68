"""Inngest's calls past FastAPI's routing: the same answers, and other requests as before."""

import logging

import httpx
import inngest
import inngest.fast_api
import pytest
from fastapi import FastAPI

from harness.jobs.shortcut import Shortcut

PATH = "/api/inngest"
CALL = {
    "ctx": {
        "run_id": "r",
        "attempt": 0,
        "disable_immediate_execution": False,
        "use_api": False,
        "stack": {"stack": []},
    },
    "event": {"name": "test/go", "id": "e", "ts": 1, "data": {"n": 1}},
    "events": [{"name": "test/go", "id": "e", "ts": 1, "data": {"n": 1}}],
    "steps": {},
    "use_api": False,
}


@pytest.fixture
async def ask():
    """Sends a request to an app with the shortcut, or without."""
    clients = []

    def make(shortcut, **options):
        client = inngest.Inngest(
            app_id="app", is_production=False, logger=logging.getLogger("test-shortcut")
        )
        clients.append(client)

        @client.create_function(fn_id="fn", trigger=inngest.TriggerEvent(event="test/go"))
        async def fn(ctx):
            async def double():
                return ctx.event.data["n"] * 2

            return await ctx.step.run("double", double)

        app = FastAPI()
        if shortcut:
            app.add_middleware(Shortcut, paths=[PATH])

        @app.get("/healthz")
        async def healthz():
            return "well"

        inngest.fast_api.serve(app, client, [fn], **options)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://app"
        )

    yield make
    for client in clients:
        await client._http_client._http_client.aclose()
        client._http_client._http_client_sync.close()


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", f"{PATH}?fnId=app-fn&stepId=step", CALL),
        ("POST", f"{PATH}?fnId=app-gone&stepId=step", CALL),
        ("POST", f"{PATH}?fnId=app-fn&stepId=step", {"no": "call"}),
        ("GET", PATH, None),
        ("DELETE", PATH, None),
        ("GET", f"{PATH}/below", None),
        ("GET", "/healthz", None),
    ],
)
async def test_every_answer_is_the_one_without_it(ask, method, url, body):
    answers = []
    for shortcut in (True, False):
        async with ask(shortcut) as http:
            answers.append(await http.request(method, url, json=body))
    direct, routed = answers
    assert (direct.status_code, direct.json()) == (routed.status_code, routed.json())
    timed = {"server-timing"}
    assert {name: value for name, value in direct.headers.items() if name not in timed} == {
        name: value for name, value in routed.headers.items() if name not in timed
    }


async def test_a_call_runs_a_step(ask):
    async with ask(True) as http:
        answer = await http.post(f"{PATH}?fnId=app-fn&stepId=step", json=CALL)
    assert answer.status_code == 206
    assert [(item["op"], item["data"]) for item in answer.json()] == [("StepRun", 2)]


async def test_a_streaming_app_goes_on_streaming(ask):
    async with ask(True, streaming=inngest.Streaming.FORCE) as http:
        answer = await http.post(f"{PATH}?fnId=app-fn&stepId=step", json=CALL)
    assert answer.status_code == 201
    assert answer.json()["status"] == 206


async def test_a_handler_that_breaks_is_an_error_of_the_server(ask, monkeypatch):
    async with ask(True) as http:
        monkeypatch.setattr("inngest.fast_api._to_response", lambda client, answer: 1 / 0)
        answer = await http.get(PATH)
    assert answer.status_code == 500
