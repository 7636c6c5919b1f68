"""The whole stack as its users meet it: every process is a real one, only the model is simulated.

One stack a test process: its start takes seconds and its parts much memory. A test has users and
threads of its own, and what it killed is started again after it.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import pytest_asyncio

from harness.client import ChatClient
from harness.events import message_key
from harness.keys import mint_token
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.models import Ack, Message, Status, ToolCall
from harness.store import Store, UserStore

PATIENCE_S = 90  # for what must come; nothing is measured by it
LOOK_EVERY_S = 0.02
Found = TypeVar("Found")

BARRIERS = "HARNESS_BARRIERS"
FAST = "simulated?ttft_ms=0&itl_ms=2&tokens=40"


async def until(look: Callable[[], Awaitable[Found]]) -> Found:
    """What `look` answers once it is truthy, for what nobody can be told of."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await look()):  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(LOOK_EVERY_S)
        return found


class Hold:
    """One place of one message's run, where its worker stands still."""

    def __init__(self, folder: Path, name: str) -> None:
        self._armed = folder / f"{name}.armed"
        self._reached = folder / f"{name}.reached"
        self._armed.touch()

    async def reached(self) -> None:
        """Wait until a run stands here; waited for again, until another one does too."""

        async def look() -> bool:
            return self._reached.exists()

        await until(look)
        self._reached.unlink()

    def release(self) -> None:
        """Let every run go on, now and later."""
        self._armed.unlink(missing_ok=True)


@dataclass(frozen=True)
class Draft:
    """A message whose key is known before it is sent."""

    thread_id: str
    text: str
    idempotency_key: str
    key: str


class Person:
    """A user of the pipeline: sends over the API, reads from subscriptions."""

    def __init__(self, stack: Stack, client: ChatClient, store: Store) -> None:
        self.stack = stack
        self.client = client
        self.id = client.user_id
        self._store = store

    def signed_in(self) -> UserStore:
        """Convex's public functions as this user sees them."""
        return self._store.as_user(mint_token(self.stack.settings, self.id))

    async def thread(self) -> str:
        return await self.client.create_thread("A thread")

    def draft(self, thread_id: str, text: str) -> Draft:
        key = secrets.token_hex(8)
        return Draft(thread_id, text, key, message_key(self.id, thread_id, key))

    async def send(self, draft: Draft, model: str | None = None) -> Ack:
        return await self.client.send(draft.thread_id, draft.text, draft.idempotency_key, model)

    async def say(self, thread_id: str, text: str, model: str | None = None) -> Draft:
        draft = self.draft(thread_id, text)
        await self.send(draft, model)
        return draft

    async def ended(self, draft: Draft) -> Message:
        """The answer once its subscription says that it has ended, found whole and in order.

        Whatever happened to it, there is one message of the user's and one of the assistant's, the
        thread's orders have no gaps, and what readers were pushed joins to what is kept.
        """
        async with asyncio.timeout(PATIENCE_S):
            state = await self.client.finished(draft.key)
        user = self.signed_in()
        listed = (await user.list_messages(draft.thread_id)).page
        assert [message.order for message in listed] == list(reversed(range(len(listed))))
        mine = [message for message in listed if message.message_key == draft.key]
        assert [(message.role) for message in mine] == ["assistant", "user"]
        answer, question = mine
        assert question.content == draft.text
        view = await user.stream(draft.key)
        assert view is not None
        assert [delta.seq for delta in view.deltas] == list(range(view.next_seq))
        winning = "".join(
            delta.text
            for turn, attempt in enumerate(view.attempts)
            for delta in view.deltas
            if (delta.turn, delta.attempt) == (turn, attempt)
        )
        assert answer.content == state.text == winning
        return answer

    async def answered(self, draft: Draft, text: str) -> None:
        """The message is completed, once, with its full text."""
        answer = await self.ended(draft)
        assert answer.status is Status.COMPLETED, answer.error
        assert answer.content == text

    async def calls(self, draft: Draft) -> list[ToolCall]:
        return await self.signed_in().tool_calls(draft.key)

    async def waits(self, draft: Draft) -> ToolCall:
        """The call whose question the message waits with, as its subscription brings it."""
        async with asyncio.timeout(PATIENCE_S):
            async for calls in self.client.tool_calls(draft.key):
                for call in calls:
                    if call.status == "waiting":
                        return call
        raise AssertionError("the calls' subscription ended")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(
    tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]
) -> AsyncIterator[Stack]:
    """The stack of this test process; the packaged model is left to the test that wants it."""
    barriers = tmp_path_factory.mktemp("barriers")
    env = {
        "HARNESS_MODEL": FAST,
        "HARNESS_LOCAL_MODEL_URL": f"http://127.0.0.1:{free_port()}/v1",
        "HARNESS_INNGEST_BACKOFF_MS": "500",
        "HARNESS_FLUSH_MS": "10",
        "HARNESS_RATE_LIMIT": "10000/minute",
        BARRIERS: str(barriers),
    }
    home = tmp_path_factory.mktemp("stack")
    async with Stack(home, env=env, environ=without_ours()) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def whole(stack: Stack) -> AsyncIterator[Stack]:
    """The stack, for a test that kills: what it left dead is started after it."""
    yield stack
    for part in stack.urls:
        if part not in stack.pids:
            await stack.start(part)


@pytest.fixture
def hold(stack: Stack) -> Callable[[str, str], Hold]:
    """Arms a place of a message's run: hold(key, "model-0:before")."""
    folder = Path(stack.env[BARRIERS])
    made: list[Hold] = []

    def arm(key: str, place: str) -> Hold:
        made.append(Hold(folder, f"{key}.{place}"))
        return made[-1]

    yield arm
    for each in made:
        each.release()


@pytest_asyncio.fixture(loop_scope="session")
async def store(stack: Stack) -> AsyncIterator[Store]:
    """The stack's Convex, with the deployment's key."""
    key = stack.settings.convex_deploy_key
    assert key is not None
    async with Store(stack.settings.convex_url, key.get_secret_value()) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def person(stack: Stack, store: Store, user_id: str) -> AsyncIterator[Person]:
    """A user nobody else is."""
    async with ChatClient(stack.settings, user_id) as client:
        yield Person(stack, client, store)


@pytest.fixture
def remembered(stack: Stack) -> Callable[[str, str], Awaitable[dict[str, Any]]]:
    """Waits for what a step left in Inngest's memory of a run: remembered(key, "begin")."""
    inngest = stack.settings.inngest_base_url

    async def wait(key: str, step: str) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=inngest, trust_env=False) as client:

            async def look() -> dict[str, Any] | None:
                runs = (await client.get(f"/v1/events/{key}/runs")).json()["data"]
                [run] = [run["run_id"] for run in runs]
                done = (await client.get(f"/v1/runs/{run}/timeline")).json()["data"]["steps"]
                return next((each["memo"] for each in done if each["name"] == step), None)

            return (await until(look))["data"]

    return wait


@pytest.fixture
def model_requests(stack: Stack) -> Callable[[str], Awaitable[list[dict[str, Any]]]]:
    """Answers what the simulated model was asked with a text, and how each request ended."""
    address = stack.settings.simulated_url.removesuffix("/v1")

    async def of(text: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient(trust_env=False) as client:
            requests = (await client.get(f"{address}/requests")).json()["requests"]
        return [request for request in requests if request["asked"] == text]

    return of


@pytest.fixture(name="until")
def _until() -> Callable[[Callable[[], Awaitable[Found]]], Awaitable[Found]]:
    """Waits for what nobody can be told of."""
    return until
