"""`harness eval retrieval`."""

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
    TrackOption,
)
from evals.embedding import exact, timed
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from evals.tasks.result import Evaluation


def eval_retrieval(
    dataset: DatasetOption = "conversations",
    data_dir: DataDirOption = None,
    split: Annotated[
        str | None,
        typer.Option("--split", help="tune, test or all; default: test, and all with --fit cv."),
    ] = None,
    fit: Annotated[
        str,
        typer.Option(
            "--fit",
            help="shipped: the shipped weights. cv: each conversation is ranked by weights that "
            "are fitted on the others, which needs no split that is held out.",
        ),
    ] = "shipped",
    limit: LimitOption = None,
    filters: FilterOption = None,
    repeat: RepeatOption = 1,
    resume: ResumeOption = None,
    slice_by: SliceOption = None,
    max_failed: MaxFailedOption = MAX_FAILED,
    json: JsonOption = None,
    track: TrackOption = True,
    gate: GateOption = None,
) -> None:
    """Does what is gathered for a question hold the messages that answer it?"""
    if fit not in ("shipped", "cv"):
        raise HarnessError(f"--fit {fit!r} is unknown", "Use shipped or cv.")
    measured_split = split or ("all" if fit == "cv" else "test")

    async def run(settings: Settings, console: Console) -> "Evaluation":
        from evals.datasets.loader import load_conversations

        if fit == "cv" and settings.retriever != "hybrid":
            raise HarnessError(
                f"--fit cv fits the retriever hybrid, and HARNESS_RETRIEVER is "
                f"{settings.retriever!r}",
                "Unset it.",
            )
        data = load_conversations(measured_split, name=dataset, data_dir=data_dir)
        plan = plan_of(settings, limit, filters, repeat, resume)
        plan.select(data.questions)  # a wrong filter is told before services start
        from evals.stack import measuring_stack  # slow to import: a wrong name is told before
        from evals.tasks.retrieval import PARTS, evaluate_retrieval
        from harness.services import build_services

        async with (
            measuring_stack(settings, PARTS, console) as measured,
            await build_services(exact(timed(measured.settings, settings))) as services,
        ):
            return await evaluate_retrieval(
                services,
                data,
                console=console,
                plan=plan,
                engines=measured.engines,
                cross_validated=fit == "cv",
            )

    measure(run, Keeping(f"{dataset}-{measured_split}", json, track, slice_by, max_failed, gate))
