"""The section of a report on a model's calls."""

import polars as pl

from evals.charts import mean_by_slice, slice_means
from evals.figures import Document, describe
from evals.report import Chart, Section, TableData

_SHOWN_MISSES = 8


def calls_section(document: Document, rows: pl.DataFrame) -> Section:
    """Right calls by category, and some of those that were wrong."""
    means = slice_means(rows, "ast_accuracy", ["category"])
    missed = rows.filter(pl.col("ast_accuracy") == 0.0)
    named = missed.filter(pl.col("name_accuracy") == 1.0).height
    return Section(
        "Tool calls",
        "Each case's functions were offered to the model as tools are in production, with the "
        "repair of calls that could not run; nothing was executed. Calls were held against the "
        "accepted ones by the official checker of the Berkeley Function Calling Leaderboard.",
        charts=(
            Chart(
                mean_by_slice(means, "share of cases whose calls are right"),
                f"All cases: {means[0]['value']:.2f}. Lines are 95 % intervals. Of "
                f"{missed.height} cases with wrong calls, {named} called the right functions with "
                "wrong arguments.",
                "accuracy",
            ),
        ),
        closing=_misses(missed) if missed.height else None,
        origin=describe(document),
        simulated=document.simulated,
    )


def _misses(missed: pl.DataFrame) -> TableData:
    rows = [
        (row["question"], _called(row["output"]), row["error"] or row["why"])
        for row in missed.head(_SHOWN_MISSES).iter_rows(named=True)
    ]
    return TableData(("request with wrong calls", "called", "why"), tuple(rows))


def _called(output: str) -> str:
    return "nothing" if output == "[]" else output
