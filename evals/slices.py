"""A run's figures for each part of its samples."""

from collections.abc import Iterator, Sequence

import polars as pl
from rich.console import Console
from rich.table import Table

from evals.figures import OF_RUNS, Document, shown, spread
from evals.tasks.result import mean_figures
from harness.errors import HarnessError

_NAME = 28  # characters that the names of figures take with their borders
_VALUE = 24  # characters of a figure with its interval, as wide as they come


def print_slices(rows: pl.DataFrame, document: Document, column: str, console: Console) -> None:
    """Print a line for each figure, with a column for each value: means with their intervals.

    Args:
        rows: of the run; where the column holds lists, each list is a value.
        document: of the run; its figures name the columns that are metrics.
        column: what the rows are parted by.
        console: where the tables go; as many columns are side by side as it is wide.

    Raises:
        HarnessError: rows have no such column.
    """
    if column not in rows.columns:
        raise HarnessError(
            f"--slice {column}: rows have no such column", f"They have {', '.join(rows.columns)}."
        )
    units = {
        name: each.unit
        for name, each in document.figures.items()
        if name in rows.columns and name not in OF_RUNS
    }
    named = rows.with_columns(_as_text(rows[column]).alias(":slice"))
    parts = {str(value): part for (value,), part in named.group_by(":slice")}
    for values in _groups(sorted(parts), max(1, (console.width - _NAME) // _VALUE)):
        table = Table(title=f"by {column}", title_justify="left")
        table.add_column("figure")
        for value in values:
            table.add_column(value, justify="right")
        table.add_row("n", *(str(parts[value].height) for value in values))
        table.add_row("failed", *(str(parts[value]["error"].count()) for value in values))
        for metric, unit in units.items():
            table.add_row(metric, *(_mean(parts[value], metric, unit) for value in values))
        console.print(table)


def _groups(values: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    return (values[start : start + most] for start in range(0, len(values), most))


def _as_text(column: pl.Series) -> pl.Series:
    if column.dtype == pl.List:
        return column.cast(pl.List(pl.String)).list.join(", ")
    return column.cast(pl.String)


def _mean(part: pl.DataFrame, metric: str, unit: str) -> str:
    present = part.drop_nulls(metric)
    if not present.height:
        return "–"
    item = mean_figures(present, [metric], unit)[metric]
    return f"{shown(item)} ({spread(item)})"
