"""`harness eval tools`."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from evals.commands.measuring import Keeping, measure, plan_of
from evals.commands.options import (
    MAX_FAILED,
    DataDirOption,
    DatasetOption,
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
from evals.embedding import timed
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from evals.tasks.result import Evaluation


def eval_tools(
    dataset: DatasetOption = "tools",
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    filters: FilterOption = None,
    repeat: RepeatOption = 1,
    resume: ResumeOption = None,
    exemplars: Annotated[
        int, typer.Option("--exemplars", min=0, help="Requests a tool to learn from, of `tune`.")
    ] = 0,
    slice_by: SliceOption = None,
    max_failed: MaxFailedOption = MAX_FAILED,
    per_tool: Annotated[
        int | None,
        typer.Option("--per-tool", min=0, help="At most so many requests a tool; 0 for all."),
    ] = None,
    json: JsonOption = None,
    track: TrackOption = True,
    gate: GateOption = None,
) -> None:
    """Are the right tools offered for a request, and none where none is needed?"""
    if exemplars and split != "test":
        raise HarnessError(
            f"--exemplars are taken from the split tune, and --split is {split!r}",
            "Measure on --split test.",
        )

    async def run(settings: Settings, console: Console) -> "Evaluation":
        from evals.datasets.loader import load_tools

        data = load_tools(split, name=dataset, data_dir=data_dir, per_tool=per_tool)
        learned = (
            load_tools("tune", name=dataset, data_dir=data_dir, per_tool=0) if exemplars else None
        )
        from evals.tasks.tools import evaluate_tools, exemplars_of  # slow to import, as above
        from harness.services import build_services

        async with await build_services(timed(settings, settings)) as services:
            return await evaluate_tools(
                services,
                data,
                console=console,
                plan=plan_of(settings, limit, filters, repeat, resume),
                exemplars=exemplars_of(learned, exemplars) if learned else (),
            )

    measure(run, Keeping(f"{dataset}-{split}", json, track, slice_by, max_failed, gate))
