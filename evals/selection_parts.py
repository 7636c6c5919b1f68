"""Tool selection in parts: by tool, and by how many tools a request needs."""

from collections import Counter
from collections.abc import Sequence

import polars as pl

from evals.charts import NO_TOOL
from evals.clusters import cluster_labels
from evals.metrics.selection import Bin, ece, reliability
from evals.report import TableData
from evals.statistics import bootstrap

SHOWN_TOOLS = 40  # of which the first choice was wrong most often


def with_number(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with `number`: how many tools serve the request, `0`, `1`, `2` and so on."""
    return rows.with_columns(pl.col("gold").list.len().cast(pl.String).alias("number"))


def reliability_by_number(rows: pl.DataFrame) -> dict[str, list[Bin]]:
    """The reliability diagram of each number of tools, where there is more than one."""
    parts = with_number(rows).partition_by("number", as_dict=True)
    if len(parts) < 2:
        return {}
    return {
        _tools(str(number)): reliability(part["confidence"].to_numpy(), part["correct"].to_numpy())
        for (number,), part in sorted(parts.items(), key=lambda item: str(item[0]))
    }


def number_table(rows: pl.DataFrame) -> TableData:
    """For all requests and each number of tools: how often the first was right, and calibration."""
    parts = [("all", rows)]
    parts += [
        (_tools(str(number)), part)
        for (number,), part in sorted(
            with_number(rows).group_by("number"), key=lambda item: str(item[0])
        )
    ]
    columns = ("requests needing", "n", "first is right", "confidence", "calibration error")
    return TableData(columns, tuple(_number_row(*each) for each in parts), frozenset(columns[1:]))


def _number_row(label: str, part: pl.DataFrame) -> tuple[str, ...]:
    sure, right = part["confidence"].to_numpy(), part["correct"].to_numpy()
    error = bootstrap(part.height, ece(sure, right), clusters=cluster_labels(part))
    return (
        label,
        str(part.height),
        f"{right.mean():.2f}",
        f"{sure.mean():.2f}",
        f"{error.value:.2f} ({error.low:.2f} – {error.high:.2f})",
    )


def _tools(number: str) -> str:
    return "1 tool" if number == "1" else f"{number} tools"


def tool_table(rows: pl.DataFrame) -> TableData:
    """For each tool the requests that it serves, how often the first choice was right, and what
    was taken instead; those that were missed most come first.

    A tool has few requests, of which a bootstrap makes no interval worth having.
    """
    each = rows.with_columns(pl.col("gold").alias("all_gold")).explode("gold").drop_nulls("gold")
    by_tool = each.partition_by("gold", as_dict=True)
    missed = sorted(
        by_tool.items(),
        key=lambda item: (-(item[1]["correct"] == 0).sum(), -item[1].height, str(item[0][0])),
    )
    columns = ("tool", "n", "first is right", "taken instead")
    return TableData(
        columns,
        tuple(_tool_row(str(tool), part) for (tool,), part in missed[:SHOWN_TOOLS]),
        frozenset(columns[1:3]),
    )


def _tool_row(tool: str, part: pl.DataFrame) -> tuple[str, ...]:
    others: Sequence[str] = [
        row["chosen"] or NO_TOOL
        for row in part.iter_rows(named=True)
        if row["chosen"] not in row["all_gold"]
    ]
    common = Counter(others).most_common(2)
    return (
        tool,
        str(part.height),
        f"{part['correct'].to_numpy().mean():.2f}",
        ", ".join(f"{name} ({count})" for name, count in common),
    )
