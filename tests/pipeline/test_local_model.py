"""The one test that the packaged language model answers; every other one simulates it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harness.client import ChatClient
from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.models import Status
from harness.settings import LOCAL_MODEL

pytestmark = [
    pytest.mark.model,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("local-model"),
]

PATIENCE_S = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with Stack(tmp_path_factory.mktemp("real"), environ=without_ours()) as running:
        yield running


async def test_the_packaged_model_answers_a_message_through_the_whole_stack(real, user_id):
    async with ChatClient(real.settings, user_id) as client:
        thread = await client.create_thread("A thread")
        ack = await client.send(thread, "Good morning! The sun is out and I slept well.")
        texts = []
        async with asyncio.timeout(PATIENCE_S):
            async for state in client.follow(ack.message_key):
                texts.append(state.text)
    assert state.status is Status.COMPLETED, state.error
    assert state.model == LOCAL_MODEL
    assert state.content == texts[-1] != ""
    assert len(set(texts)) > 2  # it came in pieces
