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
from harness.settings import Settings, get_settings

if TYPE_CHECKING:  # importing these takes seconds, and most commands need none of them
    from evals.tasks.result import Evaluation

DatasetOption = Annotated[str, typer.Option("--dataset", help="Name of the dataset's folder.")]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Holds one folder for each dataset.")
]
SplitOption = Annotated[str, typer.Option("--split", help="tune, test or all.")]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most so many samples, spread evenly.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", help="Also write the figures to this file.")
]
TrackOption = Annotated[bool, typer.Option("--track/--no-track", help="Keep the run in MLflow.")]

_eval = typer.Typer(no_args_is_help=True, help="Measure a part of the pipeline on a dataset.")


def register(app: typer.Typer) -> None:
    """Add this package's commands to the command line."""
    app.add_typer(_eval, name="eval")
    app.add_typer(data, name="data")
    app.add_typer(fit, name="fit")
    app.command("compare")(compare)
    app.command("report")(report)
    app.command("demo")(demo)


@_eval.command("retrieval")
def eval_retrieval(
    dataset: DatasetOption = "conversations",
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    json: JsonOption = None,
    track: TrackOption = True,
) -> None:
    """Does what is gathered for a question hold the messages that answer it?"""

    async def run(settings: Settings, console: Console) -> "Evaluation":
        from evals.datasets.loader import load_conversations

        data = load_conversations(split, name=dataset, data_dir=data_dir)
        from evals.stack import measuring_stack  # slow to import: a wrong name is told before
        from evals.tasks.retrieval import PARTS, evaluate_retrieval
        from harness.services import build_services

        async with (
            measuring_stack(settings, PARTS, console) as measured,
            await build_services(timed(measured.settings, settings)) as services,
        ):
            return await evaluate_retrieval(
                services, data, console=console, limit=limit, engines=measured.engines
            )

    _measure(run, f"{dataset}-{split}", json, track)


@_eval.command("tools")
def eval_tools(
    dataset: DatasetOption = "tools",
    data_dir: DataDirOption = None,
    split: SplitOption = "test",
    limit: LimitOption = None,
    exemplars: Annotated[
        int, typer.Option("--exemplars", min=0, help="Requests a tool to learn from, of `tune`.")
    ] = 0,
    per_tool: Annotated[
        int | None,
        typer.Option("--per-tool", min=0, help="At most so many requests a tool; 0 for all."),
    ] = None,
    json: JsonOption = None,
    track: TrackOption = True,
) -> None:
    """Are the right tools offered for a request, and none where none is needed?"""
    from harness.errors import HarnessError

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
                limit=limit,
                exemplars=exemplars_of(learned, exemplars) if learned else (),
            )

    _measure(run, f"{dataset}-{split}", json, track)


def compare(
    run_a: Annotated[str, typer.Argument(help="Id of an MLflow run.")],
    run_b: Annotated[str, typer.Argument(help="Id of the run to hold against it.")],
) -> None:
    """Compare two kept runs, paired by sample: difference, interval and p-value."""
    from evals.compare import compare_rows, print_comparison
    from evals.tracking import read_run
    from harness.errors import HarnessError

    settings = get_settings()
    pair = []
    for run_id in (run_a, run_b):
        document, rows = read_run(settings, run_id)
        if rows is None:
            raise HarnessError(f"run {run_id!r} kept no rows", "Name a run of `harness eval`.")
        pair.append((document, rows))
    print_comparison(compare_rows(pair[0], pair[1]), Console())


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids of MLflow runs; default: newest of each kind.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page; default: in the home.")] = None,
) -> None:
    """Write kept runs as one self-contained HTML page."""
    from evals.report import summary_section, write_report
    from evals.sections import section_of
    from evals.tracking import newest_of_each, read_run
    from harness.errors import HarnessError

    settings = get_settings()
    chosen = runs or newest_of_each(settings)
    if not chosen:
        raise HarnessError("no run has been kept yet", "`harness eval retrieval` keeps one.")
    kept = [read_run(settings, run_id) for run_id in chosen]
    drawn = [section_of(document, rows) for document, rows in kept]
    sections = [summary_section([document for document, _ in kept])]
    sections += [section for section in drawn if section is not None]
    path = out or settings.home / "reports" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.html"
    write_report(path, "Measurements", sections, f"{len(kept)} runs")
    Console().print(f"wrote {path}", soft_wrap=True)


def _measure(
    run: Callable[[Settings, Console], Awaitable["Evaluation"]],
    name: str,
    json: Path | None,
    track: bool,
) -> None:
    """Run a task, print its figures, write them where asked and keep them."""
    from evals.figures import print_figures, write_document
    from evals.runner import failures

    settings, console = get_settings(), Console()

    async def once() -> "Evaluation":
        return await run(settings, console)

    evaluation = asyncio.run(once())
    print_figures(evaluation.document, console)
    for reason in failures(evaluation.rows):
        console.print(f"failed: {reason}", style="red")
    if json:
        write_document(evaluation.document, json)
    if track:
        from evals.tracking import keep_evaluation

        run_id = keep_evaluation(settings, evaluation, name)
        console.print(f"kept as MLflow run {run_id}; `harness report {run_id}` draws it")
