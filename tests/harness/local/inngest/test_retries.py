"""What is tried again, how often, and what is not."""

import datetime

import inngest

from harness.local.inngest import backoff


async def test_a_failing_step_is_tried_again_and_the_steps_before_it_are_not(local):
    seen = []

    @local.function("flaky", "test/go", retries=3)
    async def flaky(ctx):
        async def first():
            seen.append("first")

        async def second():
            seen.append(f"second {ctx.attempt}")
            if ctx.attempt < 2:
                raise ValueError("not yet")
            return "done"

        await ctx.step.run("first", first)
        return await ctx.step.run("second", second)

    await local.serve()
    run = await local.run("test/go")
    assert run["output"] == "done"
    assert seen == ["first", "second 0", "second 1", "second 2"]


async def test_each_step_has_attempts_of_its_own(local):
    @local.function("two", "test/go", retries=1)
    async def two(ctx):
        async def once_failing():
            if ctx.attempt == 0:
                raise ValueError("first")
            return ctx.attempt

        return [await ctx.step.run("a", once_failing), await ctx.step.run("b", once_failing)]

    await local.serve()
    assert (await local.run("test/go"))["output"] == [1, 1]


async def test_a_step_that_used_up_its_attempts_raises_in_the_function_which_may_catch_it(local):
    tries = []

    @local.function("catching", "test/go", retries=1)
    async def catching(ctx):
        async def broken():
            tries.append(ctx.attempt)
            raise KeyError("gone")

        try:
            await ctx.step.run("broken", broken)
        except inngest.StepError as error:
            return [error.name, error.message]

    await local.serve()
    run = await local.run("test/go")
    assert run["output"] == ["KeyError", "'gone'"]
    assert tries == [0, 1]


async def test_an_uncaught_step_error_fails_the_run_with_the_steps_error(local):
    calls = []

    @local.function("uncaught", "test/go", retries=1)
    async def uncaught(ctx):
        calls.append(ctx.attempt)

        async def broken():
            raise ValueError("the reason")

        await ctx.step.run("broken", broken)

    await local.serve()
    run = await local.run("test/go")
    assert run["status"] == "Failed"
    assert (run["output"]["name"], run["output"]["message"]) == ("ValueError", "the reason")
    assert calls == [0, 1, 0]


async def test_an_error_between_steps_is_retried_and_then_fails_the_run(local):
    calls = []

    @local.function("between", "test/go", retries=2)
    async def between(ctx):
        calls.append(ctx.attempt)
        raise RuntimeError("no")

    await local.serve()
    run = await local.run("test/go")
    assert (run["status"], run["output"]["message"]) == ("Failed", "no")
    assert calls == [0, 1, 2]
    failures = (await local.timeline(run["run_id"]))["attempts"]
    assert [item["attempt"] for item in failures] == [0, 1, 2]


async def test_a_non_retriable_error_fails_the_run_at_once(local):
    calls = []

    @local.function("final", "test/go", retries=5)
    async def final(ctx):
        async def step():
            calls.append(ctx.attempt)
            raise inngest.NonRetriableError("never")

        await ctx.step.run("step", step)

    await local.serve()
    run = await local.run("test/go")
    assert (run["status"], run["output"]["message"]) == ("Failed", "never")
    assert calls == [0]


async def test_retry_after_puts_the_next_attempt_off_to_the_time_it_names(local):
    at = []

    @local.function("later", "test/go")
    async def later(ctx):
        at.append(datetime.datetime.now(datetime.UTC))
        if ctx.attempt == 0:
            raise inngest.RetryAfterError("busy", datetime.timedelta(milliseconds=1200))
        return "ok"

    await local.serve()
    assert (await local.run("test/go"))["output"] == "ok"
    assert at[1] - at[0] >= datetime.timedelta(milliseconds=1199)


async def test_attempts_and_their_limit_are_told_to_the_function(local):
    """The SDK says StepFailed of a last attempt, which it knows only from max_attempts."""

    @local.function("limited", "test/go", retries=0)
    async def limited(ctx):
        async def broken():
            raise ValueError("once")

        try:
            await ctx.step.run("broken", broken)
        except inngest.StepError:
            return "caught"

    await local.serve()
    run = await local.run("test/go")
    assert run["output"] == "caught"
    (step,) = (await local.timeline(run["run_id"]))["steps"]
    assert (step["op"], step["failed"], step["attempts"]) == ("StepFailed", 1, 1)


def test_the_table_of_backoffs_is_inngests_own():
    assert backoff.STEPS_S[:5] == (15, 30, 60, 120, 300)
    assert 7200_000 <= backoff.failed_ms(50, None) <= 7210_000


def test_a_backoff_of_ones_own_doubles_up_to_eightfold():
    waits = [backoff.failed_ms(attempt, 500) for attempt in range(6)]
    assert waits == [500, 1000, 2000, 4000, 4000, 4000]


def test_what_an_app_asks_for_is_kept_within_a_second_and_a_day():
    assert [backoff.asked_for_ms(wait) for wait in (-5, 1200, 10**9)] == [1000, 1200, 86_400_000]


def test_an_app_that_is_down_is_tried_again_within_two_seconds_however_long_it_is_down():
    waits = [backoff.refused_ms(times) for times in (0, 1, 2, 5, 10**6)]
    assert waits == [100, 200, 400, 2000, 2000]
