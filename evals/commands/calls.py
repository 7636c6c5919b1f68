"""`harness eval calls`."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from evals.commands.measuring import Keeping, measure, plan_of
from evals.commands.options import (
    MAX_FAILED,
    AnswerCacheOption,
    DataDirOption,
    FilterOption,
    GateOption,
    JsonOption,
    LimitOption,
    MaxFailedOption,
    RepeatOption,
    ResumeOption,
    SliceOption,
    SplitOption,
    TrackOption,
)
from harness.settings import Settings

if TYPE_CHECKING:
    from evals.tasks.result import Evaluation


def eval_calls(
    dataset: Annotated[
        str, typer.Option("--dataset", help="Name of the dataset's folder, or bfcl.")
    ] = "calls",
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    filters: FilterOption = None,
    repeat: RepeatOption = 1,
    resume: ResumeOption = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Who calls; default: HARNESS_MODEL.")
    ] = None,
    protocol: Annotated[
        Literal["native", "json"] | None,
        typer.Option("--protocol", help="How it is asked for calls; default: the model's own."),
    ] = None,
    in_flight: Annotated[
        int, typer.Option("--in-flight", min=1, help="How many cases are asked at a time.")
    ] = 4,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds that a case may take.")
    ] = 120.0,
    answer_cache: AnswerCacheOption = True,
    slice_by: SliceOption = None,
    max_failed: MaxFailedOption = MAX_FAILED,
    json: JsonOption = None,
    track: TrackOption = True,
    gate: GateOption = None,
) -> None:
    """Does the model call the right functions, with the right arguments, in order?"""

    async def run(settings: Settings, console: Console) -> "Evaluation":
        from evals.datasets.loader import load_calls

        data = load_calls(split, name=dataset, data_dir=data_dir)
        plan = plan_of(settings, limit, filters, repeat, resume)
        plan.select(data.cases)  # a wrong filter is told before services start
        from evals.tasks.calls_stack import measure_calls  # slow to import

        return await measure_calls(
            settings,
            data,
            model=model,
            protocol=protocol,
            console=console,
            plan=plan,
            in_flight=in_flight,
            timeout_s=timeout,
            answers=settings.home / "cache" / "answers" if answer_cache else None,
        )

    measure(run, Keeping(f"{dataset}-{split}", json, track, slice_by, max_failed, gate))
