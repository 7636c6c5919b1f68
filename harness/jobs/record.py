"""What is recorded about a run when its message ends: where its time went, and each model call."""

from harness.jobs.run import Run
from harness.jobs.steps import Outcome
from harness.llm.turns import TurnResult
from harness.models import Failure
from harness.telemetry import analytics
from harness.telemetry.analytics import Props
from harness.telemetry.endings import FAILED, ModelCall, write_model_calls

_MODEL_STEP = "model-"


async def record_end(run: Run, event: str, props: Props) -> None:
    """Record how a message ended, with its steps and its model calls.

    Args:
        run: the run.
        event: `message.completed` or `message.failed`.
        props: what else there is to say.
    """
    outcomes, sent_at = run.steps.outcomes, run.sent.sent_at
    calls = write_model_calls(_model_calls(outcomes, sent_at))
    await analytics.record(
        run.services.store,
        event,
        user_id=run.sent.user_id,
        thread_id=run.sent.thread_id,
        message_key=run.key,
        props={**props, **calls, **_where_time_went(outcomes, sent_at)},
    )


async def record_failure(run: Run, failure: Failure) -> None:
    """Record that a message failed, and why."""
    await record_end(run, FAILED, {"code": failure.code, "error": failure.message})


def _where_time_went(outcomes: dict[str, Outcome], sent_at: int) -> Props:
    """Each step's start, since the message was sent, its duration in milliseconds and its error."""
    props: Props = {}
    for name, outcome in outcomes.items():
        props[f"step.{name}.at_ms"] = outcome.at - sent_at
        props[f"step.{name}.ms"] = outcome.ms
        if outcome.failure is not None:
            props[f"step.{name}.error"] = outcome.failure.message
    return props


def _model_calls(outcomes: dict[str, Outcome], sent_at: int) -> list[ModelCall]:
    results = {
        name: TurnResult.model_validate(outcome.value["result"])
        for name, outcome in outcomes.items()
        if name.startswith(_MODEL_STEP) and outcome.value and outcome.value.get("result")
    }
    return [
        ModelCall(
            step=step,
            model=result.model,
            at_ms=None if result.asked_at is None else result.asked_at - sent_at,
            duration_ms=result.duration_ms,
            ttft_ms=result.ttft_ms,
            prompt_tokens=result.usage.prompt_tokens,
            completion_tokens=result.usage.completion_tokens,
            cached_tokens=result.usage.cached_tokens,
            characters=len(result.text),
        )
        for step, result in results.items()
    ]
