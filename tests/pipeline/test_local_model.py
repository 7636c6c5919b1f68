"""The one test that the packaged language model answers; every other one simulates it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from harness.local.environment import without_ours
from harness.local.supervisor import Stack
from harness.models import Status
from harness.settings import LOCAL_MODEL

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def model(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[None]:
    """The packaged model, where the stack's worker looks for it."""
    env = {"HARNESS_LOCAL_MODEL_URL": stack.settings.local_model_url}
    home = tmp_path_factory.mktemp("model")
    given = {"parts": ["model"], "env": env, "environ": without_ours(), "free_ports": False}
    async with Stack(home, **given):
        yield


@pytest.mark.usefixtures("model")
async def test_the_packaged_model_answers_a_message_through_the_whole_stack(person):
    draft = await person.say(
        await person.thread(), "Good morning! The sun is out and I slept well.", LOCAL_MODEL
    )
    texts = [state.text async for state in person.client.follow(draft.key)]
    answer = await person.ended(draft)
    assert answer.status is Status.COMPLETED, answer.error
    assert answer.model == LOCAL_MODEL
    assert answer.content == texts[-1] != ""
    assert len(set(texts)) > 2  # it came in pieces
