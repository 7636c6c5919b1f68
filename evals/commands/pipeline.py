"""`harness eval pipeline`."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from evals.commands.measuring import Keeping, measure, plan_of
from evals.commands.options import (
    MAX_FAILED,
    AnswerCacheOption,
    DataDirOption,
    DatasetOption,
    FilterOption,
    GateOption,
    JsonOption,
    JudgeOption,
    LimitOption,
    MaxFailedOption,
    RepeatOption,
    ResumeOption,
    ScorerOption,
    SliceOption,
    SplitOption,
    TrackOption,
)
from harness.settings import Settings

if TYPE_CHECKING:
    from evals.tasks.result import Evaluation


def eval_pipeline(
    dataset: DatasetOption = "pipeline",
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    filters: FilterOption = None,
    repeat: RepeatOption = 1,
    resume: ResumeOption = None,
    judge: JudgeOption = None,
    scorers: ScorerOption = None,
    in_flight: Annotated[
        int, typer.Option("--in-flight", min=1, help="How many conversations at a time.")
    ] = 4,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds that a message may take.")
    ] = 120.0,
    answer_cache: AnswerCacheOption = True,
    slice_by: SliceOption = None,
    max_failed: MaxFailedOption = MAX_FAILED,
    json: JsonOption = None,
    track: TrackOption = True,
    gate: GateOption = None,
) -> None:
    """Are whole conversations answered well on the running stack, how fast, at what cost?"""

    async def run(settings: Settings, console: Console) -> "Evaluation":
        from evals.datasets.loader import load_pipeline

        data = load_pipeline(split, name=dataset, data_dir=data_dir)
        plan = plan_of(settings, limit, filters, repeat, resume)
        plan.select(data.cases)  # a wrong filter is told before services start
        from evals.tasks.pipeline_stack import measure_pipeline  # slow to import

        return await measure_pipeline(
            settings,
            data,
            console=console,
            plan=plan,
            in_flight=in_flight,
            message_s=timeout,
            answers=settings.home / "cache" / "answers" if answer_cache else None,
        )

    name = f"{dataset}-{split}"
    measure(
        run,
        Keeping(name, json, track, slice_by, max_failed, gate, scorers or (), judge),
    )
