"""What a user removes is gone: from every reader at once, from memory whatever process is down."""

import secrets

import httpx
import pytest

from harness.context.memory import Memory
from harness.context.vectors import connect
from harness.keys import mint_token
from harness.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Named:
    """What tells the worker's memory from others'; nothing is embedded here."""

    name = Settings.model_fields["embedder"].default
    dimensions = 384


@pytest.fixture
def remembered(stack, person):
    """How many messages of the person Chroma has."""

    async def count():
        return await Memory(connect(stack.settings.chroma_url), Named()).count(person.id)

    return count


@pytest.fixture
def remove(stack, person):
    """Asks the API to remove something of the person's."""

    async def ask(address):
        headers = {"Authorization": f"Bearer {mint_token(stack.settings, person.id)}"}
        async with httpx.AsyncClient(base_url=stack.settings.api_url, trust_env=False) as client:
            return (await client.delete(address, headers=headers)).status_code

    return ask


@pytest.fixture
def told(person, remembered, until):
    """Says something in a new thread and waits until it is remembered; answers the thread."""

    async def say(before=0):
        draft = await person.say(await person.thread(), f"[[say {secrets.token_hex(4)}]]")
        await person.client.finished(draft.key)

        async def both():
            return await remembered() == before + 2

        await until(both)
        return draft

    return say


@pytest.mark.parametrize("part", ["worker", "inngest", "convex", "chroma"])
async def test_a_removed_thread_is_forgotten_although_a_process_was_down(
    whole, told, remove, remembered, until, part
):
    kept, draft = await told(), await told(before=2)
    if part in ("worker", "chroma"):  # the request needs the others
        await whole.kill(part)
    assert await remove(f"/api/threads/{draft.thread_id}") == 204
    if part in ("inngest", "convex"):
        await whole.kill(part)
    await whole.start(part)

    async def forgotten():
        return await remembered() == 2

    await until(forgotten)
    assert await remove(f"/api/threads/{draft.thread_id}") == 404
    assert await remove(f"/api/threads/{kept.thread_id}") == 204


async def test_a_removed_user_is_forgotten(person, told, remove, remembered, until):
    draft = await told()
    assert await remove("/api/me") == 204
    assert (await person.signed_in().list_threads()).page == []
    assert await person.signed_in().read_message(draft.key) is None

    async def forgotten():
        return await remembered() == 0

    await until(forgotten)


async def test_a_thread_removed_before_its_exchange_is_indexed_leaves_nothing(
    person, hold, remove, remembered, until, stack
):
    draft = person.draft(await person.thread(), "[[say a kite]]")
    held = hold(draft.key, "index-memory:before")
    await person.send(draft)
    await held.reached()
    assert await remove(f"/api/threads/{draft.thread_id}") == 204
    held.release()
    again = await person.say(await person.thread(), "[[say a boat]]")
    await person.answered(again, "a boat")

    async def only_the_other():
        return await remembered() == 2

    await until(only_the_other)
