"""The whole stack with the simulated model, and what its parts' deaths do to a message."""

import asyncio
from contextlib import aclosing

import pytest
import pytest_asyncio

from harness.client import ChatClient
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.models import Status

pytestmark = [pytest.mark.xdist_group("whole-stack"), pytest.mark.timeout(400)]

SLOW = "simulated?ttft_ms=5&itl_ms=30&tokens=60"
PARTS = ["convex", "inngest", "chroma", "simulated", "worker", "api"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory):
    env = {
        "HARNESS_MODEL": "simulated?ttft_ms=5&itl_ms=1&tokens=12",
        "HARNESS_INNGEST_BACKOFF_MS": "3000",  # longer than a part takes to start
    }
    async with Stack(tmp_path_factory.mktemp("whole"), env=env, environ=without_ours()) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
async def test_a_message_completes(stack):
    async with ChatClient(stack.settings, "user_a") as client:
        ack = await client.send(await client.create_thread("t"), "[[say All of it.]]")
        state = await client.finished(ack.message_key)
    assert (state.status, state.content) == (Status.COMPLETED, "All of it.")


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("part", PARTS)
async def test_a_message_outlives_a_killed(stack, part):
    async with ChatClient(stack.settings, f"user_{part}") as client:
        thread_id = await client.create_thread("t")
        ack = await client.send(thread_id, "hello", model=SLOW)
        async with aclosing(client.follow(ack.message_key)) as states:
            async for state in states:
                if len(state.text) > 60:
                    break
        await stack.kill(part)
        await stack.start(part)
        async with asyncio.timeout(90):
            state = await client.finished(ack.message_key)
    assert state.status is Status.COMPLETED
    assert len(state.content.split()) == 60


@pytest.mark.asyncio(loop_scope="module")
async def test_the_whole_stack_stays_within_its_memory(stack):
    assert 100 < stack.memory_mb() < 2500
