"""`harness eval`, `harness compare` and `harness report`; each command calls one function."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from evals.datasets.command import app as data
from evals.demo.command import demo
from evals.embedding import timed
from evals.fit.command import app as fit
from evals.sweep.command import sweep
from harness.errors import HarnessError
from harness.settings import Settings, get_settings

if TYPE_CHECKING:  # importing these takes seconds, and most commands need none of them
    from evals.plan import Plan
    from evals.tasks.result import Evaluation

DatasetOption = Annotated[str, typer.Option("--dataset", help="Name of the dataset's folder.")]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Holds one folder for each dataset.")
]
SplitOption = Annotated[str, typer.Option("--split", help="tune, test or all.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many samples, spread evenly.")
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", help="COLUMN=VALUE that samples must match; may be repeated."),
]
RepeatOption = Annotated[
    int, typer.Option("--repeat", min=1, help="How often each sample is measured.")
]
ResumeOption = Annotated[
    bool | None,
    typer.Option(
        "--resume/--fresh",
        help="Take the rows of the same run that were finished; by default if it was interrupted.",
    ),
]
SliceOption = Annotated[
    str | None, typer.Option("--slice", help="Also print the figures by this column of the rows.")
]
MaxFailedOption = Annotated[
    float,
    typer.Option("--max-failed", min=0, max=1, help="Exit 1 when a larger share failed."),
]
MAX_FAILED = 0.1
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]
TrackOption = Annotated[bool, typer.Option("--track/--no-track", help="Keep the run in MLflow.")]
ScorerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scorer",
        help="Also score by one of mlflow.genai.scorers, such as RelevanceToQuery, or your own "
        "as module:name; =JSON behind it gives arguments. May be repeated.",
    ),
]
GateOption = Annotated[
    str | None,
    typer.Option("--gate", help="Exit 1 unless this holds, such as 'recall@10 >= 0.6'."),
]

_eval = typer.Typer(no_args_is_help=True, help="Measure a part of the pipeline on a dataset.")


def register(app: typer.Typer) -> None:
    """Add this package's commands to the command line."""
    from evals.calls_command import eval_calls  # both need the options of this module
    from evals.pipeline_command import eval_pipeline

    _eval.command("calls")(eval_calls)
    _eval.command("pipeline")(eval_pipeline)
    app.add_typer(_eval, name="eval")
    app.add_typer(data, name="data")
    app.add_typer(fit, name="fit")
    app.command("sweep")(sweep)
    app.command("compare")(compare)
    app.command("report")(report)
    app.command("demo")(demo)


@_eval.command("retrieval")
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
        from evals.stack import measuring_stack  # slow to import: a wrong name is told before
        from evals.tasks.retrieval import PARTS, evaluate_retrieval
        from harness.services import build_services

        async with (
            measuring_stack(settings, PARTS, console) as measured,
            await build_services(timed(measured.settings, settings)) as services,
        ):
            return await evaluate_retrieval(
                services,
                data,
                console=console,
                plan=_plan(settings, limit, filters, repeat, resume),
                engines=measured.engines,
                cross_validated=fit == "cv",
            )

    _measure(run, f"{dataset}-{measured_split}", json, track, slice_by, max_failed, gate)


@_eval.command("tools")
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
                plan=_plan(settings, limit, filters, repeat, resume),
                exemplars=exemplars_of(learned, exemplars) if learned else (),
            )

    _measure(run, f"{dataset}-{split}", json, track, slice_by, max_failed, gate)


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Ids of MLflow runs; each is held against the first.")
    ],
    metric: Annotated[
        list[str] | None, typer.Option(help="Compare only this; repeat for several.")
    ] = None,
    slice_by: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Also group by this column of the rows; repeatable."),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Pair what runs of different data share.")
    ] = False,
    gate: GateOption = None,
    json: Annotated[Path | None, typer.Option(help="Also write the comparison here.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also draw it as a page.")] = None,
) -> None:
    """Compare kept runs, paired by sample: differences, intervals and p-values."""
    from evals.compare import compare_runs
    from evals.comparison_tables import print_comparison
    from evals.gate import parse_gate
    from evals.pairing import label_runs
    from evals.tracking import read_run

    condition = parse_gate(gate, compared=True) if gate else None
    settings, console = get_settings(), Console()
    labelled = label_runs([(run_id, *read_run(settings, run_id)) for run_id in runs])
    found = compare_runs(labelled, slices=slice_by, metrics=metric, anyway=anyway)
    print_comparison(found, console)
    if condition:
        found.missed = [
            f"{run.label} {line}"
            for run in labelled[1:]
            for line in condition.missed(run.document.figures, found.gained(run.label))
        ]
    if json:
        json.parent.mkdir(parents=True, exist_ok=True)
        json.write_text(found.model_dump_json(indent=2) + "\n", "utf-8")
    if html:
        from evals.comparison_section import comparison_section
        from evals.report import write_report

        write_report(html, "Comparison", [comparison_section(found)])
    _end_if_missed(found.missed, console)


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids of MLflow runs; default: newest of each kind.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page; default: in the home.")] = None,
) -> None:
    """Write kept runs as one self-contained HTML page."""
    from evals.comparison_section import sections_of_runs
    from evals.report import summary_section, write_report
    from evals.sections import section_of
    from evals.tracking import newest_of_each, read_run

    settings = get_settings()
    chosen = runs or newest_of_each(settings)
    if not chosen:
        raise HarnessError("no run has been kept yet", "`harness eval retrieval` keeps one.")
    kept = [read_run(settings, run_id) for run_id in chosen]
    drawn = [section_of(document, rows) for document, rows in kept]
    sections = [summary_section([document for document, _ in kept])]
    sections += sections_of_runs(chosen, kept)
    sections += [section for section in drawn if section is not None]
    path = out or settings.home / "reports" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.html"
    write_report(path, "Measurements", sections, f"{len(kept)} runs")
    Console().print(f"wrote {path}", soft_wrap=True)


