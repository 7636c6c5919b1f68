"""The whole stack with the simulated model; tests/pipeline kills its parts."""

import pytest
import pytest_asyncio

from harness.client import ChatClient
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.models import Status

pytestmark = [pytest.mark.xdist_group("whole-stack"), pytest.mark.timeout(400)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory):
    env = {"HARNESS_MODEL": "simulated?ttft_ms=5&itl_ms=1&tokens=12"}
    async with Stack(tmp_path_factory.mktemp("whole"), env=env, environ=without_ours()) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
async def test_a_message_completes(stack):
    async with ChatClient(stack.settings, "user_a") as client:
        ack = await client.send(await client.create_thread("t"), "[[say All of it.]]")
        state = await client.finished(ack.message_key)
    assert (state.status, state.content) == (Status.COMPLETED, "All of it.")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_whole_stack_stays_within_its_memory(stack):
    assert 100 < stack.memory_mb() < 2500
