"""What is removed is forgotten, whatever stands in the way."""

import pytest

from harness.events import ThreadDeleted, UserDeleted
from harness.jobs import forgetting
from harness.models import Status
from harness.store import ImportedMessage

SLOW = "simulated?ttft_ms=0&itl_ms=20&tokens=2000"
ASK = '[[call ask_user {"question": "Which day?"}]]'
LATER = 2**45


@pytest.fixture
def remove(worker):
    """Says that a thread, or its user, was removed, as the API does."""

    async def tell(what, thread):
        if what == "thread":
            event = ThreadDeleted(thread_id=thread, user_id=worker.user_id)
        else:
            event = UserDeleted(user_id=worker.user_id, asked_at=LATER)
        await worker.services.inngest.send(event.to_inngest(f"{thread}-{what}"))

    return tell


@pytest.fixture
def forgotten(worker):
    """Waits until nothing is remembered of the worker's user."""

    async def look():
        return await worker.services.memory.count(worker.user_id) == 0

    return lambda: worker.until(look)


async def remembered(worker):
    thread = await worker.thread()
    await worker.finished(await worker.send(thread, "[[say a kite]]"))
    await worker.indexed(2)
    return thread


@pytest.mark.parametrize("what", ["thread", "user"])
async def test_what_is_removed_is_forgotten(worker, remove, forgotten, what):
    thread = await remembered(worker)
    await remove(what, thread)
    await forgotten()
    assert await worker.store.thread_access(thread, worker.user_id) is None


async def test_another_thread_is_still_remembered(worker, remove):
    thread, kept = await remembered(worker), await worker.thread()
    message = [ImportedMessage(role="user", content="kept", sent_at=1)]
    await worker.store.import_messages(kept, message)
    await worker.finished(await worker.send(kept, "[[say kept too]]"))
    await worker.indexed(5)
    await remove("thread", thread)

    async def three():
        return await worker.services.memory.count(worker.user_id) == 3

    await worker.until(three)


@pytest.mark.parametrize("what", ["thread", "user"])
async def test_it_is_forgotten_once_chroma_answers_again(worker, remove, forgotten, what):
    thread = await remembered(worker)
    memory, tries = worker.services.memory, 0
    originals = memory.forget_thread, memory.forget_user

    def failing(original):
        async def forget(*arguments):
            nonlocal tries
            tries += 1
            if tries <= 2:
                raise RuntimeError("Chroma is down")
            await original(*arguments)

        return forget

    memory.forget_thread, memory.forget_user = map(failing, originals)
    await remove(what, thread)
    await forgotten()
    assert tries >= 3


@pytest.mark.parametrize("what", ["thread", "user"])
async def test_a_run_in_flight_ends_and_writes_nothing_more(worker, remove, forgotten, what):
    thread = await remembered(worker)
    key = await worker.send(thread, "hi", model=SLOW)

    async def streaming():
        return any(request["outcome"] == "open" for request in await worker.model_requests())

    await worker.until(streaming)
    await remove(what, thread)

    async def closed():
        return all(request["outcome"] != "open" for request in await worker.model_requests())

    await worker.until(closed)

    async def gone():
        return await worker.store.read_message(key) is None

    await worker.until(gone)
    await forgotten()


async def test_a_run_that_waits_for_its_user_ends(worker, remove):
    thread = await worker.thread()
    key = await worker.send(thread, ASK)
    await worker.reaches(key, Status.WAITING)
    await remove("thread", thread)
    await worker.ends(key, "Cancelled")


async def test_what_was_written_during_the_removal_is_forgotten_too(
    worker, remove, forgotten, monkeypatch
):
    monkeypatch.setattr(forgetting, "SETTLE_S", 0.3)
    thread = await remembered(worker)
    memory, forget, forgets = worker.services.memory, worker.services.memory.forget_thread, 0
    exchange = (await worker.store.unindexed(thread, "anyone", 10)).messages

    async def late(user_id, thread_id):
        nonlocal forgets
        await forget(user_id, thread_id)
        forgets += 1
        if forgets == 1:  # a step that had begun before writes now
            await memory.index(user_id, thread_id, exchange)

    memory.forget_thread = late
    await remove("thread", thread)

    async def twice():
        return forgets == 2

    await worker.until(twice)
    await forgotten()