def _measure(
    run: Callable[[Settings, Console], Awaitable["Evaluation"]],
    name: str,
    json: Path | None,
    track: bool,
    slice_by: str | None,
    max_failed: float,
    gate: str | None,
    scorers: list[str] | None = None,
    judge: str | None = None,
) -> None:
    """Run a task, print its figures, write them where asked, keep them and hold them to a gate.

    Args:
        scorers: of `mlflow.genai`, by name; for tasks that record their messages.
        changes: to the settings.

    Raises:
        HarnessError: a scorer or the gate is wrong, which is told before the run.
        typer.Exit: with 1, when more than a share of `max_failed` failed or the gate is missed.
    """
    from evals.figures import print_figures, write_document
    from evals.gate import parse_gate
    from evals.runner import failures
    from evals.slices import print_slices

    condition = parse_gate(gate) if gate else None  # a wrong one is told before, not after
    settings, console = get_settings(), Console()
    if judge:
        settings = settings.model_copy(update={"judge": judge})
    _check_keeping(settings, track, scorers or [])

    async def once() -> "Evaluation":
        return await run(settings, console)

    evaluation, begun = asyncio.run(once()), None
    if track:
        evaluation, begun = _traced(settings, evaluation, name, scorers)
    print_figures(evaluation.document, console)
    for reason in failures(evaluation.rows):
        console.print(f"failed: {reason}", style="red", markup=False)
    if slice_by:
        print_slices(evaluation.rows, evaluation.document, slice_by, console)
    if json:
        write_document(evaluation.document, json)
    if track:
        from evals.tracking import keep_evaluation

        run_id = keep_evaluation(settings, evaluation, name, begun)
        console.print(f"kept as MLflow run {run_id}; `harness report {run_id}` draws it")
    if evaluation.journal is not None:
        evaluation.journal.finish()
    _end_if_failed(evaluation, max_failed, console)
    if condition:
        _end_if_missed(condition.missed(evaluation.document.figures), console)


def _end_if_failed(evaluation: "Evaluation", most: float, console: Console) -> None:
    failed, measured = evaluation.rows["error"].count(), evaluation.rows.height
    if failed > most * measured:
        console.print(
            f"{failed} of {measured} failed, more than --max-failed {most:g} allows", style="red"
        )
        raise typer.Exit(1)


def _check_keeping(settings: Settings, track: bool, scorers: list[str]) -> None:
    """Tell before a run that what it gives could not be kept or scored."""
    from evals.tracking import check_tracking, connect

    if track:
        check_tracking(settings)
    if not scorers:
        return
    if not track:
        raise HarnessError(
            f"--scorer {scorers[0]!r} scores what is kept in MLflow", "Leave --no-track out."
        )
    from evals.genai_scorers import load_scorers

    connect(settings)  # which keeps MLflow from reporting home
    load_scorers(scorers, settings)


def _traced(
    settings: Settings, evaluation: "Evaluation", name: str, scorers: list[str] | None
) -> tuple["Evaluation", str | None]:
    """The evaluation with the scorers' figures and the run of its traces, if it has messages."""
    if not evaluation.records:
        return evaluation, None
    from evals.genai import trace_evaluation

    return trace_evaluation(settings, evaluation, name, scorers or ())


def _end_if_missed(missed: list[str], console: Console) -> None:
    for line in missed:
        console.print(line, style="bold red", markup=False, soft_wrap=True)
    if missed:
        raise typer.Exit(1)


def _plan(
    settings: Settings,
    limit: int | None,
    filters: list[str] | None,
    repeats: int,
    resume: bool | None,
) -> "Plan":
    from evals.filters import Filter
    from evals.plan import Plan

    parsed = tuple(Filter.parse(text) for text in filters or ())
    return Plan(limit, parsed, repeats, settings.home / "evals", resume)
