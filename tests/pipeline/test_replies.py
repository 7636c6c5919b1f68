"""A user's reply counts whenever it comes, also before anybody waits for it."""

import pytest

from harness.client import RequestRefused
from harness.models import ToolCallStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = 'Ask me which day suits me. [[call ask_user {"question": "Which day?"}]] [[say noted]]'
BEFORE_THE_WAIT = ["tool-0-0-ask:before", "tool-0-0-ask:after", "tool-0-0-reply-lookup:before"]


def write(name: str) -> str:
    call = f'[[call write_file {{"path": "{name}", "content": "call the bank"}}]]'
    return f"Write 'call the bank' to {name}. {call} [[say written]]"


@pytest.mark.parametrize("place", BEFORE_THE_WAIT)
async def test_an_answer_before_the_run_waits_is_not_lost(person, hold, place):
    draft = person.draft(await person.thread(), ASK)
    held = hold(draft.key, place)
    await person.send(draft)
    await held.reached()
    assert await person.client.reply(draft.key, f"{draft.key}-0-0", text="Friday") == "kept"
    held.release()
    await person.answered(draft, "noted")
    [call] = await person.calls(draft)
    assert (call.status, call.result) == (ToolCallStatus.SUCCEEDED, '{"answer": "Friday"}')


@pytest.mark.parametrize("approved", [True, False])
async def test_an_approval_before_the_run_waits_is_not_lost(person, hold, stack, approved):
    name = f"{person.id}.txt"
    draft = person.draft(await person.thread(), write(name))
    held = hold(draft.key, "tool-0-0-ask:before")
    await person.send(draft)
    await held.reached()
    await person.client.reply(draft.key, f"{draft.key}-0-0", approved=approved)
    held.release()
    await person.answered(draft, "written")
    [call] = await person.calls(draft)
    assert call.status == ("succeeded" if approved else "denied")
    assert (stack.settings.workspace_dir / name).exists() is approved


async def test_the_first_of_two_answers_counts(person, hold):
    draft = person.draft(await person.thread(), ASK)
    held = hold(draft.key, "tool-0-0-resume:before")
    await person.send(draft)
    call = await person.waits(draft)
    assert await person.client.reply(draft.key, call.call_id, text="Friday") == "kept"
    await held.reached()
    assert await person.client.reply(draft.key, call.call_id, text="Sunday") == "already"
    held.release()
    await person.answered(draft, "noted")
    [call] = await person.calls(draft)
    assert call.result == '{"answer": "Friday"}'


async def test_an_answer_that_inngest_did_not_hear_of_is_kept_and_counts_when_sent_again(
    whole, person, remembered
):
    draft = await person.say(await person.thread(), ASK)
    call = await person.waits(draft)
    await remembered(draft.key, "tool-0-0-reply-lookup")  # from here on only an event wakes it
    await whole.kill("inngest")
    with pytest.raises(RequestRefused) as refused:
        await person.client.reply(draft.key, call.call_id, text="Friday")
    assert refused.value.code == "queue_unavailable"
    await whole.start("inngest")
    assert await person.client.reply(draft.key, call.call_id, text="Friday") == "already"
    await person.answered(draft, "noted")


async def test_an_answer_that_no_worker_is_there_to_take_waits_for_one(whole, person, remembered):
    draft = await person.say(await person.thread(), ASK)
    call = await person.waits(draft)
    await remembered(draft.key, "tool-0-0-reply-lookup")
    await whole.kill("worker")
    assert await person.client.reply(draft.key, call.call_id, text="Friday") == "kept"
    await whole.start("worker")
    await person.answered(draft, "noted")
