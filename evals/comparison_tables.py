"""A comparison as people read it in a terminal."""

import math
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from evals.compare import Compared, MetricComparison
from evals.statistics import LEVEL, POWER

_TEXT = 60  # characters of what was asked


def print_comparison(compared: Compared, console: Console) -> None:
    """Print what differs, metric by metric, slice by slice, and the samples that moved most."""
    for line in compared.differing:
        console.print(f"paired anyway, though the runs differ in {escape(line)}", style="yellow")
    for run in dict.fromkeys(item.run for item in compared.metrics):
        _print_metrics(run, [item for item in compared.metrics if item.run == run], console)
        _print_slices(
            run,
            compared.headline(),
            [item for item in compared.slices if item.run == run],
            console,
        )
        _print_changed(run, compared, console)
    tests = sorted({item.test for item in compared.metrics if item.test})
    console.print(
        f"{LEVEL:.0%} intervals and tests over {compared.unit}; p adjusted for "
        f"{len(compared.metrics)} comparisons (Holm; {', '.join(tests)}); "
        f"detectable: at 5 % with {POWER:.0%} power",
        style="dim",
    )


def _print_metrics(run: str, items: Sequence[MetricComparison], console: Console) -> None:
    table = _table(f"{run} less A, paired by sample", "metric", run)
    for heading in ("p\n(Holm)", "win/tie/\nloss", "detect-\nable"):
        table.add_column(heading, justify="right", no_wrap=True)
    for item in items:
        table.add_row(
            *_cells(item, item.metric),
            f"{item.p_holm:.3g}",
            f"{item.wins}/{item.ties}/{item.losses}",
            "–" if math.isnan(item.detectable) else f"{item.detectable:.3f}",
        )
    console.print(table)


def _print_slices(
    run: str, metric: str, items: Sequence[MetricComparison], console: Console
) -> None:
    shown = [item for item in items if item.metric == metric]
    if not shown:
        return
    table = _table(f"{metric} by slice, {run} less A", "slice", run)
    for item in shown:
        table.add_row(*_cells(item, item.slice))
    console.print(table)


def _print_changed(run: str, compared: Compared, console: Console) -> None:
    shown = [item for item in compared.changed if item.run == run]
    if not shown:
        return
    table = Table(
        title=f"{compared.headline()} changed most, {run}", title_justify="left", box=SIMPLE
    )
    table.add_column("sample")
    for heading in ("A", run):
        table.add_column(heading, justify="right")
    table.add_column("asked", overflow="ellipsis", no_wrap=True)
    for item in shown:
        asked = escape(item.text[:_TEXT])
        table.add_row(escape(item.sample), f"{item.before:.3f}", f"{item.after:.3f}", asked)
    console.print(table)


def _table(title: str, first: str, run: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=SIMPLE, collapse_padding=True, pad_edge=False
    )
    table.add_column(first, overflow="fold")
    for heading in ("n", "A", run, "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cells(item: MetricComparison, name: str) -> list[str]:
    return [
        escape(name),
        str(item.n),
        f"{item.before:.3f}",
        f"{item.after:.3f}",
        # Beside each other they leave no room for the metric's name.
        f"{item.difference:+.3f}\n{item.low:+.3f} – {item.high:+.3f}",
    ]
