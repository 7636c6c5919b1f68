"""A run's figures for each part of its samples."""

import polars as pl
from rich.console import Console
from rich.table import Table

from evals.figures import Document, shown
from evals.tasks.result import mean_figures
from harness.errors import HarnessError


def print_slices(rows: pl.DataFrame, document: Document, column: str, console: Console) -> None:
    """Print one line for each value of a column: how many rows, how many failed, and the means.

    Args:
        rows: of the run; where the column holds lists, each list is a value.
        document: of the run; its figures name the columns that are metrics.
        column: what the rows are parted by.
        console: where the table goes.

    Raises:
        HarnessError: rows have no such column.
    """
    if column not in rows.columns:
        raise HarnessError(
            f"--slice {column}: rows have no such column", f"They have {', '.join(rows.columns)}."
        )
    metrics = [name for name in document.figures if name in rows.columns]
    table = Table(title=f"by {column}", title_justify="left")
    table.add_column(column)
    for heading in ("n", "failed", *metrics):
        table.add_column(heading, justify="right")
    named = rows.with_columns(_as_text(rows[column]).alias(":slice"))
    for (value,), part in sorted(named.group_by(":slice"), key=lambda each: str(each[0][0])):
        means = [_mean(part, metric) for metric in metrics]
        table.add_row(str(value), str(part.height), str(part["error"].count()), *means)
    console.print(table)


def _as_text(column: pl.Series) -> pl.Series:
    if column.dtype == pl.List:
        return column.cast(pl.List(pl.String)).list.join(", ")
    return column.cast(pl.String)


def _mean(part: pl.DataFrame, metric: str) -> str:
    present = part.drop_nulls(metric)
    return shown(mean_figures(present, [metric])[metric]) if present.height else "–"
