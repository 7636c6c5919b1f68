"""Kill any process of the stack at any moment of a message: it ends completed, once, and whole.

A worker stands still at the moment in question while the process is killed, goes on against what is
left, and the process is started again.
"""

import asyncio

import pytest

from harness.errors import HarnessError
from harness.models import ToolCallStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")

PARTS = ["api", "worker", "inngest", "convex", "chroma", "simulated"]
STEPS = [
    "begin",
    "gather-context",
    "select-tools",
    "model-0",
    "tool-0-0",
    "model-1",
    "persist-response",
    "index-memory",
    "learn-tools",
]
# Before a step's commit and after it, and in the middle of two.
PLACES = [f"{step}:{moment}" for step in STEPS for moment in ("before", "after")]
PLACES += ["model-1:streaming", "tool-0-0:ran"]

ANSWER = " ".join(f"word{number}" for number in range(40))
ASKED = f'What is 17 times 23? [[call calculate {{"expression": "17*23"}}]] [[say {ANSWER}]]'

ASK = f'Ask me which day suits me. [[call ask_user {{"question": "Which day?"}}]] [[say {ANSWER}]]'
SLEEP_MS = 3000
SLEEP = f'Wait 3 seconds, then go on. [[call wait {{"seconds": 3}}]] [[say {ANSWER}]]'


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("part", PARTS)
async def test_a_message_outlives_a_kill(whole, person, hold, remembered, part, place):
    draft = person.draft(await person.thread(), ASKED)
    held = hold(draft.key, place)
    await person.send(draft)
    await held.reached()
    await whole.kill(part)
    held.release()
    await whole.start(part)
    await person.answered(draft, ANSWER)
    for last in ("index-memory", "learn-tools"):
        assert (await remembered(draft.key, last))["failure"] is None
    [call] = await person.calls(draft)
    assert (call.status, call.result) == (ToolCallStatus.SUCCEEDED, '"17*23 = 391"')


@pytest.mark.parametrize("place", ["begin:after", "model-1:streaming", "persist-response:after"])
async def test_a_message_outlives_the_death_of_every_process_at_once(
    whole, person, hold, remembered, place
):
    draft = person.draft(await person.thread(), ASKED)
    held = hold(draft.key, place)
    await person.send(draft)
    await held.reached()
    await asyncio.gather(*(whole.kill(part) for part in PARTS))
    held.release()
    await asyncio.gather(*(whole.start(part) for part in PARTS))
    await person.answered(draft, ANSWER)
    assert (await remembered(draft.key, "index-memory"))["failure"] is None


@pytest.mark.parametrize("part", PARTS)
async def test_a_message_that_waits_for_its_user_outlives_a_kill(whole, person, remembered, part):
    draft = await person.say(await person.thread(), ASK)
    call = await person.waits(draft)
    await remembered(draft.key, "tool-0-0-reply-lookup")  # from here on only an event wakes it
    await whole.kill(part)
    await whole.start(part)
    await person.client.reply(draft.key, call.call_id, text="Friday")
    await person.answered(draft, ANSWER)


@pytest.mark.parametrize("part", ["worker", "inngest", "convex"])
async def test_a_message_that_waits_for_a_time_outlives_a_kill(whole, person, remembered, part):
    draft = await person.say(await person.thread(), SLEEP)
    await remembered(draft.key, "tool-0-0-start")
    await whole.kill(part)
    await whole.start(part)
    await person.answered(draft, ANSWER)
    [call] = await person.calls(draft)
    assert call.finished_at - call.started_at >= SLEEP_MS


@pytest.mark.parametrize("part", ["api", "inngest", "convex"])
async def test_a_send_that_met_a_dead_process_is_repeated_and_is_one_message(whole, person, part):
    draft = person.draft(await person.thread(), f"[[say {ANSWER}]]")
    await whole.kill(part)
    with pytest.raises(HarnessError):
        await person.send(draft)
    await whole.start(part)
    await person.send(draft)
    await person.send(draft)
    await person.answered(draft, ANSWER)


@pytest.mark.parametrize("place", [place for place in PLACES if place.endswith(":before")])
async def test_two_runs_of_one_step_at_once_leave_one_answer(whole, person, hold, place):
    draft = person.draft(await person.thread(), ASKED)
    held = hold(draft.key, place)
    await person.send(draft)
    await held.reached()
    await whole.kill("inngest")
    await whole.start("inngest")
    await held.reached()  # the step runs again, while its first run still stands there
    held.release()
    await person.answered(draft, ANSWER)
    [call] = await person.calls(draft)
    assert call.status is ToolCallStatus.SUCCEEDED


WAIT_PLACES = ["turn-0-lookup:before", "turn-0-lookup:after", "begin-1:before", "begin-1:after"]


@pytest.mark.parametrize("place", ["persist-response:before", "persist-response:after"])
@pytest.mark.parametrize("part", ["worker", "inngest", "convex"])
async def test_the_threads_next_message_outlives_a_kill_at_the_end_of_the_one_before(
    whole, person, hold, remembered, part, place
):
    thread = await person.thread()
    first, second = person.draft(thread, "[[say first]]"), person.draft(thread, "[[say second]]")
    streaming, held = hold(first.key, "model-0:streaming"), hold(first.key, place)
    await person.send(first)
    await streaming.reached()
    await person.send(second)
    await remembered(second.key, "turn-0-lookup")  # from here on only an event wakes it
    streaming.release()
    await held.reached()
    await whole.kill(part)
    held.release()
    await whole.start(part)
    await person.answered(first, "first")
    await person.answered(second, "second")


@pytest.mark.parametrize("place", WAIT_PLACES)
@pytest.mark.parametrize("part", ["worker", "inngest", "convex"])
async def test_the_threads_next_message_outlives_a_kill_while_it_waits(
    whole, person, hold, part, place
):
    thread = await person.thread()
    first, second = person.draft(thread, "[[say first]]"), person.draft(thread, "[[say second]]")
    streaming, held = hold(first.key, "model-0:streaming"), hold(second.key, place)
    await person.send(first)
    await streaming.reached()
    await person.send(second)
    if place.startswith("begin-1"):  # its turn has come
        streaming.release()
    await held.reached()
    await whole.kill(part)
    held.release()
    streaming.release()
    await whole.start(part)
    await person.answered(first, "first")
    await person.answered(second, "second")
