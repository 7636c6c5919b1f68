import pytest

from harness.models import Status
from harness.settings import LOCAL_MODEL


async def test_a_retried_model_step_replaces_its_partial_text(worker):
    text = '[[say one two three four five]] [[fault cut {"after_tokens": 2}]]'
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    assert message.content == "one two three four five"
    assert message.attempts == [2]


@pytest.mark.parametrize("kind", ["server_error", "stall", "cut"])
async def test_a_passing_fault_costs_an_attempt(worker, kind):
    key = await worker.send(await worker.thread(), f"[[say fine]] [[fault {kind}]]")
    message = await worker.finished(key)
    assert (message.status, message.content) == (Status.COMPLETED, "fine")


async def test_a_rate_limit_is_slept_out_by_inngest(worker):
    text = '[[say fine]] [[fault rate_limit {"retry_after_s": 1}]]'
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    assert message.content == "fine"
    assert message.latency_ms >= 1000


async def test_the_next_model_answers_for_one_that_is_down(start_worker):
    worker = await start_worker(fallback_model="simulated", local_model_url="http://127.0.0.1:9/v1")
    key = await worker.send(await worker.thread(), "[[say spare]]", model=LOCAL_MODEL)
    message = await worker.finished(key)
    assert (message.content, message.model) == ("spare", "simulated")


async def test_a_long_pause_is_left_to_the_next_model(start_worker):
    worker = await start_worker(fallback_model="simulated?tokens=8")
    text = '[[fault rate_limit {"retry_after_s": 900}]]'
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    assert (message.status, message.model) == (Status.COMPLETED, "simulated?tokens=8")


async def test_a_model_that_is_down_fails_the_message_with_a_reason(start_worker):
    worker = await start_worker(local_model_url="http://127.0.0.1:9/v1")
    key = await worker.send(await worker.thread(), "hi", model=LOCAL_MODEL)
    message = await worker.finished(key)
    assert message.status is Status.FAILED
    assert message.error.code == "model_unavailable"
    assert "can not be reached" in message.error.message


async def test_an_unknown_model_fails_the_message_with_a_reason(worker):
    key = await worker.send(await worker.thread(), "hi", model="gpt-99")
    message = await worker.finished(key)
    assert message.error.code == "unknown_model"
    assert "gpt-99" in message.error.message


async def test_the_partial_text_of_a_failed_message_is_kept(worker):
    text = '[[say one two three]] [[fault cut {"after_tokens": 2, "times": 99}]]'
    key = await worker.send(await worker.thread(), text)
    message = await worker.finished(key)
    assert message.status is Status.FAILED
    assert "one two three".startswith(message.content)
