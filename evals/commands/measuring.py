"""How a command measures: it runs a task, and prints, keeps and judges what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from harness.errors import HarnessError
from harness.settings import Settings, get_settings

if TYPE_CHECKING:  # importing these takes seconds
    from evals.plan import Plan
    from evals.tasks.result import Evaluation


@dataclass(frozen=True)
class Keeping:
    """What becomes of a measurement.

    Attributes:
        name: of the run.
        json: a file that the figures are written to.
        track: whether the run is kept in MLflow.
        slice_by: a column of the rows that the figures are also printed by.
        max_failed: the share of samples that may fail, and of answers that a judge may not judge.
        gate: a condition that the figures must meet.
        scorers: of `mlflow.genai`, by name; for tasks that record their messages.
        judge: the model that judges rubrics, instead of the settings' one.
    """

    name: str
    json: Path | None
    track: bool
    slice_by: str | None
    max_failed: float
    gate: str | None
    scorers: Sequence[str] = ()
    judge: str | None = None


def measure(run: Callable[[Settings, Console], Awaitable["Evaluation"]], keeping: Keeping) -> None:
    """Run a task, print its figures, write them where asked, keep them and hold them to a gate.

    Args:
        run: the task.
        keeping: what becomes of what it measured.

    Raises:
        HarnessError: a scorer or the gate is wrong, which is told before the run.
        typer.Exit: with 1, when more than a share of `max_failed` failed, or was not judged, or
            when the gate is missed.
    """
    from evals.figures import print_figures, write_document
    from evals.gate import parse_gate
    from evals.slices import print_slices

    # A wrong one is told before, not after.
    condition = parse_gate(keeping.gate) if keeping.gate else None
    settings, console = get_settings(), Console()
    if keeping.judge:
        settings = settings.model_copy(update={"judge": keeping.judge})
    _check_keeping(settings, keeping)

    async def once() -> "Evaluation":
        return await run(settings, console)

    evaluation, begun = asyncio.run(once()), None
    if keeping.track and evaluation.records:
        from evals.genai import trace_evaluation

        evaluation, begun = trace_evaluation(settings, evaluation, keeping.name, keeping.scorers)
    print_figures(evaluation.document, console)
    _print_reasons(evaluation, console)
    if keeping.json:
        write_document(evaluation.document, keeping.json)
    if keeping.track:
        from evals.tracking import keep_evaluation

        run_id = keep_evaluation(settings, evaluation, keeping.name, begun)
        console.print(f"kept as MLflow run {run_id}; `harness report {run_id}` draws it")
    if evaluation.journal is not None:
        evaluation.journal.finish()
    if keeping.slice_by:
        print_slices(evaluation.rows, evaluation.document, keeping.slice_by, console)
    _end_if_failed(evaluation, keeping.max_failed, console)
    if condition:
        end_if_missed(condition.missed(evaluation.document.figures), console)


def _print_reasons(evaluation: "Evaluation", console: Console) -> None:
    from evals.runner import failures

    for column, what in (("error", "failed"), ("judge_error", "not judged")):
        for reason in failures(evaluation.rows, column):
            console.print(f"{what}: {reason}", style="red", markup=False)


def _end_if_failed(evaluation: "Evaluation", most: float, console: Console) -> None:
    rows = evaluation.rows
    counted = {"failed": (rows["error"].count(), rows.height)}
    if "judge_error" in rows.columns:
        silent = rows["judge_error"].count()
        counted["were not judged"] = (silent, silent + rows["score_rubric"].count())
    for what, (failed, measured) in counted.items():
        if failed > most * measured:
            console.print(
                f"{failed} of {measured} {what}, more than --max-failed {most:g} allows",
                style="red",
            )
            raise typer.Exit(1)


def _check_keeping(settings: Settings, keeping: Keeping) -> None:
    """Tell before a run that what it gives could not be kept or scored."""
    from evals.tracking import check_tracking, connect

    if keeping.track:
        check_tracking(settings)
    if not keeping.scorers:
        return
    if not keeping.track:
        raise HarnessError(
            f"--scorer {keeping.scorers[0]!r} scores what is kept in MLflow",
            "Leave --no-track out.",
        )
    from evals.genai_scorers import load_scorers

    connect(settings)  # which keeps MLflow from reporting home
    load_scorers(keeping.scorers, settings)


def end_if_missed(missed: list[str], console: Console) -> None:
    """Print what a gate missed, and exit with 1 if it missed anything."""
    for line in missed:
        console.print(line, style="bold red", markup=False, soft_wrap=True)
    if missed:
        raise typer.Exit(1)


def plan_of(
    settings: Settings,
    limit: int | None,
    filters: list[str] | None,
    repeats: int,
    resume: bool | None,
) -> "Plan":
    """What of a set is measured, by a command's options."""
    from evals.filters import Filter
    from evals.plan import Plan

    parsed = tuple(Filter.parse(text) for text in filters or ())
    return Plan(limit, parsed, repeats, settings.home / "evals", resume)
