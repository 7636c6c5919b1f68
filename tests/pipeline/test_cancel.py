"""A cancel holds, whenever it comes."""

import pytest

from harness.client import RequestRefused
from harness.models import Status

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENDLESS = "simulated?ttft_ms=0&itl_ms=100&tokens=5000"


async def test_a_cancel_in_the_middle_of_a_model_step_ends_the_text_and_the_models_request(
    person, hold, until, model_requests
):
    draft = person.draft(await person.thread(), f"Tell me about the sea. {person.id}")
    held = hold(draft.key, "model-0:streaming")
    await person.send(draft, ENDLESS)
    await held.reached()
    held.release()
    async for state in person.client.follow(draft.key):
        if len(state.text) > len("Simulated answer: "):  # words after the one it was held at
            break
    assert await person.client.cancel(draft.key) == "cancelled"
    at_once = await person.ended(draft)
    assert at_once.status is Status.CANCELLED

    async def closed():
        return all(each["outcome"] != "open" for each in await model_requests(draft.text))

    await until(closed)
    [request] = await model_requests(draft.text)
    assert request["outcome"] == "closed"
    assert await person.ended(draft) == at_once


async def test_a_cancel_before_the_run_has_begun_holds(whole, person, model_requests):
    draft = person.draft(await person.thread(), f"[[say never]] {person.id}")
    await whole.kill("worker")
    await person.send(draft)
    assert await person.client.cancel(draft.key) == "kept"
    await whole.start("worker")
    answer = await person.ended(draft)
    assert (answer.status, answer.content) == (Status.CANCELLED, "")
    following = await person.say(draft.thread_id, "[[say next]]")
    await person.answered(following, "next")
    assert await model_requests(draft.text) == []


async def test_a_cancel_of_which_inngest_does_not_hear_holds_and_frees_the_thread(
    whole, person, hold, remembered
):
    thread = await person.thread()
    draft = person.draft(thread, "Tell me about the sea.")
    held = hold(draft.key, "model-0:streaming")
    await person.send(draft, ENDLESS)
    await held.reached()
    following = await person.say(thread, "[[say next]]")
    await remembered(following.key, "turn-0-lookup")  # from here on only an event wakes it
    await whole.kill("inngest")
    with pytest.raises(RequestRefused) as refused:
        await person.client.cancel(draft.key)
    assert refused.value.code == "queue_unavailable"
    held.release()
    assert (await person.ended(draft)).status is Status.CANCELLED
    await whole.start("inngest")  # nobody cancels again
    await person.answered(following, "next")
