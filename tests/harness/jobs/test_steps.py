import asyncio

import inngest
import pytest

from harness.jobs.policies import Policy
from harness.jobs.steps import RunFailed, Steps
from harness.llm.errors import ModelRefused, ModelUnavailable
from harness.models import Failure
from harness.store.errors import StoreError, StoreUnavailable

POLICY = Policy(timeout_s=5, attempts=3)


class OneCall:
    """A call of Inngest's in which no step is memoized: `step.run` does its work."""

    def __init__(self, attempt: int = 0, memo: object = None) -> None:
        self.attempt = attempt
        self.step = self
        self._memo = memo

    async def run(self, name, work):
        if self._memo is not None:
            raise self._memo
        return await work()


def steps(**call) -> Steps:
    return Steps(OneCall(**call), "key")


def failing(error):
    async def work():
        raise error

    return work


async def test_a_value_comes_back_in_its_type():
    async def work():
        return Failure(code="c", message="m")

    assert await steps().run("s", work, POLICY, Failure) == Failure(code="c", message="m")


async def test_an_error_before_the_last_attempt_is_inngests_to_retry():
    with pytest.raises(StoreUnavailable):
        await steps(attempt=1).attempt("s", failing(StoreUnavailable("away")), POLICY)


async def test_the_last_attempt_fails_for_good_with_its_reason():
    outcome = await steps(attempt=2).attempt("s", failing(ValueError("odd")), POLICY)
    assert outcome.failure.message == "Step s failed: odd"


async def test_a_step_interrupted_in_every_attempt_is_not_begun_again():
    outcome = await steps(attempt=3).attempt("s", failing(AssertionError), POLICY)
    assert "interrupted 3 times" in outcome.failure.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelRefused("no"), "model_refused"),
        (StoreError("NOT_FOUND", "no thread"), "not_found"),
        (RunFailed(Failure(code="own", message="m")), "own"),
    ],
)
async def test_what_another_try_cannot_help_fails_at_once(error, code):
    outcome = await steps().attempt("s", failing(error), POLICY)
    assert outcome.failure.code == code


async def test_a_models_last_failure_keeps_its_own_words():
    outcome = await steps(attempt=2).attempt("s", failing(ModelUnavailable("down")), POLICY)
    assert outcome.failure == Failure(code="model_unavailable", message="down")


async def test_a_step_that_takes_too_long_is_ended():
    ended = asyncio.Event()

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    policy = Policy(timeout_s=0.01, attempts=1)
    outcome = await steps().attempt("s", work, policy)
    assert ended.is_set()
    assert outcome.failure.message == "Step s failed: took longer than 0.01 s"


async def test_a_step_that_inngest_gave_up_fails_the_run():
    lost = inngest.StepError("worker died", "Error", None)
    with pytest.raises(RunFailed, match="worker died"):
        await steps(memo=lost).run("s", failing(AssertionError), POLICY, str)
