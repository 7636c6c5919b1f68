"""Kill any process of the stack at any moment of a message: it ends completed, once, and whole.

A worker stands still at the moment in question while the process is killed, goes on against what is
left, and the process is started again.
"""

import pytest

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
]
# Before a step's commit and after it, and in the middle of two.
PLACES = [f"{step}:{moment}" for step in STEPS for moment in ("before", "after")]
PLACES += ["model-1:streaming", "tool-0-0:ran"]

ANSWER = " ".join(f"word{number}" for number in range(40))
ASKED = f'What is 17 times 23? [[call calculate {{"expression": "17*23"}}]] [[say {ANSWER}]]'


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("part", PARTS)
async def test_a_message_outlives_a_kill(whole, person, hold, part, place):
    draft = person.draft(await person.thread(), ASKED)
    held = hold(draft.key, place)
    await person.send(draft)
    await held.reached()
    await whole.kill(part)
    held.release()
    await whole.start(part)
    await person.answered(draft, ANSWER)
    [call] = await person.calls(draft)
    assert (call.status, call.result) == (ToolCallStatus.SUCCEEDED, '"17*23 = 391"')


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
