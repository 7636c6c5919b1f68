"""What a run leaves for later selections."""

from harness.models import Status
from harness.tools.offer import Offer

RING = '[[call ring {"tone": "high"}]]'


async def learned(worker) -> set[str]:
    votes = await worker.services.exemplars.votes(worker.user_id)
    return {tool for pool in votes.pools for tool in pool.tools}


async def test_which_tools_were_offered_stands_with_the_answer(worker):
    message = await worker.finished(await worker.send(await worker.thread(), "[[say fine]]"))
    names = [each.name for each in message.selection.candidates]
    assert names == worker.services.registry.names()
    assert message.selection.why == "all of them"


async def test_selection_is_told_what_was_asked_before(worker):
    thread = await worker.thread()
    await worker.finished(await worker.send(thread, "[[say one]]"))
    await worker.finished(await worker.send(thread, "[[say two]]"))
    assert worker.services.selector.given["previous"] == "[[say one]]"


async def test_a_call_that_succeeded_becomes_an_exemplar_and_goes_with_its_user(worker):
    await worker.send(await worker.thread(), f"{RING} please")

    async def look() -> bool:
        return await learned(worker) == {"ring"}

    await worker.until(look)
    await worker.services.exemplars.forget_user(worker.user_id)
    assert await learned(worker) == set()


async def test_calls_that_failed_become_none(worker):
    kept = []

    async def keep(sent, tools):
        kept.append(list(tools))

    worker.services.exemplars.learn = keep
    invalid, failing = '[[call ring {"volume": 3}]]', '[[call view_file {"path": "none.md"}]]'
    right = '[[call calculate {"expression": "1+1"}]]'
    key = await worker.send(await worker.thread(), invalid + failing + right)
    assert (await worker.finished(key)).status is Status.COMPLETED

    async def look() -> list:
        return kept

    assert await worker.until(look) == [["calculate"]]


async def test_a_message_that_called_nothing_teaches_nothing(worker):
    async def refuse(*_):
        raise AssertionError("nothing was called")

    worker.services.exemplars.learn = refuse
    await worker.finished(await worker.send(await worker.thread(), "[[say fine]]"))
    await worker.indexed(2)
    assert await learned(worker) == set()


def test_a_run_under_way_from_before_the_selection_was_kept_goes_on():
    assert Offer.model_validate([]).selection is None
    spec = {"name": "ring", "description": "Ring.", "parameters": {}}
    assert [tool.name for tool in Offer.model_validate([spec]).tools] == ["ring"]
