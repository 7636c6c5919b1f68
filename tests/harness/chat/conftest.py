import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from schemathesis.pytest.plugin import SchemathesisFunction

from harness.app import create_api
from harness.events import MessageSent, message_key
from harness.settings import SIMULATED_MODEL, Settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each documented operation's test an id of its own.

    Schemathesis puts the operation into the test's name, and pytest 9.2 makes ids of a function's
    original name, so all would share one id, of which xdist runs a single test.
    """
    for item in items:
        if isinstance(item, SchemathesisFunction):
            item._id = item.parent.id.child(item.name)


@pytest.fixture
def api_settings(convex, inngest_engine) -> Settings:
    """Settings of an API over the shared engines; change a copy."""
    return convex.settings.model_copy(
        update={"inngest_base_url": inngest_engine.url, "model": SIMULATED_MODEL}
    )


@pytest.fixture
def api(serve, api_settings) -> Any:
    """The API over the shared engines."""
    return serve(create_api(api_settings))


@pytest.fixture
async def client(api, user_id, mint) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the API, signed in as `user_id`."""
    headers = {"Authorization": f"Bearer {mint(user_id)}"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers) as opened:
        yield opened


@pytest.fixture
async def thread(store, user_id) -> str:
    """A thread of `user_id`."""
    return await store.create_thread(user_id, "t")


@pytest.fixture
def named(inngest_engine) -> Callable[..., list[dict]]:
    """Answers the newest events of a name that the Inngest engine took."""

    async def events(name: str) -> list[dict]:
        async with httpx.AsyncClient(base_url=inngest_engine.url) as client:
            answer = await client.get("/v1/events", params={"name": name, "limit": 100})
        return answer.json()["data"]

    return events


@pytest.fixture
def taken(named) -> Callable[..., list[dict]]:
    """Answers the events of a name that the Inngest engine took with an id."""

    async def events(name: str, event_id: str) -> list[dict]:
        return [event for event in await named(name) if event["id"] == event_id]

    return events


@pytest.fixture
def soon() -> Callable[..., asyncio.Timeout]:
    """Bounds what a test waits for."""
    return lambda: asyncio.timeout(20)


@pytest.fixture
def begin(store, user_id) -> Callable[..., Any]:
    """Begins a message of `user_id`, as its run would."""

    async def start(thread_id: str) -> MessageSent:
        sent = MessageSent(
            message_key=message_key(user_id, thread_id, uuid.uuid4().hex),
            thread_id=thread_id,
            user_id=user_id,
            text="hello",
            model=SIMULATED_MODEL,
            sent_at=int(time.time() * 1000),
        )
        await store.begin(sent, "run-1")
        return sent

    return start
