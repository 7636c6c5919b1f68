"""Where calls are evaluated: with the running stack's model, or one for the time of the run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from rich.console import Console

from evals.datasets.records import CallSet
from evals.plan import WHOLE, Plan
from evals.stack import MODEL_PARTS, measuring_stack
from evals.tasks.calls import IN_FLIGHT, TIMEOUT_S, evaluate_calls
from evals.tasks.result import Evaluation
from harness.llm.models import resolve_model
from harness.settings import Settings


async def measure_calls(
    settings: Settings,
    data: CallSet,
    *,
    model: str | None = None,
    protocol: Literal["native", "json"] | None = None,
    console: Console,
    plan: Plan = WHOLE,
    in_flight: int = IN_FLIGHT,
    timeout_s: float = TIMEOUT_S,
    answers: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Evaluation:
    """Evaluate a model's calls; one that this machine runs is started if no stack of it runs.

    Args:
        settings: name the home that may have a running stack.
        data: cases of one split.
        model: who calls; None for the settings' or the running stack's.
        protocol: how it is asked for calls; None for the model's own.
        console: where progress goes.
        plan: which cases are measured, and how often.
        in_flight: how many cases are asked at a time.
        timeout_s: seconds that one try of a case may take.
        answers: the folder of kept answers; None asks the model each time.
        env: variables of a private stack.
    """
    chosen = {"model": model} if model else {}
    spec = resolve_model(None, settings.model_copy(update=chosen))
    parts = {MODEL_PARTS[spec.provider]} if spec.local else set()
    private = {**(env or {}), "HARNESS_MODEL": spec.name}
    async with measuring_stack(settings, parts, console, private) as measured:
        served = measured.settings.model_copy(update=chosen)
        spec = resolve_model(None, served)
        if protocol is not None:
            spec = spec.model_copy(update={"protocol": protocol})
        return await evaluate_calls(
            served,
            spec,
            data,
            console=console,
            plan=plan,
            in_flight=in_flight,
            timeout_s=timeout_s,
            answers=answers,
            engines=measured.engines,
        )
