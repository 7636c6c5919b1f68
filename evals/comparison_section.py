"""A comparison as a part of a report."""

from collections.abc import Sequence

import polars as pl

from evals.compare import Compared, MetricComparison, compare_runs
from evals.figures import Document
from evals.pairing import label_runs
from evals.report import Chart, Section, TableData
from evals.run_charts import gains, outcomes
from harness.errors import HarnessError

_NUMBERS = ("n", "A", "run", "difference", "95 % interval", "p (Holm)", "detectable")


def sections_of_runs(
    ids: Sequence[str], kept: Sequence[tuple[Document, pl.DataFrame | None]]
) -> list[Section]:
    """The section that holds runs against the first of them; none where they can not be paired.

    Args:
        ids: of the runs.
        kept: their documents and rows, in the same order.
    """
    try:
        runs = label_runs([(run_id, *each) for run_id, each in zip(ids, kept, strict=True)])
        return [comparison_section(compare_runs(runs))]
    except HarnessError:  # they were asked for to be drawn, whether or not they can be compared
        return []


def comparison_section(compared: Compared) -> Section:
    """What each run gained over the first, how many samples moved, and which moved most."""
    items = compared.metrics
    several = len({item.run for item in items}) > 1
    clear = [item for item in items if _verdict(item) != "unclear"]
    moved = compared.headline()
    named = ", ".join(f"{label} is {run_id}" for label, run_id in compared.runs.items())
    return Section(
        "Comparison with A",
        f"Paired by sample; intervals and tests over {compared.unit}, p adjusted for "
        f"{len(items)} comparisons. {named}."
        + "".join(f" Paired anyway, though the runs differ in {it}." for it in compared.differing),
        table=TableData(("metric", *_NUMBERS), tuple(map(_row, items)), frozenset(_NUMBERS)),
        charts=(
            Chart(
                gains([_gain(item, several) for item in items]),
                f"Of {len(items)} differences, {len(clear)} have a 95 % interval without 0. One "
                "that has it says no more than that a difference below what is detectable may "
                "be missed.",
                "differences",
            ),
            Chart(
                outcomes([row for item in items for row in _moved(item, several)]),
                f"In {moved}, {items[0].wins} samples got better, {items[0].losses} worse and "
                f"{items[0].ties} stayed as they were.",
                "wins-ties-losses",
            ),
        ),
        closing=_changed(compared) if compared.changed else None,
    )


def _verdict(item: MetricComparison) -> str:
    if item.low > 0:
        return "better"
    return "worse" if item.high < 0 else "unclear"


def _label(item: MetricComparison, several: bool) -> str:
    return f"{item.run}: {item.metric}" if several else item.metric


def _gain(item: MetricComparison, several: bool) -> dict[str, object]:
    return {
        "label": _label(item, several),
        "difference": item.difference,
        "low": item.low,
        "high": item.high,
        "verdict": _verdict(item),
    }


def _moved(item: MetricComparison, several: bool) -> list[dict[str, object]]:
    counts = {"win": item.wins, "tie": item.ties, "loss": item.losses}
    return [
        {"label": _label(item, several), "outcome": outcome, "samples": samples}
        for outcome, samples in counts.items()
    ]


def _row(item: MetricComparison) -> tuple[str, ...]:
    return (
        f"{item.run}: {item.metric}",
        str(item.n),
        f"{item.before:.3f}",
        f"{item.after:.3f}",
        f"{item.difference:+.3f}",
        f"{item.low:+.3f} – {item.high:+.3f}",
        f"{item.p_holm:.3g}",
        "–" if item.detectable != item.detectable else f"{item.detectable:.3f}",
    )


def _changed(compared: Compared) -> TableData:
    rows = [
        (each.run, each.sample, f"{each.before:.3f}", f"{each.after:.3f}", each.text)
        for each in compared.changed
    ]
    columns = ("run", "sample", f"{compared.headline()} in A", "in the run", "asked")
    return TableData(columns, tuple(rows), frozenset(columns[2:4]))
