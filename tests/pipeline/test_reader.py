"""Nobody needs to look on: an answer completes without its reader and without its sender.

That the old flow loses it is shown beside the old flow's other tests.
"""

from contextlib import aclosing

import pytest

from harness.client import ChatClient

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWER = " ".join(f"word{number}" for number in range(60))


async def test_an_answer_completes_when_its_sender_and_reader_have_gone(stack, person, hold):
    draft = person.draft(await person.thread(), f"[[say {ANSWER}]]")
    held = hold(draft.key, "model-0:streaming")
    async with ChatClient(stack.settings, person.id) as leaving:
        await leaving.send(draft.thread_id, draft.text, draft.idempotency_key)
        async with aclosing(leaving.follow(draft.key)) as states:
            async for state in states:
                if state.text:
                    break
        assert not state.status.finished
    held.release()
    await person.answered(draft, ANSWER)


async def test_a_reader_who_comes_in_the_middle_sees_the_whole_answer(person, hold):
    draft = person.draft(await person.thread(), f"[[say {ANSWER}]]")
    held = hold(draft.key, "model-0:streaming")
    await person.send(draft)
    await held.reached()
    texts = []
    async with aclosing(person.client.follow(draft.key)) as states:
        async for state in states:
            texts.append(state.text)
            held.release()
    assert len(texts) > 1
    assert all(ANSWER.startswith(text) for text in texts)
    assert texts[-1] == ANSWER
