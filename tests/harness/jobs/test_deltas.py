import asyncio

import pytest

from harness.jobs.deltas import DeltaWriter, Fenced
from harness.llm.errors import Stopped


@pytest.fixture
async def begun(store, user_id, sent_to):
    """A message that holds its thread's turn."""
    sent = sent_to(await store.create_thread(user_id, "A thread"))
    await store.begin(sent, "run")
    return sent.message_key


@pytest.fixture
def writer(store):
    async def start(key, flush_s=0.01):
        return DeltaWriter(store, key, await store.start_attempt(key, 0, "m"), flush_s)

    return start


async def content(store, key):
    from harness.models import Failure

    await store.fail(key, Failure(code="c", message="m"))
    return (await store.read_message(key)).assistant.content


async def test_everything_written_is_kept_when_the_work_is_done(store, begun, writer):
    deltas = await writer(begun, flush_s=60)

    async def work():
        for piece in ("one ", "two ", "three"):
            await deltas.write(piece)
            await asyncio.sleep(0)
        return "done"

    assert await deltas.run(work()) == "done"
    assert await content(store, begun) == "one two three"


async def test_the_first_piece_goes_out_at_once(store, begun, writer):
    deltas = await writer(begun, flush_s=60)
    appended = asyncio.Event()
    original = store.append

    async def append(*arguments):
        answer = await original(*arguments)
        appended.set()
        return answer

    store.append = append

    async def work():
        await deltas.write("one")
        async with asyncio.timeout(10):
            await appended.wait()

    await deltas.run(work())
    assert appended.is_set()


async def test_one_flush_is_in_flight_at_a_time(store, begun, writer):
    deltas = await writer(begun, flush_s=0)
    flying, most = 0, 0
    original = store.append

    async def append(*arguments):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        try:
            return await original(*arguments)
        finally:
            flying -= 1

    store.append = append

    async def work():
        for _ in range(50):
            await deltas.write("x")
            await asyncio.sleep(0.001)

    await deltas.run(work())
    assert most == 1
    assert await content(store, begun) == "x" * 50


async def test_a_cancelled_message_stops_the_work(store, begun, writer, user_id):
    deltas = await writer(begun)
    ended = asyncio.Event()

    async def work():
        try:
            while True:
                await deltas.write("x")
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    running = asyncio.create_task(deltas.run(work()))
    await store.cancel(begun, user_id)
    with pytest.raises(Stopped):
        await running
    assert ended.is_set()


async def test_a_newer_attempt_fences_the_older_off(store, begun, writer):
    older = await writer(begun)
    newer = await writer(begun)

    async def work(deltas, text):
        await deltas.write(text)

    await newer.run(work(newer, "new"))
    with pytest.raises(Fenced):
        await older.run(work(older, "old"))
    assert await content(store, begun) == "new"


async def test_what_the_work_raises_comes_through(begun, writer):
    deltas = await writer(begun)

    async def work():
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await deltas.run(work())
