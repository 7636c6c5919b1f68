"""`harness report`."""

from datetime import UTC, datetime
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated

import typer
from rich.console import Console

from harness.errors import HarnessError
from harness.settings import get_settings


def report(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids of MLflow runs; default: newest of each kind.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The page; default: in the home.")] = None,
) -> None:
    """Write kept runs as one self-contained HTML page."""
    from evals.comparison_section import sections_of_runs
    from evals.report import write_report
    from evals.sections import sections_of
    from evals.tracking import newest_of_each, read_run

    settings = get_settings()
    chosen = runs or newest_of_each(settings)
    if not chosen:
        raise HarnessError("no run has been kept yet", "`harness eval retrieval` keeps one.")
    kept = [read_run(settings, run_id) for run_id in chosen]
    sections = sections_of_runs(chosen, kept)
    for number, (run_id, (document, rows)) in enumerate(zip(chosen, kept, strict=True)):
        # As the comparison calls them, which takes no more runs than there are letters.
        label = ascii_uppercase[number] if number < len(ascii_uppercase) else str(number + 1)
        sections += sections_of(document, rows, f"{label}, run {run_id[:8]}: " if kept[1:] else "")
    path = out or settings.home / "reports" / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.html"
    write_report(path, "Measurements", sections, f"{len(kept)} runs")
    Console().print(f"wrote {path}", soft_wrap=True)
