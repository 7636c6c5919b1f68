"""`harness compare`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evals.commands.measuring import end_if_missed
from evals.commands.options import (
    GateOption,
)
from harness.settings import get_settings


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
    end_if_missed(found.missed, console)
