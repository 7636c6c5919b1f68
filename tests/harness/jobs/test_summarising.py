import pytest

from harness.models import Status, ThreadSummary

SMALL = {"history_messages": 2, "summary_after": 2}


async def summed_up(worker, thread, through_order):
    async def look():
        summary = await worker.store.summary(thread)
        return summary if summary and summary.through_order >= through_order else None

    return await worker.until(look)


async def talk(worker, thread, count):
    for i in range(count):
        await worker.finished(await worker.send(thread, f"[[say line {i}]]"))


async def test_what_the_history_no_longer_shows_is_summed_up(start_worker):
    worker = await start_worker(summaries="always", **SMALL)
    thread = await worker.thread()
    await talk(worker, thread, 2)
    summary = await summed_up(worker, thread, 1)
    assert (summary.through_order, summary.model) == (1, "simulated")
    assert summary.text


async def test_a_later_message_is_shown_the_summary(start_worker):
    worker = await start_worker(summaries="always", **SMALL)
    thread = await worker.thread()
    await talk(worker, thread, 2)
    await summed_up(worker, thread, 1)
    message = await worker.finished(await worker.send(thread, "[[say more]]"))
    assert message.context.tokens["summary"] > 0


async def test_each_summary_goes_on_from_the_last(start_worker):
    worker = await start_worker(summaries="always", **SMALL)
    thread = await worker.thread()
    for through in (1, 3, 5):
        await talk(worker, thread, 2 if through == 1 else 1)
        assert (await summed_up(worker, thread, through)).through_order == through


async def test_a_past_that_was_imported_is_caught_up_with(start_worker, imported):
    worker = await start_worker(summaries="always", **SMALL)
    thread = await worker.thread()
    await worker.store.import_messages(thread, imported(30))
    await talk(worker, thread, 1)
    await summed_up(worker, thread, 29)


async def test_a_summary_that_fails_costs_the_summary_alone(start_worker):
    worker = await start_worker(summaries="always", **SMALL)
    await worker.fault(kind="server_error", times=None, match="Write the summary.")
    thread = await worker.thread()
    await talk(worker, thread, 2)
    message = await worker.finished(await worker.send(thread, "[[say fine]]"))
    assert (message.status, message.content) == (Status.COMPLETED, "fine")
    assert await worker.store.summary(thread) is None


async def test_a_summary_is_made_again_after_a_passing_fault(start_worker):
    worker = await start_worker(summaries="always", **SMALL)
    await worker.fault(kind="cut", match="Write the summary.")
    thread = await worker.thread()
    await talk(worker, thread, 2)
    assert (await summed_up(worker, thread, 1)).through_order == 1


async def test_one_that_came_first_stays(start_worker):
    worker = await start_worker(summaries="always", **SMALL)
    thread = await worker.thread()
    first = ThreadSummary(text="Kept by another run.", through_order=1, model="other")
    uncovered = worker.store.uncovered

    async def overtaken(*given, **named):
        found = await uncovered(*given, **named)
        await worker.store.keep_summary(thread, None, first)
        return found

    worker.store.uncovered = overtaken
    await talk(worker, thread, 2)
    assert await summed_up(worker, thread, 1) == first


@pytest.mark.parametrize("summaries", ["auto", "never"])
async def test_a_simulated_model_is_asked_for_no_summary_unless_told_to(start_worker, summaries):
    worker = await start_worker(summaries=summaries, **SMALL)
    thread = await worker.thread()
    await talk(worker, thread, 3)
    await worker.indexed(6)  # what comes last otherwise
    assert len(await worker.model_requests()) == 3
    assert await worker.store.summary(thread) is None
