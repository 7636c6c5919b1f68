"""A sweep as a part of a report: its table, what quality costs, and a curve where one fits."""

from typing import Any

import polars as pl

from evals.figures import Document, describe
from evals.report import Chart, Section, TableData
from evals.run_charts import curves, pareto, pareto_line
from evals.sweep.tasks import TASKS, Task, comparable_latency

_FEWEST = 3  # values of a setting that make a curve
_HEADINGS = {
    **{task.latency: "p50 ms" for task in TASKS.values()},
    **{task.tokens: "tokens" for task in TASKS.values() if task.tokens},
}


def sweep_section(document: Document, board: pl.DataFrame) -> Section:
    """The section of a kept sweep.

    Args:
        document: of the sweep.
        board: its table, as `board_frame` makes it.
    """
    task = TASKS[document.command.removeprefix("sweep ")]
    metric = str(document.settings["sweep.metric"])
    done = board.filter(pl.col("error").is_null())
    latency = comparable_latency(task, document.engines)
    charts = [
        _pareto(done, metric, cost, title, picture)
        for cost, title, picture in (
            (latency, "median latency (ms)", "pareto-latency"),
            (task.tokens, str(task.tokens).replace("_", " "), "pareto-tokens"),
        )
        if cost is not None and cost in done.columns and done[cost].count() > 1
    ]
    charts += _curve(done, task)
    split = document.dataset.split if document.dataset else ""
    caution = (
        "The best of many runs looks better than it is: measure it once more on the split test."
        if split == "tune"
        else f"These runs were measured on the split {split}: to choose by them is to tune on it."
    )
    task_name = document.command.removeprefix("sweep ")
    varied = ", ".join(document.settings["sweep.varied"])
    return Section(
        f"Sweep: {document.settings['sweep.name']}",
        f"{board.height} runs of {task_name} by {varied}, best {metric} first, each held against "
        f"run 1 over the same samples; p adjusted for all of them. {caution}",
        simulated=document.simulated,
        table=_table(board, metric, [c for c in (latency, task.tokens, "cost") if c]),
        charts=tuple(charts),
        origin=describe(document),
    )


def _pareto(done: pl.DataFrame, metric: str, cost: str, title: str, picture: str) -> Chart:
    points = [
        {
            "name": row["label"],
            "quality": row[metric],
            "low": row[f"{metric}_low"],
            "high": row[f"{metric}_high"],
            "cost": row[cost],
        }
        for row in done.drop_nulls([metric, cost]).iter_rows(named=True)
    ]
    best = pareto_line(points)
    return Chart(
        pareto(points, metric, title),
        f"{len(best)} of {len(points)} runs lie on the line: none is both better and cheaper than "
        f"they. The cheapest, {best[0]['name']}, reaches {best[0]['quality']:.3f} for "
        f"{best[0]['cost']:.1f}; the best, {best[-1]['name']}, {best[-1]['quality']:.3f} for "
        f"{best[-1]['cost']:.1f}. Upright lines are 95 % intervals.",
        picture,
    )


def _curve(done: pl.DataFrame, task: Task) -> list[Chart]:
    """A curve where runs differ in one setting and its values are numbers."""
    columns = [name for name in done.columns if name.startswith("setting.")]
    if len(columns) != 1:
        return []
    (column,) = columns
    values = done[column].cast(pl.Float64, strict=False)
    if values.null_count() or values.n_unique() < _FEWEST:
        return []
    setting = column.removeprefix("setting.")
    ordered = done.with_columns(values).sort(column)
    points: list[dict[str, Any]] = [
        {
            "setting": row[column],
            "metric": metric,
            "value": row[metric],
            "low": row[f"{metric}_low"],
            "high": row[f"{metric}_high"],
        }
        for metric in task.curves
        for row in ordered.iter_rows(named=True)
    ]
    first, last = points[0], points[ordered.height - 1]
    return [
        Chart(
            curves(points, setting),
            f"From {setting} {first['setting']:g} to {last['setting']:g}, {task.curves[0]} goes "
            f"from {first['value']:.3f} to {last['value']:.3f}. Upright lines are 95 % intervals.",
            "curve",
        )
    ]


def _table(board: pl.DataFrame, metric: str, costs: list[str]) -> TableData:
    costs = [cost for cost in costs if cost in board.columns]
    headings = [_HEADINGS.get(cost, cost) for cost in costs]
    numbers = (metric, "95 % interval", "less run 1", "p (Holm)", *headings)
    rows = []
    for row in board.iter_rows(named=True):
        name = f"{row['number']}: {row['label']}" + (" ◆" if row["on_frontier"] else "")
        if row["error"] is not None:
            rows.append((f"{name} failed: {row['error']}", *("" for _ in numbers)))
            continue
        gained = "" if row["difference"] is None else f"{row['difference']:+.3f}"
        p = "" if row["p_holm"] is None else f"{row['p_holm']:.3g}"
        interval = f"{row[f'{metric}_low']:.3f} – {row[f'{metric}_high']:.3f}"
        shown = ["–" if row[cost] is None else f"{row[cost]:.1f}" for cost in costs]
        rows.append((name, f"{row[metric]:.3f}", interval, gained, p, *shown))
    return TableData(("run", *numbers), tuple(rows), frozenset(numbers))
