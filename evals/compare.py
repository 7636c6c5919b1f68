"""Two runs over the same samples, compared metric by metric."""

from dataclasses import dataclass

import polars as pl
from rich.console import Console
from rich.table import Table

from evals.figures import Document, Figure, spread
from evals.statistics import Comparison, compare_paired, holm
from harness.errors import HarnessError


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two runs; `p` is adjusted for the number of metrics compared (Holm)."""

    metric: str
    before: float
    after: float
    comparison: Comparison
    p: float


def compare_rows(
    before: tuple[Document, pl.DataFrame], after: tuple[Document, pl.DataFrame]
) -> list[MetricComparison]:
    """Compare every metric that both runs have for each sample.

    Args:
        before: figures and rows of run A.
        after: of run B.

    Raises:
        HarnessError: the runs are of different tasks, data, splits or samples; it names what.
    """
    (document_a, rows_a), (document_b, rows_b) = before, after
    _refuse_different(document_a, document_b)
    if set(rows_a["sample"]) != set(rows_b["sample"]):
        odd = sorted(set(rows_a["sample"]) ^ set(rows_b["sample"]))
        raise HarnessError(
            f"the runs have different samples: {len(odd)} are in one only, such as {odd[0]!r}",
            "Run both with the same --limit.",
        )
    metrics = [
        name for name in document_a.figures if name in rows_a.columns and name in rows_b.columns
    ]
    joined = rows_a.select("sample", *metrics).join(
        rows_b.select("sample", *metrics), on="sample", suffix=":b"
    )
    # A metric need not be defined for every sample: recall has no meaning where no tool is needed.
    columns = {
        name: joined.select(pl.col(name), pl.col(f"{name}:b")).drop_nulls() for name in metrics
    }
    results = [
        (name, compare_paired(pair[name].to_numpy(), pair[f"{name}:b"].to_numpy()))
        for name, pair in columns.items()
        if pair.height
    ]
    adjusted = holm([result.p for _, result in results])
    return [
        MetricComparison(
            name,
            _mean(columns[name][name]),
            _mean(columns[name][f"{name}:b"]),
            result,
            adjusted[index],
        )
        for index, (name, result) in enumerate(results)
    ]


def _mean(column: pl.Series) -> float:
    return float(column.to_numpy().mean())


def _refuse_different(a: Document, b: Document) -> None:
    checks = [("task", a.command, b.command)]
    if a.dataset and b.dataset:
        checks += [
            ("dataset", a.dataset.name, b.dataset.name),
            ("split", a.dataset.split, b.dataset.split),
            ("data (sha256)", a.dataset.sha256[:12], b.dataset.sha256[:12]),
        ]
    for what, one, other in checks:
        if one != other:
            raise HarnessError(
                f"the runs differ in their {what}: {one!r} and {other!r}",
                "Only runs over the same samples can be paired.",
            )


def print_comparison(results: list[MetricComparison], console: Console) -> None:
    """Print one line a metric."""
    table = Table(title="B less A, paired by sample", title_justify="left")
    table.add_column("metric")
    for heading in ("A", "B", "difference", "95 % interval", "p (Holm)", "win/tie/loss"):
        table.add_column(heading, justify="right")
    for item in results:
        found = item.comparison
        gap = found.difference
        table.add_row(
            item.metric,
            f"{item.before:.3f}",
            f"{item.after:.3f}",
            f"{gap.value:+.3f}",
            spread(Figure(value=gap.value, unit="", low=gap.low, high=gap.high)),
            f"{item.p:.3g}",
            f"{found.wins}/{found.ties}/{found.losses}",
        )
    console.print(table)
