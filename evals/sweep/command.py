"""`harness sweep`."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from evals.embedding import timed
from harness.errors import HarnessError
from harness.settings import Settings, get_settings

if TYPE_CHECKING:  # importing these takes seconds
    from evals.datasets.loader import DatasetInfo
    from evals.plan import Plan
    from evals.sweep.file import Sweep
    from evals.sweep.leaderboard import Board


def sweep(
    file: Annotated[Path, typer.Argument(help="TOML: a task and a grid or list of settings.")],
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Measure every run, also those that are kept.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option("--json", help="Also write figures and table to this file.")
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            "--gate", help="Exit 1 unless this holds of the best run; delta is over run 1."
        ),
    ] = None,
) -> None:
    """Run a task under several settings: a leaderboard, and what quality costs."""
    from evals.gate import parse_gate
    from evals.sweep.file import read_sweep

    condition = parse_gate(gate, compared=True) if gate else None
    settings, console = get_settings(), Console()
    given = read_sweep(file)
    from evals.plan import Plan

    plan = Plan(
        given.limit,
        given.filters,
        given.repeat,
        settings.home / "evals",
        resume=False if fresh else None,
    )
    info, samples = given.task.look(given.source, plan)
    console.print(
        f"{given.name}: {len(given.runs)} runs of {given.task_name} over {samples} samples of "
        f"{info.name}/{info.split}",
        markup=False,
        highlight=False,
    )
    if given.task.own_stack:
        _refuse_running_stack(given, settings)
    for caution in cautions(given, settings):
        console.print(caution, style="yellow", markup=False)
    board = _run(given, settings, plan, info, console)
    if json:
        from evals.figures import write_document

        write_document(board, json)
    failed = [item for item in board.leaderboard if item.error is not None]
    missed = condition.missed(board.figures, board.gained(given.metric)) if condition else []
    for line in missed:
        console.print(line, style="bold red", markup=False, soft_wrap=True)
    if failed or missed:
        raise typer.Exit(1)


def _refuse_running_stack(given: "Sweep", settings: Settings) -> None:
    """What runs set must reach the processes, and a running stack has read its settings."""
    from harness.local.supervisor import running_settings

    if running_settings(settings.home) is not None:
        raise HarnessError(
            f"a stack runs in {settings.home}, whose processes have read their settings; each run "
            f"of {given.task_name} needs a stack of its own",
            "Stop it, or name another HARNESS_HOME.",
        )


def cautions(given: "Sweep", settings: Settings) -> list[str]:
    """What to keep in mind about the figures of a sweep, one line each."""
    found = []
    if given.source.split != "tune":
        found.append(
            f"measured on the split {given.source.split}: to choose a setting by it is to tune on "
            "what is reported"
        )
    if given.task_name == "pipeline" and given.answer_cache:
        found.append(
            "answers of models are kept: a run that finds some has no latency, which "
            "answer_cache = false measures"
        )
    runs = [settings.model_copy(update=run.settings) for run in given.runs]
    if given.task.finds_vectors and any(timed(run, run).embedding_cache == "disk" for run in runs):
        found.append(
            "vectors are kept on disk: latencies of later runs hold no embedding of what an "
            "earlier one has embedded"
        )
    return found


def _run(
    given: "Sweep", settings: Settings, plan: "Plan", info: "DatasetInfo", console: Console
) -> "Board":
    """Measure the runs, keep them under the sweep's own and print their table."""
    from evals.figures import build_document, describe
    from evals.identity import identity_key
    from evals.report import build_report, pictures
    from evals.sweep.kept import KeptSweep
    from evals.sweep.leaderboard import Board, board_figures, board_frame, standings
    from evals.sweep.runs import identities_of, measure_runs
    from evals.sweep.section import sweep_section
    from evals.sweep.table import print_board
    from evals.sweep.tasks import comparable_latency

    started = time.perf_counter()
    identities = identities_of(given, settings, info, plan)
    document = build_document(
        f"sweep {given.task_name}", {}, sweep_settings(given, settings, plan), dataset=info
    )
    key = identity_key({"name": given.name, "runs": identities})
    kept = KeptSweep(settings, document, given.name, key)
    try:
        outcomes = asyncio.run(
            measure_runs(given, settings, identities, kept, plan=plan, console=console)
        )
        ranked = standings(given, outcomes)
        figures = board_figures(given, ranked, time.perf_counter() - started)
        measured = [each.run.document for each in outcomes if each.run]
        engines = _several([each.engines for each in measured])
        models = dict.fromkeys(each.settings.get("model") for each in measured)
        document = document.model_copy(
            update={
                "figures": figures,
                "engines": engines,
                "simulated": any(each.simulated for each in measured),
                "settings": document.settings | {"model": ", ".join(filter(None, models)) or None},
            }
        )
        board = Board(**document.model_dump(), leaderboard=ranked)
        frame = board_frame(ranked)
        sections = [sweep_section(document, frame)]
        files = {
            "report.html": build_report(f"Sweep: {given.name}", sections),
            **{f"plots/{plot}.svg": text for plot, text in pictures(sections).items()},
            "leaderboard.csv": frame.write_csv(),
            "leaderboard.json": board.model_dump_json(indent=2),
        }
        kept.finish(document, frame, files)
    except BaseException:
        kept.interrupt()
        raise
    print_board(given, ranked, comparable_latency(given.task, engines), console)
    console.print(describe(document), style="dim")
    console.print(
        f"kept as MLflow run {kept.run_id}; `harness report {kept.run_id}` draws it",
        soft_wrap=True,
    )
    return board


def _several(engines: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What stood behind each service, in any of the runs."""
    names = dict.fromkeys(name for each in engines for name in each)
    return {
        name: ", ".join(dict.fromkeys(each[name] for each in engines if name in each))
        for name in names
    }


def sweep_settings(given: "Sweep", settings: Settings, plan: "Plan") -> dict[str, object]:
    """What the sweep is, for the record."""
    return {
        "sweep.name": given.name,
        "sweep.metric": given.metric,
        "sweep.varied": list(given.varied),
        "sweep.runs": [run.name for run in given.runs],
        "sweep.per_tool": given.source.per_tool,
        "sweep.answer_cache": given.answer_cache,
        "sweep.cautions": cautions(given, settings),
        **{f"eval.{name}": value for name, value in plan.settings().items()},
    }
