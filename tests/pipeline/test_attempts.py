"""A retried model step replaces its partial text for every reader."""

import asyncio

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWER = " ".join(f"word{number}" for number in range(40))


async def states_of(person, draft, seen=None):
    found = []
    async for state in person.client.follow(draft.key):
        found.append(state)
        if seen is not None and state.text:
            seen.set()
    return found


async def test_a_retried_model_step_replaces_its_partial_text_for_every_reader(person, hold):
    text = f'[[say {ANSWER}]] [[fault cut {{"after_tokens": 20}}]]'
    draft = person.draft(await person.thread(), text)
    cut, again = hold(draft.key, "model-0:streaming"), asyncio.Event()
    early = asyncio.create_task(states_of(person, draft, again))
    await person.send(draft)
    await cut.reached()
    await again.wait()  # the early reader has text of the attempt that is to be cut
    cut.release()
    await person.answered(draft, ANSWER)
    states = await early
    late = await states_of(person, draft)
    assert {tuple(state.attempts) for state in states if state.text} == {(1,), (2,)}
    # Text of both attempts together would not be a beginning of the answer.
    assert all(ANSWER.startswith(state.text) for state in [*states, *late])
    assert states[-1].text == late[-1].text == ANSWER


async def test_an_answer_of_several_turns_joins_each_turns_winner(person):
    call = '[[call calculate {"expression": "17*23"}]]'
    text = f'What is 17 times 23? {call} [[fault cut {{"after_tokens": 2, "times": 2}}]]'
    draft = await person.say(await person.thread(), f"{text} [[say {ANSWER}]]")
    await person.answered(draft, ANSWER)
    answer = await person.ended(draft)
    assert len(answer.attempts) == 2
    assert sum(answer.attempts) > 3  # at least one of the two was cut and tried again
